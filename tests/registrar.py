"""A registrar for tests: real sockets on 127.0.0.1 over every transport, with refusals on demand."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trustme
from aiohttp import WSMsgType, web

from provisioner.core.sip.framing import take_message
from provisioner.core.sip.headers import Header, Headers
from provisioner.core.sip.message import Message, Request, Response, parse_message, print_message

PHONE = "<sip:1001@192.0.2.7:5060;transport=wss>;expires=96"
Answer = Response | bytes | None
"""None is silence, bytes go out as they are."""


@dataclass(frozen=True)
class Manner:
    """How the registrar asks: an empty ``algorithm`` or ``qop`` is left out. ``stale`` nonces are refused that often.
    ``proxy`` asks with 407."""

    realm: str = "asterisk"
    algorithm: str = "MD5"
    qop: str = ""
    opaque: str = ""
    stale: int = 0
    proxy: bool = False


@dataclass
class Registrar:
    """Knows one user by HA1 or password. ``requests`` are all that came, with their transport.

    ``scripted`` answers come first, whatever the request is; ``forbidden`` transports get 403 once they have answered
    right; ``deaf`` is how many requests are lost before one is heard.
    """

    user: str = "1001"
    password: str = "pw-ana"
    ha1: str | None = None
    manner: Manner = Manner()
    contacts: tuple[str, ...] = (PHONE,)
    forbidden: tuple[str, ...] = ()
    deaf: int = 0
    scripted: deque[Callable[[Request], Answer] | Answer] = field(default_factory=deque)
    headers: tuple[Header, ...] = ()
    requests: list[tuple[str, Request]] = field(default_factory=list)
    path: str = "/ws"
    subprotocols: tuple[str, ...] = ("sip",)
    _nonces: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _current: str = ""
    _stale_left: int | None = None

    def then(self, *answers: Callable[[Request], Answer] | Answer) -> Registrar:
        """Give these answers first."""
        self.scripted.extend(answers)
        return self

    def signatures(self) -> list[str]:
        """Every Authorization header that came."""
        found = (value for _, request in self.requests for name in ("Authorization", "Proxy-Authorization")
                 for value in request.headers.every(name))  # fmt: skip
        return list(found)

    def hear(self, transport: str, message: Message) -> bytes | None:
        """The bytes that go back."""
        if not isinstance(message, Request):
            return None
        self.requests.append((transport, message))
        if self.deaf > 0:
            self.deaf -= 1
            return None
        answer = self.scripted.popleft() if self.scripted else self._answer(transport, message)
        answer = answer(message) if callable(answer) else answer
        return print_message(answer) if isinstance(answer, Response) else answer

    def _answer(self, transport: str, request: Request) -> Response:
        header = request.headers.first("Proxy-Authorization" if self.manner.proxy else "Authorization")
        if not header:
            return self.challenge(request)
        if self._stale_left is None:
            self._stale_left = self.manner.stale
        if self._stale_left > 0:
            self._stale_left -= 1
            return self.challenge(request, stale=True)
        if not self._is_right(request, header) or transport in self.forbidden:
            return reply(request, 403, "Forbidden")
        contacts = [Header("Contact", contact) for contact in self.contacts]
        return reply(request, 200, "OK", *contacts, *self.headers)

    def challenge(self, request: Request, *, stale: bool = False) -> Response:
        """401 (or 407) with a fresh nonce."""
        manner = self.manner
        self._current = f"nonce{next(self._nonces)}"
        said = [f'realm="{manner.realm}"', f'nonce="{self._current}"']
        said += [f"algorithm={manner.algorithm}"] if manner.algorithm else []
        said += [f'qop="{manner.qop}"'] if manner.qop else []
        said += [f'opaque="{manner.opaque}"'] if manner.opaque else []
        said += ["stale=true"] if stale else []
        name = "Proxy-Authenticate" if manner.proxy else "WWW-Authenticate"
        status, reason = (407, "Proxy Authentication Required") if manner.proxy else (401, "Unauthorized")
        return reply(request, status, reason, Header(name, f"Digest {','.join(said)}"))

    def _is_right(self, request: Request, header: str) -> bool:
        """Computed here once more, with nothing of the program's own digest."""
        said = {key: quoted or bare for key, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', header)}
        name = self.manner.algorithm.upper() or "MD5"
        hashed = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[name.removesuffix("-SESS")]

        def digest(*parts: str) -> str:
            return hashed(":".join(parts).encode("utf-8", "surrogateescape")).hexdigest()

        ha1 = self.ha1 or digest(self.user, self.manner.realm, self.password)
        if name.endswith("-SESS"):
            ha1 = digest(ha1, said["nonce"], said["cnonce"])
        middle = [said["nonce"]]
        if self.manner.qop:
            middle += [said["nc"], said["cnonce"], said["qop"]]
        ha2 = digest(request.method, said["uri"])
        return (
            said["username"] == self.user
            and said["nonce"] == self._current
            and said["uri"] == request.uri
            and said.get("opaque", "") == self.manner.opaque
            and said["response"] == digest(ha1, *middle, ha2)
        )

    @asynccontextmanager
    async def over(self, transport: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
        """Listen while the context lasts; gives the port."""
        serve = {"udp": self._udp, "tcp": self._tcp, "tls": self._tcp, "ws": self._ws, "wss": self._ws}[transport]
        async with serve(transport, tls) as port:
            yield port

    @asynccontextmanager
    async def _udp(self, transport: str, _: ssl.SSLContext | None) -> AsyncIterator[int]:
        registrar = self

        class Datagrams(asyncio.DatagramProtocol):
            def connection_made(self, made: asyncio.DatagramTransport) -> None:  # type: ignore[override]
                self.made = made

            def datagram_received(self, packet: bytes, sender: tuple[str, int]) -> None:
                answer = registrar.hear(transport, parse_message(packet))
                if answer is not None:
                    self.made.sendto(answer, sender)

        loop = asyncio.get_running_loop()
        made, _protocol = await loop.create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", 0))
        try:
            yield made.get_extra_info("sockname")[1]
        finally:
            made.close()

    @asynccontextmanager
    async def _tcp(self, transport: str, tls: ssl.SSLContext | None) -> AsyncIterator[int]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            received = b""
            while piece := await reader.read(65536):
                received += piece
                while True:
                    message, received = take_message(received)
                    if message is None:
                        break
                    answer = self.hear(transport, message)
                    if answer == b"":
                        writer.close()
                        return
                    if answer is not None:
                        writer.write(answer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        async with server:
            yield server.sockets[0].getsockname()[1]

    @asynccontextmanager
    async def _ws(self, transport: str, tls: ssl.SSLContext | None) -> AsyncIterator[int]:
        async def serve(request: web.Request) -> web.StreamResponse:
            frames = web.WebSocketResponse(protocols=self.subprotocols)
            await frames.prepare(request)
            async for frame in frames:
                assert frame.type is WSMsgType.TEXT
                answer = self.hear(transport, parse_message(frame.data.encode()))
                if answer == b"":
                    break
                if answer is not None:
                    await frames.send_str(answer.decode())
            return frames

        app = web.Application()
        app.router.add_get(self.path, serve)
        async with web_server(app, tls) as port:
            yield port


@asynccontextmanager
async def web_server(app: web.Application, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Any web server on 127.0.0.1; gives the port."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def reply(request: Request, status: int, reason: str, *headers: Header) -> Response:
    """A response with what RFC 3261 section 8.2.6.2 wants of the request."""
    names = ("via", "from", "to", "call-id", "cseq")
    return Response(status, reason, Headers((*(f for f in request.headers.fields if f.key in names), *headers)))


def server_side(authority: trustme.CA, *names: str, **more: object) -> ssl.SSLContext:
    """TLS of a server whose certificate is for ``names`` (localhost and 127.0.0.1 where none are given)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("localhost", "127.0.0.1")), **more).configure_cert(context)  # type: ignore[arg-type]
    return context
