"""All agents of a workstation together: who may write where when several change at once, and what a night costs."""

from __future__ import annotations

import asyncio
import json

import pytest

from provisioner.demo.platform import SimulatedPlatform
from provisioner.edge.kept_ports import KeptPorts
from provisioner.edge.service import ServiceManager
from provisioner.opening import here, open_bench
from provisioner.workstation import Workstation
from tests.machine import Machine, until

SHARED = "  targets: [{target: json, path: /srv/shared}]"


async def test_a_path_moves_from_one_agent_to_another_in_one_change(machine: Machine, platform: SimulatedPlatform):
    shared = machine.root / "srv/shared/account.json"
    machine.agent("ana", "  targets: [json]")
    machine.agent("beto", SHARED)
    async with machine.running() as service:
        await service.logged_in("ana", "beto")
        assert json.loads(shared.read_text())["agent"] == "beto"
        # ana comes first and is refused, until it is beto's turn to give the path up.
        machine.agent("ana", SHARED)
        machine.agent("beto", "  targets: [json]")
        await until(lambda: shared.exists() and json.loads(shared.read_text())["agent"] == "ana")
        await service.until(lambda status: status["everybody_served"])
    assert sorted(platform.logins) == ["ana", "beto"]


@pytest.mark.parametrize(
    ("policy", "seconds", "logins"),
    [("1h", 3599.0, 1), ("1h", 3600.0, 2), ("0s", 1e6, 1), ("1m", 61.0, 2)],
)
async def test_a_suspended_machine_logs_in_again_when_the_platform_must_have_lost_the_agent(
    machine: Machine, platform: SimulatedPlatform, policy: str, seconds: float, logins: int
):
    machine.agent("ana", "  targets: [json]")
    machine.main.write_text(machine.main.read_text().replace("splay: 0s", f"splay: 0s, again_after: {policy}"))
    with open_bench(machine.places, "ws") as bench:
        async with asyncio.TaskGroup() as group:
            workstation = Workstation(bench, here().chances, group.create_task, KeptPorts(ServiceManager({})))
            assert await workstation.reload() == ()
            await workstation.first_logins()
            workstation.resumed(seconds)
            await platform.arrived(logins)
            await workstation.stop()
    assert len(platform.logins) == logins
