"""Twinkle, real, at a real Asterisk, with what the program wrote and nothing else."""

from __future__ import annotations

import pytest

from provisioner.demo.platform import SimulatedAgent
from tests.real.conversation import DTMF, calls_out, is_called, told
from tests.real.desk import Desk
from tests.real.needs import need
from tests.real.record import Record
from tests.real.twinkle import twinkle

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("transport, dtmfmode", [("udp", "rfc2833"), ("udp", "info"), ("tcp", "rfc2833")])
@pytest.mark.usefixtures("sound")
async def test_twinkle_registers_calls_and_is_called(desk: Desk, transport: str, dtmfmode: str, record: Record) -> None:
    need("twinkle-console")
    row = {"transport": transport, "encryption": "no", "dtmfmode": dtmfmode, "allow": "g722;ulaw;alaw"}
    await desk.employ(SimulatedAgent("ana", "pw-ana", "1001", row=row), "twinkle", display_name='Ana "Ñ" Pérez')
    async with desk.machine.running() as service:
        await service.logged_in("ana")
        async with twinkle(desk, "ana", "1001") as phone:
            peer = await desk.server.registered("1001")
            out = await calls_out(desk.server, "1001", phone)
            back = await is_called(desk.server, "1001", phone)
    assert peer.user_agent.startswith("Twinkle/")
    assert peer.transport == transport
    assert out.display == 'Ana "Ñ" Pérez'
    for one in (out, back):
        assert (one.digits, one.codec, one.encrypted) == ("1234", "ulaw", False)
    record.saw("twinkle", peer.user_agent, transport, *told(out), "is called", f"digits by {DTMF[dtmfmode]}")
