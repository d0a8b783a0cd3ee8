"""Phones that are gone without a word, and calls that are over without one: whom the relay tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from provisioner.core.sip.headers import Header, Headers
from provisioner.core.sip.message import Request, Response, print_message
from provisioner.core.sip.registration import RegistrationState
from provisioner.edge.relay_line import Patience
from tests.edge.handset import Phone, handset
from tests.edge.test_relay import KINDS, NAME, Bench, bench, only
from tests.machine import until
from tests.sip_server import SipServer, asked, ha1_of

SOON = Patience(absence=0.2, farewell=20.0)
LATE = Patience(absence=60.0, farewell=20.0)


@pytest.fixture
def server() -> SipServer:
    return SipServer({NAME: ha1_of(NAME)})


@pytest.fixture
async def desk(tmp_path: object, server: SipServer) -> AsyncIterator[Bench]:
    async with bench(tmp_path, server, patience=SOON) as one:
        yield one


def farewells(server: SipServer) -> list[Request]:
    return [one for one in server.requests("REGISTER") if one.headers.first("Expires") == "0"]


async def test_the_server_sends_no_calls_to_a_phone_that_was_killed(desk: Bench):
    async with handset(desk.port, NAME) as phone:
        await phone.registers()
        contact = desk.server.bindings[NAME].contact
    await desk.server.until(lambda: not desk.server.open_frames)
    assert desk.server.bindings == {} and desk.server.opened == 1
    assert farewells(desk.server)[-1].headers.first("Contact") == f"{contact};expires=0"


async def test_who_said_good_bye_is_not_said_good_bye_for(desk: Bench):
    async with handset(desk.port, NAME) as phone:
        await phone.registers()
        await phone.registers(expires=0)
    await desk.server.until(lambda: not desk.server.open_frames)
    assert len(farewells(desk.server)) == 2  # the phone's own, without and with a signature


async def test_a_good_bye_is_passed_on_though_the_phone_does_not_wait_for_its_answer(desk: Bench):
    async with handset(desk.port, NAME) as phone:
        await phone.registers()
        phone.wire.send(print_message(phone.request("REGISTER", Header("Expires", "0"))))
        await until(lambda: len(farewells(desk.server)) >= 1)
    await desk.server.until(lambda: not desk.server.open_frames)
    assert desk.server.bindings == {} and len(farewells(desk.server)) == 2


async def test_a_phone_that_comes_back_in_time_stays_registered(tmp_path: object, server: SipServer):
    async with bench(tmp_path, server, patience=Patience(absence=3.0)) as one:
        async with handset(one.port, NAME) as phone:
            await phone.registers()
            contact = server.bindings[NAME].contact
            first = server.bindings[NAME].frames
        async with handset(one.port, NAME) as phone:
            again = phone.request("REGISTER", Header("Expires", "60"), call_id="again")
            await phone.asks(replace(again, headers=again.headers.with_one("Contact", contact)))
            await server.until(lambda: first not in server.open_frames)
            assert server.bindings[NAME].frames is not first
            assert farewells(server) == [] and only(one.relay.state()).registration is RegistrationState.REGISTERED  # type: ignore[attr-defined]


async def test_calls_go_to_the_phone_that_is_left(desk: Bench):
    async with handset(desk.port, NAME) as left:
        await left.asks(left.request("REGISTER", Header("Expires", "60"), call_id="left"))
        contact = desk.server.bindings[NAME].contact
        async with handset(desk.port, NAME) as gone:
            await gone.registers()
            assert desk.server.bindings[NAME].contact != contact
        await desk.server.until(lambda: desk.server.bindings[NAME].contact == contact)
        assert farewells(desk.server) == [] and left.wire.arrived.empty()


async def test_a_browser_that_has_the_account_by_now_keeps_it(desk: Bench):
    async with handset(desk.port, NAME) as phone:
        await phone.registers()
        desk.server.bindings[NAME].contact = "<sip:1001@abc.invalid;transport=ws>"
    await desk.server.until(lambda: not desk.server.open_frames)
    assert farewells(desk.server) == [] and NAME in desk.server.bindings


async def test_callers_are_told_at_once_that_nobody_is_there(tmp_path: object, server: SipServer):
    async with bench(tmp_path, server, patience=LATE) as one:
        async with handset(one.port, NAME) as phone:
            await phone.registers()
            await server.ask(NAME, asked("INVITE", NAME, "rings"))
            await phone.hears()
        await server.until(lambda: refused(server) == ["rings"])
        await server.ask(NAME, asked("INVITE", NAME, "late"))
        await server.until(lambda: refused(server) == ["rings", "late"])
        await one.relay.close()  # nobody waits a minute
    assert server.bindings == {}


def refused(server: SipServer) -> list[str]:
    return [it.headers.first("Call-ID") for it in server.heard if isinstance(it, Response) and it.status == 480]


async def test_a_relay_that_closes_for_good_ends_registrations_and_one_that_starts_anew_does_not(
    tmp_path: object, server: SipServer
):
    for for_good, left in ((False, [NAME]), (True, [])):
        async with bench(tmp_path, server, patience=LATE) as one, handset(one.port, NAME) as phone:
            await phone.asks(phone.request("REGISTER", Header("Expires", "60"), call_id=f"{for_good}"))
            await one.relay.close(for_good=for_good)
            assert list(server.bindings) == left


async def test_a_server_that_says_nothing_is_not_waited_for(tmp_path: object, server: SipServer):
    hasty = Patience(absence=60.0, farewell=0.1)
    async with bench(tmp_path, server, patience=hasty) as one, handset(one.port, NAME) as phone:
        await phone.registers()
        server.deaf = True
        await asyncio.wait_for(one.relay.close(for_good=True), 20.0)


async def test_other_settings_do_not_wait_for_who_is_gone(tmp_path: object, server: SipServer):
    second = SipServer({NAME: ha1_of(NAME)})
    async with bench(tmp_path, server, patience=LATE) as one, bench(tmp_path, second) as other:
        async with handset(one.port, NAME) as phone:
            await phone.registers()
        await until(lambda: one.relay.state().phones == ())
        await one.relay.use(replace(one.account, server=other.account.server))
        assert server.bindings == {} and second.opened == 0


async def calls(desk: Bench, phone: Phone) -> None:
    """Two calls that are up: one of the phone's, one of the server's."""
    await phone.registers()
    await phone.asks(phone.request("INVITE", call_id="out"))
    await desk.server.ask(NAME, asked("INVITE", NAME, "in"))
    ringing = await phone.hears()
    answer = Header("Contact", "<sip:1001@127.0.0.1:5062>")
    fields = [one for one in ringing.headers.fields if one.key in ("via", "from", "call-id", "cseq")]
    to = Header("To", f"{ringing.headers.first('To')};tag=phone")
    phone.wire.send(print_message(Response(200, "OK", Headers((*fields, to, answer)))))
    await desk.server.until(lambda: any(isinstance(it, Response) and it.status == 200 for it in desk.server.heard))


@KINDS
async def test_a_call_that_a_server_does_not_know_after_its_restart_ends_at_the_phone(desk: Bench, kind: str):
    async with handset(desk.port, NAME, kind) as phone:
        await calls(desk, phone)
        await desk.server.cut()
        heard = [await phone.hears() for _ in range(2)]
        assert [(it.method, it.headers.first("Call-ID")) for it in heard if isinstance(it, Request)] == [
            ("BYE", "out"), ("BYE", "in"),
        ]  # fmt: skip
        assert desk.relay.state().calls == 0


async def test_a_call_that_the_server_still_knows_goes_on(desk: Bench):
    async with handset(desk.port, NAME) as phone:
        await calls(desk, phone)
        await desk.server.cut(forgets=False)
        await desk.server.until(lambda: len(desk.server.requests("INFO")) == 2)
        assert (await phone.registers()).status == 200
        assert [it for it in phone.others if isinstance(it, Request)] == []
        assert desk.relay.state().calls == 2


async def test_another_server_is_not_asked_for_calls_that_it_cannot_know(
    tmp_path: object, server: SipServer, desk: Bench
):
    second = SipServer({NAME: ha1_of(NAME)})
    async with bench(tmp_path, second) as other, handset(desk.port, NAME) as phone:
        await calls(desk, phone)
        await desk.relay.use(replace(desk.account, server=other.account.server))
        await second.until(lambda: NAME in second.bindings)
        assert (await phone.registers()).status == 200
        assert second.requests("INFO") == [] and desk.relay.state().calls == 2
        await desk.relay.use(desk.account)
