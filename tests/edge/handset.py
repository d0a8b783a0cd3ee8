"""A phone on real sockets, over TCP or UDP, that holds no credential."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from provisioner.core.sip.framing import take_message
from provisioner.core.sip.headers import Header, Headers
from provisioner.core.sip.message import Message, Request, Response, parse_message, print_message

PATIENCE = 20.0


@dataclass
class Wire:
    """``arrived`` are whole messages in order, None when the connection ended."""

    transport: asyncio.Transport | asyncio.DatagramTransport
    arrived: asyncio.Queue[Message | None]
    kind: str

    def send(self, packet: bytes) -> None:
        if self.kind == "udp":
            self.transport.sendto(packet)  # type: ignore[union-attr]
        else:
            self.transport.write(packet)  # type: ignore[union-attr]


@dataclass
class Phone:
    """``name`` is its account."""

    wire: Wire
    name: str
    others: list[Message] = field(default_factory=list)
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def request(self, method: str, *more: Header, to: str = "600", call_id: str = "", body: bytes = b"") -> Request:
        number, kind = next(self._numbers), self.wire.kind
        host, port = self.wire.transport.get_extra_info("sockname")[:2]
        fields = [
            Header("Via", f"SIP/2.0/{kind.upper()} {host}:{port};rport;branch=z9hG4bK{self.name}{method}{number}"),
            Header("Max-Forwards", "70"),
            Header("From", f"<sip:{self.name}@server.example>;tag={self.name}"),
            Header("To", f"<sip:{self.name if method == 'REGISTER' else to}@server.example>"),
            Header("Call-ID", call_id or f"{method}-{self.name}"),
            Header("CSeq", f"{number} {method}"),
            Header("Contact", f"<sip:{self.name}@{host}:{port};transport={kind}>"),
        ]
        uri = "sip:server.example" if method == "REGISTER" else f"sip:{to}@server.example"
        return Request(method, uri, Headers((*fields, *more)), body)

    async def asks(self, request: Request) -> Response:
        """Send it, and wait for its final answer."""
        self.wire.send(print_message(request))
        return await self.answer_to(request)

    async def answer_to(self, request: Request) -> Response:
        cseq = request.headers.first("CSeq")
        while True:
            message = await self.hears()
            if isinstance(message, Response) and message.headers.first("CSeq") == cseq and message.is_final:
                return message
            self.others.append(message)

    async def hears(self) -> Message:
        """The next message."""
        message = await asyncio.wait_for(self.wire.arrived.get(), PATIENCE)
        assert message is not None, "the connection has ended"
        return message

    async def hears_the_end(self) -> None:
        """Wait until the connection ends."""
        while await asyncio.wait_for(self.wire.arrived.get(), PATIENCE) is not None:
            pass

    async def registers(self, expires: int = 60) -> Response:
        return await self.asks(self.request("REGISTER", Header("Expires", str(expires))))


class _Line(asyncio.BaseProtocol):
    def __init__(self) -> None:
        self.arrived: asyncio.Queue[Message | None] = asyncio.Queue()
        self.received = b""
        self.is_closed = asyncio.Event()

    def connection_lost(self, _: Exception | None) -> None:
        self.arrived.put_nowait(None)
        self.is_closed.set()


class _Stream(_Line, asyncio.Protocol):
    def data_received(self, piece: bytes) -> None:
        self.received += piece
        while True:
            message, self.received = take_message(self.received)
            if message is None:
                return
            self.arrived.put_nowait(message)


class _Packets(_Line, asyncio.DatagramProtocol):
    def datagram_received(self, packet: bytes, _: object) -> None:
        if packet.strip():
            self.arrived.put_nowait(parse_message(packet))


@asynccontextmanager
async def handset(port: int, name: str, kind: str = "tcp", own: int = 0) -> AsyncIterator[Phone]:
    """A phone at the relay's port, with a port of its ``own``, or any."""
    loop = asyncio.get_running_loop()
    relay, here = ("127.0.0.1", port), ("127.0.0.1", own)
    made: tuple[object, object]
    if kind == "tcp":
        made = await loop.create_connection(_Stream, *relay, local_addr=here)
    else:
        made = await loop.create_datagram_endpoint(_Packets, local_addr=here, remote_addr=relay)
    transport, protocol = made
    phone = Phone(Wire(transport, protocol.arrived, kind), name)  # type: ignore[arg-type,attr-defined]
    try:
        yield phone
    finally:
        transport.close()  # type: ignore[attr-defined]
        await asyncio.wait_for(protocol.is_closed.wait(), PATIENCE)  # type: ignore[attr-defined]
