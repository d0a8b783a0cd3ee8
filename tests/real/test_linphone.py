"""Linphone, real, at a real Asterisk, with what the program wrote and nothing else."""

from __future__ import annotations

import pytest

from provisioner.demo.platform import SimulatedAgent
from tests.real.desk import Desk
from tests.real.linphone import linphonec
from tests.real.needs import need


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_linphonec_registers(desk: Desk, transport: str) -> None:
    need("linphonec")
    ana = SimulatedAgent("ana", "pw-ana", "1001", row={"transport": transport, "encryption": "no"})
    await desk.employ(ana, "linphone")
    async with desk.machine.running() as service:
        await service.logged_in("ana")
        async with linphonec(desk, "ana"):
            peer = await desk.server.registered("1001")
    assert peer.user_agent.startswith("Linphone")
    assert peer.transport == transport
