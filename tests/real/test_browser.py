"""Phones in a real Chromium, over wss at a real Asterisk, with what the program wrote and nothing else."""

from __future__ import annotations

import pytest

from provisioner.demo.platform import SimulatedAgent
from tests.real.browser import browser
from tests.real.conversation import DTMF, calls_out, is_called, told
from tests.real.desk import Desk
from tests.real.needs import need_browser
from tests.real.record import Record

pytestmark = pytest.mark.slow

# SIP.js 0.21.2 says that it is 0.21.1.
AGENTS = {"jssip": "JsSIP 3.13.8", "sipjs": "SIP.js/0.21.1", "browser-phone": "SIP.js/0.20.0"}
# The Browser Phone itself is in no package.
PHONES = AGENTS | {"browser-phone": "SIP.js/0.20.0 in a page that reads the same settings"}


@pytest.mark.parametrize(
    "target, dtmfmode",
    [
        ("jssip", "rfc2833"),
        ("jssip", "info"),
        ("sipjs", "rfc2833"),
        ("sipjs", "info"),
        ("browser-phone", "rfc2833"),
    ],
)
async def test_a_page_registers_calls_and_is_called(desk: Desk, target: str, dtmfmode: str, record: Record) -> None:
    need_browser()
    # The Browser Phone takes no name with quotes.
    display = "Ana Ñ Pérez" if target == "browser-phone" else 'Ana "Ñ" Pérez'
    row = {"transport": "wss", "encryption": "yes", "dtmfmode": dtmfmode, "allow": "gsm;ulaw;alaw"}
    ana = SimulatedAgent("ana", "pw-ana", "1001", row=row)
    await desk.employ(ana, target, display_name=display)
    async with desk.machine.running() as service:
        await service.logged_in("ana")
        async with browser(desk, "ana", target) as phone:
            peer = await desk.server.registered("1001")
            out = await calls_out(desk.server, "1001", phone)
            back = await is_called(desk.server, "1001", phone)
    # A contact is `ws`, be it encrypted or not (RFC 7118); it is wss because the server takes nothing else.
    assert (peer.user_agent, peer.allowed) == (AGENTS[target], "wss")
    assert peer.transport in ("ws", "wss")
    assert out.display == display
    for one in (out, back):
        assert (one.digits, one.codec, one.encrypted) == ("1234", "ulaw", True)
    record.saw(target, PHONES[target], "wss", *told(out), "is called", f"digits by {DTMF[dtmfmode]}")
