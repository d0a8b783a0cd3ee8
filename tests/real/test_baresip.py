"""baresip, real, at a real Asterisk, with what the program wrote and nothing else."""

from __future__ import annotations

import pytest

from provisioner.demo.platform import SimulatedAgent
from tests.real.baresip import baresip
from tests.real.conversation import calls_out, is_called, told
from tests.real.desk import Desk
from tests.real.needs import need
from tests.real.record import Record

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("transport, encryption", [("udp", "no"), ("tcp", "no"), ("tls", "yes")])
@pytest.mark.usefixtures("sound")
async def test_baresip_registers_calls_and_is_called(
    desk: Desk, transport: str, encryption: str, record: Record
) -> None:
    need("baresip")
    row = {"transport": transport, "encryption": encryption, "allow": "g729;ulaw;alaw"}
    ana = SimulatedAgent("ana", "pw-ana", "1001", row=row)
    # It asks DNS alone and does not read /etc/hosts, so it does not find `localhost`.
    await desk.employ(ana, "baresip", server="127.0.0.1", display_name='Ana "Ñ" Pérez')
    async with desk.machine.running() as service:
        await service.logged_in("ana")
        async with baresip(desk, "ana") as phone:
            peer = await desk.server.registered("1001")
            out = await calls_out(desk.server, "1001", phone)
            back = await is_called(desk.server, "1001", phone)
    assert peer.user_agent.startswith("baresip v")
    assert peer.transport == transport
    assert out.display == 'Ana "Ñ" Pérez'
    for one in (out, back):
        assert (one.digits, one.codec, one.encrypted) == ("1234", "ulaw", encryption == "yes")
    record.saw("baresip", peer.user_agent, transport, *told(out), "is called", "digits by rfc4733")
