"""A line to a SIP server: one connection over udp, tcp, tls, ws or wss that carries whole messages."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

from provisioner.core.account import Transport
from provisioner.core.sip.framing import take_message
from provisioner.core.sip.grammar import NotSipError
from provisioner.core.sip.message import Message, parse_message
from provisioner.core.sip.trial import Address, Failure, Obstacle, Stage, host_port

_PIECE = 65_536


class ProbeError(Exception):
    """What stood in the way. Not a ProvisionerError: for a probe it is a result, not a mistake."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.obstacle)
        self.failure = failure


class Line(Protocol):
    """An open connection. ``sent_by`` is our end as Via wants it, ``repeats`` says that packets may be lost, ``heard``
    that a message has begun to arrive."""

    repeats: bool
    sent_by: str

    @property
    def heard(self) -> bool:
        """Whether there are bytes of a message that is not complete."""

    async def send(self, message: bytes) -> None:
        """Send one message. Raises ProbeError."""

    async def receive(self) -> Message:
        """The next message. Raises ProbeError, also for what is no SIP."""


async def resolve(host: str, port: int) -> tuple[str, ...]:
    """The IP addresses of ``host``, most wanted first. Raises ProbeError."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ProbeError(Failure(Obstacle.NO_NAME, Stage.RESOLVE)) from None
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


@asynccontextmanager
async def open_line(
    address: Address, ip: str, tls: ssl.SSLContext, begun: Callable[[Stage], None]
) -> AsyncIterator[Line]:
    """Connect to ``ip``, one of the addresses of ``address``; not for WebSocket (see ``websocket``). ``tls`` says whom
    to trust, ``begun`` is told when TLS begins.

    Raises ProbeError.
    """
    with failing(Stage.CONNECT):
        if address.transport is Transport.UDP:
            line: _Datagrams | _Stream = await _open_datagrams(address, ip)
        else:
            line = await _open_stream(address, ip, tls if address.transport is Transport.TLS else None, begun)
    try:
        yield line
    finally:
        line.close()


@contextmanager
def failing(at: Stage) -> Iterator[None]:
    """Turns what the network raises at this stage into ProbeError."""
    try:
        yield
    except OSError as error:
        raise ProbeError(failure_of(error, at)) from None


def failure_of(error: OSError, at: Stage) -> Failure:
    """What an error of the network means."""
    match error:
        case ssl.SSLCertVerificationError():
            return Failure(Obstacle.CERTIFICATE, at, error.verify_code, error.verify_message)
        case ssl.SSLError():
            return Failure(Obstacle.NO_TLS, at)
        case ConnectionRefusedError():
            return Failure(Obstacle.REFUSED, at)
        case ConnectionError():
            return Failure(Obstacle.CLOSED, at)
        case TimeoutError():
            return Failure(Obstacle.NO_ANSWER, at)
    return Failure(Obstacle.UNREACHABLE, at, detail=error.strerror or "")


class _Stream:
    """TCP or TLS: messages one after the other (RFC 3261 section 18.3)."""

    repeats = False

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._received = b""
        self.sent_by = host_port(*writer.get_extra_info("sockname")[:2])

    @property
    def heard(self) -> bool:
        return bool(self._received)

    async def send(self, message: bytes) -> None:
        with failing(Stage.CHALLENGE):
            self._writer.write(message)
            await self._writer.drain()

    async def receive(self) -> Message:
        while True:
            message, self._received = _taken(self._received)
            if message is not None:
                return message
            with failing(Stage.CHALLENGE):
                piece = await self._reader.read(_PIECE)
            if not piece:
                obstacle = Obstacle.NOT_SIP if self._received else Obstacle.CLOSED
                raise ProbeError(Failure(obstacle, Stage.CHALLENGE))
            self._received += piece

    def close(self) -> None:
        self._writer.transport.abort()


class _Datagrams(asyncio.DatagramProtocol):
    """UDP: a message a packet. A refusal arrives as an ICMP message."""

    repeats, heard = True, False

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self._transport: asyncio.DatagramTransport | None = None
        self.sent_by = ""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport
        self.sent_by = host_port(*transport.get_extra_info("sockname")[:2])

    def datagram_received(self, packet: bytes, _: object) -> None:
        self._arrived.put_nowait(packet)

    def error_received(self, error: Exception) -> None:
        self._arrived.put_nowait(error)

    async def send(self, message: bytes) -> None:
        assert self._transport is not None
        self._transport.sendto(message)

    async def receive(self) -> Message:
        while True:
            arrived = await self._arrived.get()
            with failing(Stage.CHALLENGE):
                if isinstance(arrived, Exception):
                    raise arrived
            # Four bytes of nothing keep a NAT open (RFC 5626 section 3.5.1); they are no answer.
            if arrived.strip(b"\r\n\0"):
                return parsed(arrived)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.abort()


async def _open_datagrams(address: Address, ip: str) -> _Datagrams:
    loop = asyncio.get_running_loop()
    _, line = await loop.create_datagram_endpoint(_Datagrams, remote_addr=(ip, address.port))
    return line


async def _open_stream(
    address: Address, ip: str, tls: ssl.SSLContext | None, begun: Callable[[Stage], None]
) -> _Stream:
    connected = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET)
    try:
        connected.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connected, (ip, address.port))
        if tls is None:
            return _Stream(*await asyncio.open_connection(sock=connected))
        begun(Stage.TLS)
        return _Stream(*await asyncio.open_connection(sock=connected, ssl=tls, server_hostname=address.host))
    except BaseException:
        connected.close()
        raise


def parsed(packet: bytes) -> Message:
    """The message in a packet or frame. Raises ProbeError for what is none."""
    try:
        return parse_message(packet)
    except NotSipError:
        raise ProbeError(Failure(Obstacle.NOT_SIP, Stage.CHALLENGE)) from None


def _taken(received: bytes) -> tuple[Message | None, bytes]:
    try:
        return take_message(received)
    except NotSipError:
        raise ProbeError(Failure(Obstacle.NOT_SIP, Stage.CHALLENGE)) from None
