"""Phones at a server with chan_pjsip: one of each kind, with the files that it gets for chan_sip."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from provisioner.demo.platform import SimulatedAgent
from tests.real.asterisk import Asterisk, asterisk
from tests.real.baresip import baresip
from tests.real.browser import browser
from tests.real.certificates import Certificates
from tests.real.conversation import Phone, calls_out, is_called
from tests.real.desk import Desk
from tests.real.linphone import linphonec
from tests.real.needs import need, need_asterisk, need_browser, need_pjsua
from tests.real.pjsip import Pjsip
from tests.real.pjsua import pjsua
from tests.real.record import Record

pytestmark = pytest.mark.slow


@pytest.fixture
async def server(network: None, folder: Path, trusted: Certificates) -> AsyncIterator[Asterisk]:
    """The SIP server."""
    need_asterisk()
    async with asterisk(folder / "asterisk", trusted, Pjsip) as one:
        yield one


def _phone(desk: Desk, target: str) -> AbstractAsyncContextManager[Phone]:
    match target:
        case "linphone":
            need("linphonec")
            return linphonec(desk, "ana")
        case "baresip":
            need("baresip")
            return baresip(desk, "ana")
        case "pjsua":
            need_pjsua()
            return pjsua(desk, "ana", "rfc2833")
        case _:
            need_browser()
            return browser(desk, "ana", target)


@pytest.mark.parametrize(
    "target, transport, encryption",
    [
        ("linphone", "udp", "yes"),
        ("baresip", "tcp", "no"),
        ("pjsua", "tls", "yes"),
        ("jssip", "wss", "yes"),
        ("sipjs", "wss", "yes"),
    ],
)
@pytest.mark.usefixtures("sound")
async def test_a_phone_calls_and_is_called_as_verify_said(
    desk: Desk, target: str, transport: str, encryption: str, record: Record
) -> None:
    row = {"transport": transport, "encryption": encryption, "allow": "ulaw;alaw"}
    ana = SimulatedAgent("ana", "pw-ana", "1001", row=row)
    # baresip does not find `localhost`.
    await desk.employ(
        ana, target, display_name="Ana Ñ Pérez", **({"server": "127.0.0.1"} if target == "baresip" else {})
    )
    async with desk.machine.running() as service:
        await service.logged_in("ana")
        said = await desk.machine.command("verify", "ana")
        async with _phone(desk, target) as phone:
            peer = await desk.server.registered("1001")
            out = await calls_out(desk.server, "1001", phone)
            back = await is_called(desk.server, "1001", phone)
    assert said.code == 0, said.out
    # A contact is `ws`, be it encrypted or not (RFC 7118).
    assert peer.transport == transport.replace("wss", "ws")
    assert out.display == "Ana Ñ Pérez"
    for one in (out, back):
        assert (one.digits, one.codec, one.encrypted) == ("1234", "ulaw", encryption == "yes")
    name = peer.user_agent.split()[0] if target == "pjsua" else peer.user_agent
    record.saw(target, name, transport, "calls and is called at chan_pjsip too")
