"""The relay on real sockets: phones over TCP and UDP, the server over a verified WebSocket."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby

import pytest
import trustme

from provisioner.core.account import Credential, Proof, Transport
from provisioner.core.problem import ProvisionerError
from provisioner.core.secret import Secret
from provisioner.core.sip.headers import Header
from provisioner.core.sip.message import Request, Response, print_message
from provisioner.core.sip.registration import RegistrationState
from provisioner.core.sip.sides import Link
from provisioner.core.sip.trial import Address, Obstacle
from provisioner.edge.relay import MOST_PHONES, Around, Relay, RelayAccount, RelayState, bound
from provisioner.edge.relay_line import PATIENCE, Patience, Server
from provisioner.edge.socket_owner import SocketOwners
from provisioner.edge.trust import tls_context
from tests.edge.handset import Phone, handset
from tests.machine import until
from tests.ports import free_port
from tests.registrar import server_side
from tests.sip_server import SipServer, asked, ha1_of, sip_server

NAME = "1001"
KINDS = pytest.mark.parametrize("kind", ["tcp", "udp"])


def credential(password: str = "pw") -> Credential:
    return Credential(NAME, "asterisk", Secret(ha1_of(NAME, password)), None, Proof.PROVEN)


@dataclass
class Bench:
    """A server, a relay, and what was told of it."""

    server: SipServer
    relay: Relay
    owners: SocketOwners
    authority: str
    account: RelayAccount
    changes: list[RelayState] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.relay.port

    def phone(self, kind: str = "tcp") -> object:
        return handset(self.port, NAME, kind)


def at(port: int, authority: str) -> Server:
    address = Address(Transport.WSS, "localhost", port, f"wss://localhost:{port}/ws")
    return Server(address, tls_context(authority))


@asynccontextmanager
async def bench(
    folder: object, server: SipServer, password: str = "pw", *, answers: bool = True, patience: Patience = PATIENCE
) -> AsyncIterator[Bench]:
    authority = trustme.CA()
    file = f"{folder}/authority.pem"
    authority.cert_pem.write_to_path(file)
    owners = SocketOwners()
    async with sip_server(server, server_side(authority)) as port, asyncio.TaskGroup() as group:
        account = RelayAccount(NAME, credential(password), answers, at(port, file), os.getuid())
        relay = Relay(account, Around(owners, group.create_task, lambda: one.changes.append(relay.state()), patience))
        one = Bench(server, relay, owners, file, account)
        relay.open(*bound(free_port()))
        try:
            yield one
        finally:
            await relay.close()
            owners.close()


@pytest.fixture
def server() -> SipServer:
    return SipServer({NAME: ha1_of(NAME)})


@pytest.fixture
async def desk(tmp_path: object, server: SipServer) -> AsyncIterator[Bench]:
    async with bench(tmp_path, server) as one:
        yield one


def only(state: RelayState) -> object:
    [phone] = state.phones
    return phone


@KINDS
async def test_a_phone_without_credential_registers_calls_and_is_called(desk: Bench, kind: str):
    async with handset(desk.port, NAME, kind) as phone:
        assert (await phone.registers()).status == 200
        assert "transport=ws" in desk.server.bindings[NAME].contact
        call = phone.request("INVITE", call_id="call")
        answer = await phone.asks(call)
        assert (answer.status, answer.headers.first("Via")) == (200, call.headers.first("Via"))
        assert [one.status for one in phone.others if isinstance(one, Response)] == [100, 180]
        await desk.server.ask(NAME, asked("INVITE", NAME, "back"))
        ringing = await phone.hears()
        assert isinstance(ringing, Request) and ringing.method == "INVITE"
        assert desk.relay.state().calls == 2
        assert (await phone.asks(phone.request("BYE", call_id="call"))).status == 200
        assert desk.relay.state().calls == 1


@KINDS
async def test_the_answer_of_the_phone_reaches_the_server_by_its_own_via(desk: Bench, kind: str):
    async with handset(desk.port, NAME, kind) as phone:
        await phone.registers()
        question = asked("OPTIONS", NAME, "qualify")
        await desk.server.ask(NAME, question)
        heard = await phone.hears()
        names = ("via", "from", "to", "call-id", "cseq")
        fields = tuple(one for one in heard.headers.fields if one.key in names)
        phone.wire.send(print_message(Response(200, "OK", type(heard.headers)(fields))))
        await desk.server.until(lambda: any(isinstance(one, Response) for one in desk.server.heard))
    [answer] = [one for one in desk.server.heard if isinstance(one, Response)]
    assert list(answer.headers.every("Via")) == [question.headers.first("Via")]


@KINDS
async def test_a_restart_of_the_server_is_not_noticed(desk: Bench, kind: str):
    async with handset(desk.port, NAME, kind) as phone:
        await phone.registers()
        await desk.server.cut()
        await desk.server.until(lambda: NAME in desk.server.bindings)
        assert phone.wire.arrived.empty()
        await until(lambda: only(desk.relay.state()).registration is RegistrationState.REGISTERED)  # type: ignore[attr-defined]
        state = only(desk.relay.state())
        assert (state.link, state.reconnects, desk.server.opened) == (Link.UP, 1, 2)  # type: ignore[attr-defined]
        assert (await phone.registers()).status == 200


async def test_while_the_server_is_away_phones_are_told_so_and_when_to_come_again(tmp_path: object, server: SipServer):
    async with bench(tmp_path, server) as one:
        await one.relay.use(replace(one.account, server=at(free_port(), one.authority)))
        async with handset(one.port, NAME) as phone:
            answer = await phone.registers()
            assert (answer.status, answer.headers.first("Retry-After")) == (503, "5")
            state = only(one.relay.state())
            assert (state.link, state.failure.obstacle) == (Link.AWAY, Obstacle.REFUSED)  # type: ignore[attr-defined]
            await one.relay.use(one.account)
            await server.until(lambda: NAME in server.bindings)


async def test_a_server_that_cannot_prove_who_it_is_hears_nothing(tmp_path: object, server: SipServer):
    async with bench(tmp_path, server) as one:
        other = f"{tmp_path}/other.pem"
        trustme.CA().cert_pem.write_to_path(other)
        wrong = replace(one.account.server, tls=tls_context(other))
        await one.relay.use(replace(one.account, server=wrong))
        async with handset(one.port, NAME) as phone:
            assert (await phone.registers()).status == 503
            failure = only(one.relay.state()).failure  # type: ignore[attr-defined]
    assert failure.obstacle is Obstacle.CERTIFICATE and server.opened == 0


async def test_a_server_that_does_not_agree_to_sip_hears_nothing(tmp_path: object, server: SipServer):
    server.subprotocols = ()
    async with bench(tmp_path, server) as one, handset(one.port, NAME) as phone:
        assert (await phone.registers()).status == 503
        failure = only(one.relay.state()).failure  # type: ignore[attr-defined]
    assert failure.obstacle is Obstacle.NO_SUBPROTOCOL and server.heard == []


async def test_a_new_hash_registers_a_refused_phone_and_leaves_connection_and_call_alone(
    tmp_path: object, server: SipServer
):
    async with bench(tmp_path, server, "old") as one, handset(one.port, NAME) as phone:
        assert (await phone.registers()).status == 403
        assert (await phone.registers()).status == 403
        assert server.refused == 1 and one.relay.state().refused
        await one.relay.use(replace(one.account, credential=credential()))
        await server.until(lambda: NAME in server.bindings)
        assert server.opened == 1 and not one.relay.state().refused
        await phone.asks(phone.request("INVITE", call_id="call"))
        server.users[NAME] = ha1_of(NAME, "newer")
        await one.relay.use(replace(one.account, credential=credential("newer")))
        assert (await phone.registers()).status == 200
        assert server.opened == 1 and one.relay.state().calls == 1


async def test_settings_that_move_the_server_move_the_phone(tmp_path: object, server: SipServer, desk: Bench):
    async with handset(desk.port, NAME) as phone:
        await phone.registers()
        second = SipServer({NAME: ha1_of(NAME)})
        async with bench(tmp_path, second) as other:
            await desk.relay.use(replace(desk.account, server=other.account.server))
            await second.until(lambda: NAME in second.bindings)
            await server.until(lambda: not server.open_frames)
            assert (await phone.registers()).status == 200
            await desk.relay.use(desk.account)


async def test_a_phone_that_hangs_up_while_it_is_moved_takes_its_websocket_with_it(tmp_path: object, server: SipServer):
    second = SipServer({NAME: ha1_of(NAME)})
    async with bench(tmp_path, server, answers=False) as one, bench(tmp_path, second) as other:
        here, there = one.account, replace(one.account, server=other.account.server)
        for moment in range(20):
            async with handset(one.port, NAME) as phone:
                await phone.asks(phone.request("OPTIONS", call_id=f"{moment}"))
                moving = asyncio.ensure_future(one.relay.use(there))
                for _ in range(moment):
                    await asyncio.sleep(0)
                phone.wire.transport.abort()
                await moving
            await until(lambda: one.relay.state().phones == ())
            await one.relay.use(here)
            await server.until(lambda: not server.open_frames)
            await second.until(lambda: not second.open_frames)
    # What was left behind would open its WebSocket again now, of a session that is closed.


async def test_in_pass_mode_the_challenge_reaches_the_phone(tmp_path: object, server: SipServer):
    async with bench(tmp_path, server, answers=False) as one, handset(one.port, NAME) as phone:
        assert (await phone.registers()).status == 401


async def test_a_websocket_on_which_nobody_lives_is_opened_anew(tmp_path: object, server: SipServer):
    server.pongs = False
    hasty = Patience(ping_every=0.05, pong_within=0.1)
    async with bench(tmp_path, server, patience=hasty) as one, handset(one.port, NAME) as phone:
        await phone.registers()
        await server.until(lambda: server.opened >= 2)
        assert only(one.relay.state()).reconnects >= 1  # type: ignore[attr-defined]


async def test_a_server_that_asks_for_a_sign_of_life_and_hangs_up_at_once_is_connected_anew(
    desk: Bench, server: SipServer
):
    async with handset(desk.port, NAME) as phone:
        await phone.registers()
        [frames] = server.open_frames
        await frames.ping()
        assert frames._req is not None and frames._req.transport is not None
        frames._req.transport.close()  # over TLS both can be read at once
        await server.until(lambda: server.opened == 2)
        assert (await phone.registers()).status == 200


async def test_a_websocket_that_answers_pings_is_kept(tmp_path: object, server: SipServer):
    hasty = Patience(ping_every=0.02, pong_within=5.0)
    async with bench(tmp_path, server, patience=hasty) as one, handset(one.port, NAME) as phone:
        await phone.registers()
        await server.until(lambda: server.pings >= 5)
        await phone.registers()
        assert server.opened == 1


@KINDS
async def test_a_phone_that_does_nothing_is_gone_after_a_while(tmp_path: object, server: SipServer, kind: str):
    async with bench(tmp_path, server, patience=Patience(idle=1.0)) as one, handset(one.port, NAME, kind) as phone:
        await phone.asks(phone.request("INVITE", call_id="call"))  # in a call it may take its time
        phone.wire.send(print_message(phone.request("BYE", call_id="call")))
        await server.until(lambda: server.opened == 1 and not server.open_frames)
        await until(lambda: one.relay.state().phones == ())


async def test_a_phone_that_registers_or_calls_is_not_idle(tmp_path: object, server: SipServer):
    async with (
        bench(tmp_path, server, patience=Patience(idle=1.0)) as one,
        handset(one.port, NAME) as registered,
    ):
        await registered.asks(registered.request("INVITE", call_id="first"))  # in a call it may take its time
        await registered.registers()
        await registered.asks(registered.request("BYE", call_id="first"))
        async with handset(one.port, NAME) as calling, handset(one.port, NAME) as idle:
            calling.wire.send(print_message(calling.request("INVITE", call_id="second")))
            idle.wire.send(print_message(idle.request("OPTIONS")))
            await idle.hears_the_end()
            await until(lambda: len(one.relay.state().phones) == 2)


async def test_a_browser_that_takes_the_account_is_noticed(desk: Bench, server: SipServer):
    async with handset(desk.port, NAME) as phone:
        await phone.registers(expires=1)
        server.bindings[NAME].contact = "<sip:1001@abc.invalid;transport=ws>"
        await until(lambda: only(desk.relay.state()).registration is RegistrationState.DISPLACED)  # type: ignore[attr-defined]
        assert phone.wire.arrived.empty()
        await phone.registers()
        assert only(desk.relay.state()).registration is RegistrationState.REGISTERED  # type: ignore[attr-defined]


@KINDS
async def test_what_is_too_large_is_refused_before_it_leaves(desk: Bench, kind: str):
    async with handset(desk.port, NAME, kind) as phone:
        await phone.registers()
        count = len(desk.server.heard)
        body = b"x" * 64_000 if kind == "tcp" else b"x" * 64_400
        assert (await phone.asks(phone.request("MESSAGE", body=body))).status == 513
        assert len(desk.server.heard) == count


@KINDS
async def test_a_keep_alive_is_answered_and_goes_no_further(desk: Bench, kind: str):
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as one:
        one.setblocking(False)
        await loop.sock_connect(one, ("127.0.0.1", desk.port))
        await loop.sock_sendall(one, b"\r\n\r\n")
        assert await asyncio.wait_for(loop.sock_recv(one, 100), 10) == b"\r\n"
    assert desk.server.opened == 0


async def test_a_stream_in_pieces_of_seven_bytes_is_understood(desk: Bench):
    async with handset(desk.port, NAME) as phone:
        request = phone.request("REGISTER", Header("Expires", "60"))
        packet = print_message(request)
        for start in range(0, len(packet), 7):
            phone.wire.send(packet[start : start + 7])
            await asyncio.sleep(0)
        assert (await phone.answer_to(request)).status == 200


@pytest.mark.parametrize(
    "junk", [b"GET / HTTP/1.1\r\n\r\n", b"\0" * 70_000, b"OPTIONS sip:a SIP/2.0\r\nVia: x\r\nl: 0\r\n\r\n"]
)
async def test_what_is_no_sip_ends_the_connection(desk: Bench, junk: bytes):
    async with handset(desk.port, NAME) as phone:
        phone.wire.send(junk)
        await phone.hears_the_end()
    assert desk.server.heard == []


async def test_over_udp_junk_is_dropped_and_a_copy_does_not_reach_the_server(desk: Bench):
    async with handset(desk.port, NAME, "udp") as phone:
        phone.wire.send(b"junk")
        request = phone.request("REGISTER", Header("Expires", "60"))
        first = await phone.asks(request)
        assert await phone.asks(request) == first
    assert len(desk.server.requests("REGISTER")) == 2


async def test_a_packet_that_could_not_be_passed_on_later_stops_nobody(desk: Bench):
    async with handset(desk.port, NAME, "udp") as phone:
        call = phone.request("INVITE")
        phone.wire.send(print_message(replace(call, headers=call.headers.with_one("Max-Forwards", "many"))))
        assert (await phone.registers()).status == 200


async def test_another_account_is_refused(desk: Bench):
    async with handset(desk.port, "1002") as phone:
        assert (await phone.registers()).status == 403
    assert desk.server.requests("REGISTER") == []


async def test_no_more_phones_than_a_user_can_have(desk: Bench):
    async with asyncio.TaskGroup() as group:
        ready, done = asyncio.Barrier(MOST_PHONES + 1), asyncio.Event()

        async def one_phone() -> None:
            async with handset(desk.port, NAME) as phone:
                await phone.registers()
                await ready.wait()
                await done.wait()

        for _ in range(MOST_PHONES):
            group.create_task(one_phone())
        await ready.wait()
        async with handset(desk.port, NAME) as phone:
            await phone.hears_the_end()
        done.set()
    await until(lambda: desk.relay.state().phones == ())


async def test_a_phone_that_hangs_up_takes_its_websocket_with_it(desk: Bench):
    async with handset(desk.port, NAME) as phone:
        await phone.asks(phone.request("OPTIONS"))
    await desk.server.until(lambda: not desk.server.open_frames)
    assert desk.relay.state().phones == ()


async def test_a_port_that_somebody_has_is_an_error(desk: Bench):
    async with asyncio.TaskGroup() as group:
        relay = Relay(desk.account, Around(desk.owners, group.create_task, lambda: None))
        with pytest.raises(ProvisionerError, match="cannot have this port"):
            relay.open(*bound(desk.port))
        await relay.close()


async def test_the_port_is_at_once_free_for_the_next_run(desk: Bench):
    port = desk.port
    async with handset(port, NAME) as phone:
        await phone.registers()
        await desk.relay.close()
        await phone.hears_the_end()
    async with asyncio.TaskGroup() as group:
        relay = Relay(desk.account, Around(desk.owners, group.create_task, lambda: None))
        relay.open(*bound(port))
        async with handset(port, NAME) as phone:
            assert (await phone.asks(phone.request("REGISTER", call_id="another run"))).status == 200
        await relay.close()


async def test_changes_are_told(desk: Bench):
    async with handset(desk.port, NAME) as phone:
        await phone.registers()
        await desk.server.cut()
        await desk.server.until(lambda: NAME in desk.server.bindings)
        await until(lambda: desk.changes[-1].phones[0].registration is RegistrationState.REGISTERED)
    seen = [(one.phones[0].link, one.phones[0].registration) for one in desk.changes if one.phones]
    after = seen[seen.index((Link.UP, RegistrationState.REGISTERED)) :]
    assert [one for one, _ in groupby(after)] == [
        (Link.UP, RegistrationState.REGISTERED),
        (Link.OPENING, RegistrationState.NONE),
        (Link.UP, RegistrationState.NONE),
        (Link.UP, RegistrationState.REGISTERED),
    ]


__all__ = ["Bench", "Phone", "bench"]
