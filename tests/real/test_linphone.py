"""Linphone, real, at a real Asterisk, with what the program wrote and nothing else."""

from __future__ import annotations

import pytest

from provisioner.demo.platform import SimulatedAgent
from tests.real.conversation import calls_out, is_called
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


@pytest.mark.parametrize("transport, encryption", [("udp", "no"), ("tls", "yes")])
@pytest.mark.parametrize("dtmfmode", ["rfc2833", "info"])
@pytest.mark.usefixtures("sound")
async def test_linphonec_calls_and_is_called(desk: Desk, transport: str, encryption: str, dtmfmode: str) -> None:
    need("linphonec")
    row = {"transport": transport, "encryption": encryption, "dtmfmode": dtmfmode}
    await desk.employ(SimulatedAgent("ana", "pw-ana", "1001", row=row), "linphone", display_name='Ana "Ñ" Pérez')
    async with desk.machine.running() as service:
        await service.logged_in("ana")
        async with linphonec(desk, "ana") as phone:
            await desk.server.registered("1001")
            out = await calls_out(desk.server, "1001", phone)
            back = await is_called(desk.server, "1001", phone)
    print(out, back)
    assert out.display == 'Ana "Ñ" Pérez'
    for one in (out, back):
        assert (one.digits, one.codec, one.encrypted) == ("1234", "alaw", encryption == "yes")
