"""A SIP server over WebSocket for tests, as chan_sip is one: one contact for each peer, a challenge for each request.

Who sends a MESSAGE to another peer has it delivered there; 600 answers calls.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import WSMessage, WSMsgType, web

from provisioner.core.sip.address import read_name_addr, user_of
from provisioner.core.sip.headers import Header, Headers
from provisioner.core.sip.message import Message, Request, Response, parse_message, print_message
from tests.registrar import reply, web_server

REALM = "asterisk"


def ha1_of(name: str, password: str = "pw", realm: str = REALM) -> str:
    return hashlib.md5(f"{name}:{realm}:{password}".encode()).hexdigest()


@dataclass
class Binding:
    """Where a peer's phone is."""

    contact: str
    frames: web.WebSocketResponse


@dataclass
class SipServer:
    """``users`` are HA1 by name. ``heard`` is all that came, ``opened`` how many WebSockets there ever were, ``pings``
    how many came over them, ``calls`` the Call-IDs of those that are up."""

    users: dict[str, str]
    realm: str = REALM
    bindings: dict[str, Binding] = field(default_factory=dict)
    heard: list[Message] = field(default_factory=list)
    refused: int = 0
    opened: int = 0
    deaf: bool = False
    subprotocols: tuple[str, ...] = ("sip",)
    pongs: bool = True
    pings: int = 0
    calls: set[str] = field(default_factory=set)
    open_frames: set[web.WebSocketResponse] = field(default_factory=set)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _nonces: dict[str, None] = field(default_factory=dict)
    _count: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _numbers: dict[str, int] = field(default_factory=dict)

    async def until(self, true: object) -> None:
        """Wait until ``true()``."""
        async with asyncio.timeout(20), self.news:
            await self.news.wait_for(true)  # type: ignore[arg-type]

    def requests(self, method: str) -> list[Request]:
        return [one for one in self.heard if isinstance(one, Request) and one.method == method]

    async def ask(self, name: str, request: Request) -> None:
        """Send a request to a peer's phone."""
        if request.method == "INVITE":
            self.calls.add(request.headers.first("Call-ID"))
        await self.bindings[name].frames.send_str(print_message(request).decode())

    async def cut(self, *, forgets: bool = True) -> None:
        """Cut all connections, as a server that restarts does: it knows nobody, and no call, any more."""
        if forgets:
            self.bindings.clear()
            self.calls.clear()
        cut = set(self.open_frames)
        for frames in cut:
            transport = frames._req.transport if frames._req else None
            if transport is not None:
                transport.abort()
        await self.until(lambda: not cut & self.open_frames)  # others may be open again

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        frames = web.WebSocketResponse(protocols=self.subprotocols, max_msg_size=65_535, autoping=False)
        await frames.prepare(request)
        self.opened += 1
        self.open_frames.add(frames)
        try:
            async for frame in frames:
                if frame.type in (WSMsgType.PING, WSMsgType.PONG):
                    await self._live(frame, frames)
                    continue
                packet = frame.data.encode() if frame.type is WSMsgType.TEXT else frame.data
                await self._hear(parse_message(packet), frames)
        finally:
            self.open_frames.discard(frames)
            await self._tell()
        return frames

    async def _tell(self) -> None:
        async with self.news:
            self.news.notify_all()

    async def _live(self, frame: WSMessage, frames: web.WebSocketResponse) -> None:
        self.pings += frame.type is WSMsgType.PING
        if frame.type is WSMsgType.PING and self.pongs:
            await frames.pong(frame.data)
        await self._tell()

    async def _hear(self, message: Message, frames: web.WebSocketResponse) -> None:
        self.heard.append(message)
        if isinstance(message, Request) and message.method != "ACK" and not self.deaf:
            for answer in self._answers(message, frames):
                await frames.send_str(print_message(answer).decode())
        if isinstance(message, Request) and message.method == "MESSAGE":
            await self._deliver(message)
        await self._tell()

    def _answers(self, request: Request, frames: web.WebSocketResponse) -> list[Response]:
        call_id, number = request.headers.first("Call-ID"), int(request.headers.first("CSeq").split()[0])
        if number <= self._numbers.get(call_id, 0) and request.method != "CANCEL":
            return []  # chan_sip takes it for a copy
        self._numbers[call_id] = number
        if request.method == "INFO":
            known = call_id in self.calls
            return [reply(request, 200, "OK") if known else reply(request, 481, "Call Does Not Exist")]
        if request.method in ("BYE", "CANCEL", "OPTIONS"):
            return [reply(request, 200, "OK")]
        name = user_of(read_name_addr(request.headers.first("From")).uri)
        signature = request.headers.first("Authorization")
        if not signature:
            return [self._challenge(request)]
        if not self._is_right(name, request, signature):
            self.refused += 1
            return [reply(request, 403, "Forbidden")]
        return self._accepted(name, request, frames)

    def _accepted(self, name: str, request: Request, frames: web.WebSocketResponse) -> list[Response]:
        if request.method == "REGISTER":
            return [reply(request, 200, "OK", *self._bind(name, request, frames))]
        if request.method == "INVITE":
            self.calls.add(request.headers.first("Call-ID"))
            contact = Header("Contact", "<sip:600@192.0.2.1:5060;transport=ws>")
            return [
                reply(request, 100, "Trying"),
                reply(request, 180, "Ringing", contact),
                reply(request, 200, "OK", contact),
            ]
        return [reply(request, 200, "OK")]

    def _bind(self, name: str, request: Request, frames: web.WebSocketResponse) -> list[Header]:
        contact, expires = request.headers.first("Contact"), request.headers.first("Expires") or "60"
        if contact and expires == "0":
            self.bindings.pop(name, None)
        elif contact:
            self.bindings[name] = Binding(contact, frames)
        known = self.bindings.get(name)
        return [Header("Contact", f"{known.contact};expires={expires}")] if known else []

    async def _deliver(self, message: Request) -> None:
        to = self.bindings.get(user_of(message.uri))
        if to is not None and message.headers.first("Authorization"):
            via = f"SIP/2.0/WS 192.0.2.1:5060;branch=z9hG4bK{next(self._count)};rport"
            headers = message.headers.without("Via", "Authorization", "Contact").on_top("Via", via)
            uri = read_name_addr(to.contact).uri
            await to.frames.send_str(print_message(Request("MESSAGE", uri, headers, message.body)).decode())

    def _challenge(self, request: Request) -> Response:
        nonce = f"nonce{next(self._count)}"
        self._nonces[nonce] = None
        said = f'Digest algorithm=MD5, realm="{self.realm}", nonce="{nonce}"'
        return reply(request, 401, "Unauthorized", Header("WWW-Authenticate", said))

    def _is_right(self, name: str, request: Request, signature: str) -> bool:
        said = dict(re.findall(r'(\w+)="([^"]*)"', signature))
        ha2 = hashlib.md5(f"{request.method}:{request.uri}".encode()).hexdigest()
        right = hashlib.md5(f"{self.users.get(name, '')}:{said['nonce']}:{ha2}".encode()).hexdigest()
        return said["nonce"] in self._nonces and said["username"] == name and said["response"] == right


@asynccontextmanager
async def sip_server(server: SipServer, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The server at 127.0.0.1 and /ws; gives the port."""
    app = web.Application()
    app.router.add_get("/ws", server._serve)
    async with web_server(app, tls) as port:
        yield port


def asked(method: str, name: str, call_id: str, number: int = 102, body: bytes = b"") -> Request:
    """A request of the server."""
    fields = {
        "Via": f"SIP/2.0/WS 192.0.2.1:5060;branch=z9hG4bK{call_id}{number};rport",
        "Max-Forwards": "70",
        "From": "<sip:601@192.0.2.1>;tag=far",
        "To": f"<sip:{name}@127.0.0.1>",
        "Call-ID": call_id,
        "CSeq": f"{number} {method}",
        "Contact": "<sip:601@192.0.2.1:5060;transport=ws>",
    }
    return Request(method, f"sip:{name}@127.0.0.1", Headers(tuple(Header(*one) for one in fields.items())), body)
