"""From an edit to the file on disk, through the real service."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

from provisioner.demo.platform import SimulatedAgent, SimulatedPlatform, serve
from tests.bench.table import Figure, percentile
from tests.machine import Machine, Service
from tests.saving import STYLES

SETTLE = 0.05


async def measure(root: Path, agents: int, edits: int) -> tuple[Figure, Figure]:
    """The 95th percentile of ``edits`` edits among ``agents`` agents, in all save styles, and how many were lost."""
    platform = SimulatedPlatform(
        [SimulatedAgent(f"a{number}", f"pw-a{number}", str(number)) for number in range(agents)]
    )
    async with serve(platform) as url:
        machine = Machine(root, url)
        text = machine.main.read_text().replace("splay: 0s", "splay: 0s, at_once: 64")
        machine.main.write_text(text)
        for number in range(agents):
            machine.agent(f"a{number}", "  targets: [jssip]")
        async with machine.running() as service:
            await service.until(lambda status: status["everybody_served"])
            taken = [await _edit(machine, service, number, agents) for number in range(edits)]
        again = len(platform.logins) - agents
    seen = [one for one in taken if one is not None]
    p95 = Figure(f"edit → file, 95 % of {edits}, {agents} agents (settle {SETTLE * 1000:.0f} ms)",
                 percentile(seen, 0.95) * 1000, "ms", SETTLE * 1000 + 25)  # fmt: skip
    return p95, Figure(f"edits lost, and logins that edits caused, {agents} agents", edits - len(seen) + again, "", 0)


async def _edit(machine: Machine, service: Service, number: int, agents: int) -> float | None:
    login, name = f"a{number * 7 % agents}", f"Name {number}"
    path = machine.agents_d / f"{login}.yaml"
    target = machine.home(login) / ".config/softphone-provisioner/jssip/account.json"
    before = target.stat().st_ino
    text = f"agents:\n- login: {login}\n  password: pw-{login}\n  home: /home/{login}\n  targets: [jssip]\n"
    STYLES[number % len(STYLES)](path, text + f"  account: {{display_name: {name}}}\n")
    began = time.perf_counter()
    while time.perf_counter() - began < 10:
        if _inode(target) not in {before, 0} and json.loads(target.read_text())["ua"]["display_name"] == name:
            return time.perf_counter() - began
        await asyncio.sleep(0.0005)
    return None


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0
