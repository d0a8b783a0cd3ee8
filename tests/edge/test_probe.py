"""Lines to a SIP server, on real sockets."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trustme
from aiohttp import web

from provisioner.core.account import Transport
from provisioner.core.sip.headers import Header, Headers
from provisioner.core.sip.message import Request, Response, print_message
from provisioner.core.sip.trial import Address, Obstacle, Stage
from provisioner.edge.probe import Line, ProbeError, host_port, open_line, resolve
from provisioner.edge.websocket import open_websocket
from tests.registrar import Registrar, server_side, web_server

QUESTION = Request("OPTIONS", "sip:a", Headers((Header("Call-ID", "1"), Header("CSeq", "1 OPTIONS"), Header("X", "é"))))
OK = Response(200, "OK", Headers(QUESTION.headers.fields[:2]))
EVERY = [str(transport) for transport in Transport]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@asynccontextmanager
async def line_to(
    registrar: Registrar, transport: str, authority: trustme.CA
) -> AsyncIterator[tuple[Line, list[Stage]]]:
    tls = server_side(authority) if transport in ("tls", "wss") else None
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    begun: list[Stage] = []
    async with registrar.over(transport, tls) as port:
        address = Address(Transport(transport), "localhost", port, f"{transport}://localhost:{port}/ws")
        opening = open_websocket if Transport(transport).is_websocket else open_line
        async with opening(address, "127.0.0.1", trust, begun.append) as line:
            yield line, begun


@pytest.mark.parametrize("transport", EVERY)
async def test_a_message_goes_and_one_comes_back(authority, transport: str):
    registrar = Registrar().then(OK)
    async with line_to(registrar, transport, authority) as (line, begun):
        await line.send(print_message(QUESTION))
        assert await line.receive() == OK
        assert line.repeats is (transport == "udp")
        expected = r".+\.invalid" if transport.startswith("ws") else r"127\.0\.0\.1:\d+"
        assert re.fullmatch(expected, line.sent_by)
    assert registrar.requests == [(transport, QUESTION)]
    assert begun == {"tls": [Stage.TLS], "ws": [Stage.WEBSOCKET], "wss": [Stage.WEBSOCKET]}.get(transport, [])


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_messages_in_a_stream_are_told_apart(authority, transport: str):
    registrar = Registrar().then(b"\r\n\r\n" + print_message(OK) * 2 + print_message(OK)[:9], print_message(OK)[9:])
    async with line_to(registrar, transport, authority) as (line, _):
        await line.send(print_message(QUESTION))
        assert [await line.receive(), await line.receive()] == [OK, OK]
        assert line.heard
        await line.send(print_message(QUESTION))
        assert await line.receive() == OK
        assert not line.heard


async def test_bytes_that_keep_a_nat_open_are_no_answer(authority):
    def answers(request: Request) -> bytes:
        return b"\r\n\r\n"

    registrar = Registrar().then(answers, b"\0\0\0\0", OK)
    async with line_to(registrar, "udp", authority) as (line, _):
        for _ in range(3):
            await line.send(print_message(QUESTION))
        assert await line.receive() == OK


@pytest.mark.parametrize(
    ("transport", "answer", "obstacle"),
    [
        ("udp", b"nonsense", Obstacle.NOT_SIP),
        ("tcp", b"nonsense\r\n\r\n", Obstacle.NOT_SIP),
        ("tcp", b"x" * 70_000, Obstacle.NOT_SIP),
        ("ws", b"nonsense", Obstacle.NOT_SIP),
        ("tcp", b"", Obstacle.CLOSED),
        ("tls", b"", Obstacle.CLOSED),
        ("ws", b"", Obstacle.CLOSED),
        ("wss", b"", Obstacle.CLOSED),
    ],
)
async def test_what_is_no_answer_is_told(authority, transport: str, answer: bytes, obstacle: Obstacle):
    async with line_to(Registrar().then(answer), transport, authority) as (line, _):
        await line.send(print_message(QUESTION))
        with pytest.raises(ProbeError) as caught:
            await line.receive()
    assert caught.value.failure.obstacle is obstacle


async def test_a_frame_that_is_too_long_is_refused(authority):
    async with line_to(Registrar().then(b"x" * 70_000), "ws", authority) as (line, _):
        await line.send(print_message(QUESTION))
        with pytest.raises(ProbeError):
            await line.receive()


@pytest.mark.parametrize("letter", ["é".encode(), b"\xff"])
async def test_a_websocket_that_was_closed_carries_nothing_more(authority, letter: bytes):
    async with line_to(Registrar().then(b""), "ws", authority) as (line, _):
        await line.send(print_message(QUESTION))
        with pytest.raises(ProbeError):
            await line.receive()
        with pytest.raises(ProbeError) as caught:
            await line.send(print_message(QUESTION).replace("é".encode(), letter))
    assert caught.value.failure.obstacle is Obstacle.CLOSED


async def test_a_server_that_asks_for_a_sign_of_life_and_hangs_up_at_once_has_closed(authority):
    async def serve(request: web.Request) -> web.StreamResponse:
        frames = web.WebSocketResponse(protocols=("sip",))
        await frames.prepare(request)
        await frames.ping()
        assert request.transport is not None
        request.transport.close()  # over TLS both can be read at once
        return frames

    app = web.Application()
    app.router.add_get("/ws", serve)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    async with web_server(app, server_side(authority)) as port:
        address = Address(Transport.WSS, "localhost", port, f"wss://localhost:{port}/ws")
        async with open_websocket(address, "127.0.0.1", trust, lambda _: None) as line:
            with pytest.raises(ProbeError) as caught:
                await line.receive()
    assert caught.value.failure.obstacle is Obstacle.CLOSED


async def test_bytes_that_are_no_utf_8_travel_too(authority):
    registrar = Registrar()
    async with registrar.over("udp") as port:
        address = Address(Transport.UDP, "localhost", port)
        async with open_line(address, "127.0.0.1", ssl.create_default_context(), lambda _: None) as line:
            registrar.then(OK)
            await line.send(print_message(QUESTION).replace("é".encode(), b"\xff"))
            assert await line.receive() == OK
    ((_, heard),) = registrar.requests
    assert heard.headers.first("X") == "\udcff"


async def test_a_name_is_resolved_and_one_without_address_is_told():
    assert "127.0.0.1" in await resolve("localhost", 5060)
    assert await resolve("::1", 5060) == ("::1",)
    for name in ("nowhere.invalid", "a..b", "x" * 300):
        with pytest.raises(ProbeError) as caught:
            await resolve(name, 5060)
        assert caught.value.failure.obstacle is Obstacle.NO_NAME


async def test_an_address_that_no_route_leads_to_is_told():
    address = Address(Transport.TCP, "x", 5060)
    with pytest.raises(ProbeError) as caught:
        async with asyncio.timeout(30), open_line(address, "255.255.255.255", ssl.create_default_context(), print):
            raise AssertionError("nobody listens there")
    assert caught.value.failure.obstacle is Obstacle.UNREACHABLE and caught.value.failure.detail


def test_an_ipv6_address_has_brackets():
    assert (host_port("::1", 5060), host_port("a", 1)) == ("[::1]:5060", "a:1")
