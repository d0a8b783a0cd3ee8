"""What phone and server cannot tell each other at the end: the relay tells them."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.real.conversation import DIGITS, enough_audio, is_up
from tests.real.far_asterisk import PORTS
from tests.real.needs import need
from tests.real.networks import SERVER
from tests.real.record import Record
from tests.real.test_relay import VIA, at_work

pytestmark = pytest.mark.slow
PHONES = pytest.mark.parametrize("target, command", [("linphone", "linphonec"), ("baresip", "baresip")])


@PHONES
async def test_a_phone_that_was_killed_is_signed_off(folder: Path, target: str, command: str, record: Record) -> None:
    need(command)
    async with at_work(folder, target) as here:
        phone = await here.phone(target)
        peer = await here.server.registered("1001")
        os.killpg(phone.process.process.pid, signal.SIGKILL)  # type: ignore[attr-defined]
        await here.server.manager.event("PeerStatus", Peer="SIP/1001", PeerStatus="Unregistered")
        assert (await here.server.peer("1001")).address == "(null)"
    record.saw(target, peer.user_agent, VIA, "is signed off when it is killed")


@PHONES
async def test_a_call_outlives_its_websocket_and_not_its_server(
    folder: Path, target: str, command: str, record: Record
) -> None:
    need(command, "ss")
    async with at_work(folder, target) as here:
        phone = await here.phone(target)
        peer = await here.server.registered("1001")
        await phone.call("600")
        call = await is_up(here.server, "1001")
        cut_websocket()
        await here.service.until(lambda status: registered_anew(status["agents"][0]["relay"]["phones"][0]))
        await phone.press(DIGITS)
        assert (await here.server.heard("Digits", "1001"))["Digits"] == DIGITS
        await enough_audio(here.server, call["Channel"], after=await here.server.audio(call["Channel"]))
        await here.restart_server()
        over = {"linphone": "to LinphoneCallEnd", "baresip": "session closed"}[target]
        await phone.process.says(over)  # type: ignore[attr-defined]
        await here.service.until(lambda status: status["agents"][0]["relay"]["calls"] == 0)
    record.saw(target, peer.user_agent, VIA, "a call outlives a cut, and ends when the server has lost it")


def cut_websocket() -> None:
    """Reset the connection between relay and server."""
    subprocess.run(["ss", "--kill", "dst", SERVER, "dport", "=", str(PORTS.wss)], check=True)


def registered_anew(phone: dict[str, Any]) -> bool:
    """Whether it is registered over another WebSocket than its first."""
    return phone["reconnects"] >= 1 and phone["registration"] == "registered"
