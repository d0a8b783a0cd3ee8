"""What one running service costs, and the light verbs."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from pathlib import Path, PurePosixPath

from provisioner.core.errand import Bring, errand_as_json
from provisioner.core.parcel import Layout, Parcel
from provisioner.core.plan import DesiredFile
from provisioner.demo.platform import SimulatedAgent, SimulatedPlatform, serve
from provisioner.edge.courier_connection import Connection
from provisioner.edge.courier_socket import Limits, Reception, courier_socket
from provisioner.places import places_of
from tests.bench.table import Figure
from tests.machine import Machine

IDLE_SECONDS = 10.0
PROVISIONER = Path(sys.executable).with_name("provisioner")


async def measure(root: Path) -> list[Figure]:
    """Start, rest and talk to a service with one agent."""
    platform = SimulatedPlatform([SimulatedAgent("ana", "pw-ana", "1001")])
    async with serve(platform) as url:
        machine = Machine(root, url)
        machine.agent("ana", "  targets: [jssip]")
        starts = [await _start(machine) for _ in range(5)]
        figures = [Figure("start → READY with one agent, median of 5", statistics.median(starts), "s", 0.6)]
        async with machine.running() as service:
            await service.logged_in("ana")
            await asyncio.sleep(1.0)
            woken = _switches(service.process.pid)
            await asyncio.sleep(IDLE_SECONDS)
            figures += [
                Figure(f"wake-ups in {IDLE_SECONDS:.0f} s at rest", _switches(service.process.pid) - woken, "", 0),
                Figure("memory at rest (PSS)", _pss(service.process.pid), "MiB", 45),
                Figure("inotify instances", _inotify(service.process.pid), "", 1),
            ]
            for verb in ("status", "reload"):
                figures.append(Figure(f"provisioner {verb}, median of 15", await _verb(verb, root), "ms", 60))
    return figures


async def courier(root: Path) -> list[Figure]:
    """Start a courier and let it rest."""
    come: asyncio.Queue[Connection] = asyncio.Queue()

    async def serve(connection: Connection) -> None:
        come.put_nowait(connection)
        await connection.lost()

    path = places_of(root, None, None).courier_socket
    path.parent.mkdir(parents=True)
    async with asyncio.TaskGroup() as group:
        reception = Reception(serve, lambda _: True, group.create_task, Limits(rest=0.0))
        async with courier_socket(path, reception):
            runs = [await _courier(root, come) for _ in range(9)]
    starts, memory = zip(*runs, strict=True)
    return [
        Figure("courier: start → connected, median of 9", statistics.median(starts), "ms", 150),
        Figure("courier: memory after a delivery (PSS)", max(memory), "MiB", 20),
    ]


async def _courier(root: Path, come: asyncio.Queue[Connection]) -> tuple[float, float]:
    """Milliseconds until it is connected, and its memory in MiB once it has brought a file."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        PROVISIONER, "session", "--root", root, env={"HOME": str(root), "PATH": "/usr/bin:/bin"},
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        connection = await come.get()
        taken = (time.perf_counter() - began) * 1000
        await connection.ask(errand_as_json(Bring("ana", (_parcel(root),))), 10.0)
        return taken, _pss(process.pid)
    finally:
        process.kill()
        await process.wait()


def _parcel(root: Path) -> Parcel:
    path = PurePosixPath(".phone/account.ini")
    place = Layout(str(root), path.parent, ())
    return Parcel("phone", place, (DesiredFile(path, b"x" * 5000),))


async def _start(machine: Machine) -> float:
    began = time.perf_counter()
    async with machine.running():
        return time.perf_counter() - began


async def _verb(verb: str, root: Path) -> float:
    taken = []
    for _ in range(15):
        began = time.perf_counter()
        command = [PROVISIONER, verb, "--root", root]
        await asyncio.to_thread(subprocess.run, command, stdout=subprocess.DEVNULL, check=True)
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def _switches(pid: int) -> int:
    """How often any thread of the process was woken."""
    lines = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
    return sum(int(text.partition("voluntary_ctxt_switches:")[2].split()[0]) for text in lines)


def _pss(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(text.partition("Pss:")[2].split()[0]) / 1024


def _inotify(pid: int) -> int:
    links = [path.readlink() for path in Path(f"/proc/{pid}/fd").iterdir()]
    return sum("inotify" in str(link) for link in links)
