"""pjsua, real, at a real Asterisk, with what the program wrote and nothing else."""

from __future__ import annotations

import pytest

from provisioner.demo.platform import SimulatedAgent
from tests.real.conversation import DTMF, calls_out, is_called, told
from tests.real.desk import Desk
from tests.real.needs import need_pjsua
from tests.real.pjsua import pjsua
from tests.real.record import Record

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "transport, encryption, dtmfmode", [("udp", "no", "info"), ("tcp", "no", "rfc2833"), ("tls", "yes", "rfc2833")]
)
async def test_pjsua_registers_calls_and_is_called(
    desk: Desk, transport: str, encryption: str, dtmfmode: str, record: Record
) -> None:
    need_pjsua()
    row = {"transport": transport, "encryption": encryption, "dtmfmode": dtmfmode, "allow": "g729;ulaw;alaw"}
    await desk.employ(SimulatedAgent("ana", "pw-ana", "1001", row=row), "pjsua", display_name='Ana "Ñ" Pérez')
    async with desk.machine.running() as service:
        await service.logged_in("ana")
        async with pjsua(desk, "ana", dtmfmode) as phone:
            peer = await desk.server.registered("1001")
            out = await calls_out(desk.server, "1001", phone)
            back = await is_called(desk.server, "1001", phone)
    assert peer.user_agent.startswith("PJSUA/v")
    assert peer.transport == transport
    assert out.display == 'Ana "Ñ" Pérez'
    for one in (out, back):
        assert (one.digits, one.codec, one.encrypted) == ("1234", "ulaw", encryption == "yes")
    record.saw("pjsua", peer.user_agent.split()[0], transport, *told(out), "is called", f"digits by {DTMF[dtmfmode]}")
