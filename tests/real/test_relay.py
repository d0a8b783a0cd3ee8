"""Native phones on an account that allows only wss: registered, calling and called through the relay.

The phone's file is what the program wrote; it holds no secret of the platform.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from provisioner.demo.platform import SimulatedAgent, SimulatedPlatform, row_of, serve
from tests.machine import Machine, Service
from tests.real.ami import Message
from tests.real.asterisk import Asterisk
from tests.real.baresip import baresip
from tests.real.conversation import DIGITS, Phone, enough_audio, is_up
from tests.real.desk import Desk, rotated
from tests.real.far_asterisk import FarAsterisk, FarPjsip, FarSix, Kind, certificates_for, far_asterisk, restarted
from tests.real.linphone import linphone_desktop, linphonec, takes_bundle
from tests.real.needs import need, need_asterisk, need_linphone_desktop
from tests.real.networks import SERVER, Far, two_networks
from tests.real.processes import Command, running
from tests.real.record import Record
from tests.real.sound import sound_card
from tests.real.twinkle import twinkle

pytestmark = pytest.mark.slow

ROW = {"transport": "wss", "encryption": "yes", "dtmfmode": "rfc2833", "nat": "no", "allow": "alaw;ulaw"}
ANA = SimulatedAgent("ana", "pw-ana", "1001", row=ROW)
VIA = "wss through the relay"


@dataclass
class Here:
    """The desk, with the service running."""

    desk: Desk
    service: Service
    server: Asterisk
    stack: AsyncExitStack
    server_stack: AsyncExitStack
    far: Far

    async def phone(self, target: str) -> Phone:
        if target == "linphone":
            return await self.stack.enter_async_context(linphonec(self.desk, "ana"))
        if target == "twinkle":
            return await self.stack.enter_async_context(twinkle(self.desk, "ana", "1001"))
        return await self.stack.enter_async_context(baresip(self.desk, "ana"))

    async def restart_server(self) -> None:
        """With all registrations forgotten, and no word to anybody: as after a power cut."""
        await self.server.forget("1001")
        os.killpg(self.server.process.process.pid, signal.SIGKILL)
        folder, certificates = self.server.folder, self.server.certificates
        await self.server_stack.aclose()
        self.server = await self.server_stack.enter_async_context(
            restarted(folder, certificates, self.far, type(self.server))
        )

    async def talks(self, phone: Phone) -> Message:
        """A call that is up: digits, then audio both ways, and the phone hangs up."""
        call = await is_up(self.server, "1001")
        await phone.press(DIGITS)
        digits = await self.server.heard("Digits", "1001")
        assert digits["Digits"] == DIGITS
        await enough_audio(self.server, call["Channel"])
        await phone.hang_up()
        await self.server.heard("End", "1001")
        return call

    async def no_call(self) -> None:
        """Wait until the relay counts no call any more: it hears of an end after the server."""
        await self.service.until(lambda status: status["agents"][0]["relay"]["calls"] == 0)

    async def relay(self) -> dict[str, object]:
        [agent] = (await self.service.status())["agents"]
        return agent["relay"]

    def without_sound(self) -> None:
        """For calls that ring: PulseAudio keeps ALSA waiting now and then when a ring ends, and baresip with it."""
        (self.desk.home("ana") / ".asoundrc").write_text("pcm.!default null\n")

    def no_secret(self) -> bool:
        files = [path for path in self.desk.home("ana").rglob("*") if path.is_file()]
        row = row_of(self.server.agents["1001"], "a-token", SERVER)
        secrets = [str(row[key]) for key in ("md5secret", "secret") if row.get(key)]
        assert secrets
        return not any(secret in _text(path) for path in files for secret in secrets)


def _text(path: Path) -> str:
    with suppress(FileNotFoundError):  # phones have files that come and go, as journals of SQLite
        return path.read_text(errors="replace")
    return ""


async def hung_up_by(phone: Phone, hangup: Coroutine[Any, Any, Message]) -> Message:
    """The server's word that ``phone`` has hung up: once more where it was not heard while the phone began to ring."""
    gone = asyncio.ensure_future(hangup)
    while not gone.done():
        await phone.hang_up()
        await asyncio.wait([gone], timeout=2.0)
    return gone.result()


@asynccontextmanager
async def at_work(
    folder: Path,
    *targets: object,
    nat: bool = False,
    relay: object = "auto",
    kind: Kind = FarAsterisk,
    **account: object,
) -> AsyncIterator[Here]:
    """The service runs, and ana is logged in; ``account`` is as in the YAML. With ``nat`` there is a router on the way,
    and a STUN server beyond it."""
    need_asterisk()
    need("ip", "nsenter", "pulseaudio")
    trusted = certificates_for(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(trusted.server)
    host = kind.address
    platform = SimulatedPlatform(domain=host)
    async with AsyncExitStack() as stack:
        far = await stack.enter_async_context(two_networks(nat=nat, six=host != SERVER))
        server_stack = await stack.enter_async_context(AsyncExitStack())
        server = await server_stack.enter_async_context(far_asterisk(folder / "asterisk", trusted, far, kind))
        url = (await stack.enter_async_context(serve(platform, context))).replace("127.0.0.1", "localhost")
        machine = Machine(folder / "machine", url)
        said = {"url": url, "ca_file": str(trusted.authority), "domain": host,
                "websocket": {"host": host, "port": server.ports.wss}}  # fmt: skip
        if nat:
            await stack.enter_async_context(running(_stun_server(far, folder)))
            said["stun"] = [f"{SERVER}:3478"]
        machine.main.write_text(json.dumps({"platform": said, "login": {"splay": "0s"}, "watch": {"settle": "50ms"}}))
        desk = Desk(folder, platform, machine, server)
        desk.environment |= await stack.enter_async_context(sound_card(folder))
        platform.put(ANA)
        await server.put(ANA)
        lines = [
            f"  targets: {json.dumps(targets)}",
            f"  account: {json.dumps(account)}",
            f"  relay: {json.dumps(relay)}",
        ]
        machine.agent("ana", *lines, password=ANA.password)
        service = await stack.enter_async_context(machine.running())
        await service.logged_in("ana")
        yield Here(desk, service, server, stack, server_stack, far)


def _stun_server(far: Far, folder: Path) -> Command:
    arguments = ["turnserver", "-n", "--stun-only", "--no-tls", "--no-dtls", "--no-cli", "--log-file=stdout",
                 f"--listening-ip={SERVER}", f"--pidfile={folder}/turnserver.pid"]  # fmt: skip
    return Command(far.inside(*arguments), folder / "turnserver.log")


@pytest.mark.parametrize("target, command", [("linphone", "linphonec"), ("baresip", "baresip")])
async def test_behind_nat_a_stun_server_gives_calls_their_sound(folder: Path, target: str, command: str) -> None:
    need(command, "nft", "turnserver")
    async with at_work(folder, target, nat=True) as here:
        phone = await here.phone(target)
        await here.server.registered("1001")
        await phone.call("600")
        await here.talks(phone)
        await here.server.call("1001")
        await phone.answer()
        await here.talks(phone)


@pytest.mark.parametrize("target, command", [("linphone", "linphonec"), ("baresip", "baresip")])
async def test_it_registers_calls_and_is_called(folder: Path, target: str, command: str, record: Record) -> None:
    need(command)
    async with at_work(folder, target) as here:
        phone = await here.phone(target)
        peer = await here.server.registered("1001")
        await phone.call("600")
        out = await here.talks(phone)
        await here.server.call("1001")
        await phone.answer()
        back = await here.talks(phone)
        assert here.no_secret()
        await here.no_call()
    assert peer.transport == "ws"  # so the server calls it over TLS too; its peer allows nothing but wss
    assert (out["Encrypted"], back["Encrypted"]) == ("1", "1")
    record.saw(target, peer.user_agent, VIA, "registers", "calls", "is called", "audio both ways", "digits by rfc4733")


async def test_twinkle_registers(folder: Path, record: Record) -> None:
    need("twinkle-console")
    async with at_work(folder, "twinkle", media_encryption="none") as here:
        await here.phone("twinkle")
        peer = await here.server.registered("1001")
    assert (peer.transport, peer.allowed) == ("ws", "wss")
    record.saw("twinkle", peer.user_agent, VIA, "registers")


@pytest.mark.parametrize("target, command", [("linphone", "linphonec"), ("baresip", "baresip")])
async def test_a_restart_of_the_server_costs_the_phone_nothing(folder: Path, target: str, command: str) -> None:
    need(command)
    async with at_work(folder, target) as here:
        await here.phone(target)
        await here.server.registered("1001")
        await here.restart_server()
        await here.server.knows("1001")  # perhaps before anybody could listen


@pytest.mark.parametrize("target, command", [("linphone", "linphonec"), ("baresip", "baresip")])
async def test_another_hash_is_taken_over_without_a_word_to_the_phone(folder: Path, target: str, command: str) -> None:
    need(command)
    async with at_work(folder, target) as here:
        phone = await here.phone(target)
        await here.server.registered("1001")
        here.desk.platform.put(rotated(ANA))
        await here.server.put(rotated(ANA))
        assert (await here.desk.machine.command("refresh", "ana")).code == 0
        await phone.call("600")
        await here.talks(phone)
        assert here.server.refusals() == []


@pytest.mark.parametrize("target, command", [("linphone", "linphonec"), ("baresip", "baresip")])
async def test_a_call_is_counted_while_it_lasts(folder: Path, target: str, command: str) -> None:
    need(command)
    async with at_work(folder, target) as here:
        phone = await here.phone(target)
        await here.server.registered("1001")
        await phone.call("600")
        await here.server.heard("Call", "1001")
        assert (await here.relay())["calls"] == 1
        await here.server.hang_up("1001")
        await here.server.heard("End", "1001")
        await here.no_call()


@pytest.mark.parametrize("target, command", [("linphone", "linphonec"), ("baresip", "baresip")])
async def test_a_call_is_asked_for_anew_and_held_and_taken_up_again(
    folder: Path, target: str, command: str, record: Record
) -> None:
    need(command)
    asked, hold, resume = {
        "linphone": ("LinphoneCallUpdatedByRemote to LinphoneCallStreamsRunning", "pause", "resume 1"),
        "baresip": ("call: got re-INVITE", "/hold", "/resume"),
    }[target]
    async with at_work(folder, target) as here:
        phone = await here.phone(target)
        peer = await here.server.registered("1001")
        await phone.call("600")
        call = await is_up(here.server, "1001")
        await here.server.other_end(call["Channel"], "777")  # asked anew by the server
        await phone.process.says(asked)  # type: ignore[attr-defined]
        await phone.process.type(hold)  # type: ignore[attr-defined]
        await here.server.manager.event("Hold", Channel=call["Channel"])
        if target == "linphone":
            await phone.process.says("to LinphoneCallPaused")  # type: ignore[attr-defined]
        await phone.process.type(resume)  # type: ignore[attr-defined]
        await here.server.manager.event("Unhold", Channel=call["Channel"])
        await phone.hang_up()
        await here.server.heard("End", "1001")
    record.saw(target, peer.user_agent, VIA, "holds and resumes", "is asked anew in a call")


@pytest.mark.parametrize("target, command", [("linphone", "linphonec"), ("baresip", "baresip")])
async def test_a_call_is_given_up_before_it_is_answered(
    folder: Path, target: str, command: str, record: Record
) -> None:
    need(command)
    async with at_work(folder, target) as here:
        here.without_sound()
        phone = await here.phone(target)
        peer = await here.server.registered("1001")
        await phone.call("602")
        ringing = await here.server.manager.event("Newchannel", Exten="602")
        await here.service.until(lambda status: status["agents"][0]["relay"]["calls"] == 1)
        heard = {"linphone": "to LinphoneCallOutgoingRinging", "baresip": "SIP Progress: 1"}[target]
        await phone.process.says(heard)  # type: ignore[attr-defined]
        await hung_up_by(phone, here.server.manager.event("Hangup", Channel=ringing["Channel"]))
        await here.no_call()
    record.saw(target, peer.user_agent, VIA, "cancels")


@pytest.mark.parametrize("target, command", [("linphone", "linphonec"), ("baresip", "baresip")])
async def test_a_call_is_declined(folder: Path, target: str, command: str, record: Record) -> None:
    need(command)
    async with at_work(folder, target) as here:
        here.without_sound()
        phone = await here.phone(target)
        peer = await here.server.registered("1001")
        by_hand = {"linphone": "autoanswer disable", "baresip": "/answermode manual"}[target]
        done = {"linphone": "Auto answer disabled.", "baresip": "Answer mode changed to: manual"}[target]
        await phone.process.type(by_hand)  # type: ignore[attr-defined]
        await phone.process.says(done)  # type: ignore[attr-defined]
        await here.server.call("1001")
        await here.server.rings("1001")
        gone = here.server.manager.event("Hangup", lambda event: event["Channel"].startswith("SIP/1001-"))
        assert (await hung_up_by(phone, gone))["Cause"] in ("17", "21")  # busy, or rejected
        await here.no_call()
    record.saw(target, peer.user_agent, VIA, "declines")


@pytest.mark.parametrize("target, command", [("linphone", "linphonec"), ("baresip", "baresip")])
async def test_a_call_is_given_to_somebody_else(folder: Path, target: str, command: str, record: Record) -> None:
    need(command)
    transfer = {"linphone": "transfer 603", "baresip": "/transfer 603"}[target]
    async with at_work(folder, target) as here:
        phone = await here.phone(target)
        peer = await here.server.registered("1001")
        await here.server.call("1001")
        await phone.answer()
        await is_up(here.server, "1001")
        await phone.process.type(transfer)  # type: ignore[attr-defined]
        await here.server.manager.event("BlindTransfer", Extension="603")
    record.saw(target, peer.user_agent, VIA, "transfers")


async def test_waiting_messages_are_told_to_linphone(folder: Path, record: Record) -> None:
    need("linphonec")
    async with at_work(folder, "linphone") as here:
        phone = await here.phone("linphone")
        peer = await here.server.registered("1001")
        # The server tells it unasked. This Linphone shows nothing of it, but says that it has heard.
        await phone.process.says("Messages-Waiting: no")  # type: ignore[attr-defined]
    record.saw("linphone", peer.user_agent, VIA, "hears of waiting messages")


async def test_baresip_subscribes_to_waiting_messages(folder: Path, record: Record) -> None:
    need("baresip")
    async with at_work(folder, {"target": "baresip", "options": {"mwi": "yes"}}) as here:
        phone = await here.phone("baresip")
        peer = await here.server.registered("1001")
        await phone.process.says("MWI for sip:1001@")  # type: ignore[attr-defined]
        await phone.process.says("Messages-Waiting: no")  # type: ignore[attr-defined]
    record.saw("baresip", peer.user_agent, VIA, "subscribes to waiting messages")


async def test_in_pass_mode_linphone_answers_with_its_own_hash(folder: Path) -> None:
    need("linphonec")
    async with at_work(folder, "linphone", relay={"mode": "pass"}) as here:
        phone = await here.phone("linphone")
        await here.server.registered("1001")
        assert not here.no_secret()
        await phone.call("600")
        await here.talks(phone)


async def test_the_desktop_linphone_registers_too(folder: Path, record: Record) -> None:
    need_linphone_desktop()
    async with at_work(folder, "linphone") as here:
        await here.stack.enter_async_context(linphone_desktop(here.desk, "ana"))
        peer = await here.server.registered("1001")
    assert peer.user_agent.startswith("Linphone Desktop/")
    record.saw("linphone", peer.user_agent, VIA, "registers")


async def test_linphone_calls_and_is_called_at_a_server_with_an_ipv6_address(folder: Path, record: Record) -> None:
    need("linphonec")
    async with at_work(folder, "linphone", kind=FarSix) as here:
        phone = await here.phone("linphone")
        peer = await here.server.registered("1001")
        await phone.call("600")
        await here.talks(phone)
        await here.server.call("1001")
        await phone.answer()
        await here.talks(phone)
    record.saw("linphone", peer.user_agent, VIA, "calls and is called at a server with an IPv6 address")


@pytest.mark.parametrize("target, command", [("linphone", "linphonec"), ("baresip", "baresip")])
async def test_it_calls_and_is_called_at_chan_pjsip_too(
    folder: Path, target: str, command: str, record: Record
) -> None:
    need(command)
    async with at_work(folder, target, kind=FarPjsip) as here:
        phone = await here.phone(target)
        peer = await here.server.registered("1001")
        await phone.call("600")
        await here.talks(phone)
        await here.server.call("1001")
        if target == "linphone" and not takes_bundle():
            # And `webrtc=yes` makes no other offer: README says so.
            await phone.process.says("negotiated SDP is empty")  # type: ignore[attr-defined]
            await phone.process.says("SIP/2.0 488 Not acceptable here")  # type: ignore[attr-defined]
            return
        await phone.answer()
        await here.talks(phone)
    record.saw(target, peer.user_agent, VIA, "calls and is called at chan_pjsip too")
