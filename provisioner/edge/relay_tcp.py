"""Phones that come to the relay over TCP. Nothing is read from a connection before it is known whose it is."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from provisioner.core.sip.framing import PONG, Ping, TooLargeError, take_from_stream
from provisioner.core.sip.grammar import NotSipError
from provisioner.edge.relay_phone import PhoneFlow, PhoneSide
from provisioner.edge.socket_owner import SocketOwners

if TYPE_CHECKING:
    from provisioner.edge.relay import Relay

# What a phone leaves unread.
MOST_UNREAD = 1 << 20
# Connections of which is asked at the same time whose they are; others wait in the kernel's queue.
MOST_STRANGERS = 64
BACKLOG = 1024
# A place that a stranger had stays empty for so long: whoever comes in crowds costs little.
COOLING = 0.02


class Door:
    """Takes connections, and lets those of the right user in."""

    def __init__(self, relay: Relay, owners: SocketOwners, bound: socket.socket) -> None:
        self._relay = relay
        self._owners = owners
        self._bound = bound
        self._room = asyncio.Semaphore(MOST_STRANGERS)
        self._task = relay.spawn(self._stand())

    async def close(self) -> None:
        """Take no more."""
        self._task.cancel()
        await asyncio.wait([self._task])
        self._bound.close()

    async def _stand(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._room.acquire()
            try:
                taken, far = await loop.sock_accept(self._bound)
            except OSError:
                self._room.release()  # it is gone already, or there is no descriptor left
                await asyncio.sleep(0.1)
                continue
            self._relay.spawn(self._ask(taken, far))

    async def _ask(self, taken: socket.socket, far: tuple[str, int]) -> None:
        uids = await self._owners.of_connection(far, taken.getsockname())
        if not self._relay.admits(uids):
            taken.close()
            await asyncio.sleep(COOLING)
            self._room.release()
            return
        self._room.release()
        with suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(lambda: PhoneConnection(self._relay, uids), taken)


class PhoneConnection(asyncio.Protocol):
    """A phone's, of ``uids``: the line may be another user's by the time the connection is made."""

    def __init__(self, relay: Relay, uids: set[int]) -> None:
        self._relay = relay
        self._uids = uids
        self._received = b""
        self._phone: PhoneFlow | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._relay.admits(self._uids):
            self._phone = self._relay.welcome(self, "tcp", PhoneSide(self._send, self._transport.close))
        if self._phone is None:
            self._transport.abort()

    def data_received(self, piece: bytes) -> None:
        if self._phone is None:
            return
        self._received += piece
        try:
            while not self._transport.is_closing() and self._take(self._phone):
                pass
        except TooLargeError as error:
            self._phone.refuse(error.message, 513, "Message Too Large")
            self._transport.close()
        except NotSipError:
            self._transport.abort()

    def connection_lost(self, _: Exception | None) -> None:
        self._relay.drop(self)

    def _take(self, phone: PhoneFlow) -> bool:
        one, self._received = take_from_stream(self._received)
        match one:
            case None:
                return False
            case Ping():
                self._send(PONG)
            case message:
                phone.from_phone(message)
        return True

    def _send(self, packet: bytes) -> None:
        self._transport.write(packet)
        if self._transport.get_write_buffer_size() > MOST_UNREAD:
            self._transport.abort()
