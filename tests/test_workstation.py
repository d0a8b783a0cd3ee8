"""All agents of a workstation together: who may write where, when several change at once."""

from __future__ import annotations

import json

from provisioner.demo.platform import SimulatedPlatform
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
