"""The socket that couriers come to. Anybody on this machine may connect; who it is says the kernel (unix(7),
SO_PEERCRED), never the one who connects. Nobody can make us wait, hold more than a message of limited length, or take
the place of somebody else.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioner.core.errand import PROTOCOL, Hello, hello_from_json
from provisioner.core.frame import LONGEST_HELLO, FrameError, frame
from provisioner.edge.api import bound
from provisioner.edge.courier_connection import Connection, message_from
from provisioner.waiting import Spawn

_CREDENTIALS = struct.Struct("iII")  # struct ucred: pid, uid, gid
_WAITING_OUTSIDE = 128  # connections that the kernel holds until we take them
_HELD = 16 * 1024  # bytes read ahead of one connection


@dataclass(frozen=True, slots=True)
class Limits:
    """What the socket bears with. ``hello`` and ``rest`` are seconds.

    ``of_one`` is the most connections of one user. A place is free again ``rest`` after it was left, so this limits
    also how often somebody comes. ``strangers`` is the most connections of all users together whom nobody expects: one
    person may have many user numbers (subuid(5)).
    """

    hello: float = 5.0
    rest: float = 2.0
    of_one: int = 4
    strangers: int = 64


Serve = Callable[[Connection], Coroutine[Any, Any, None]]
IsExpected = Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class Reception:
    """How couriers are received: ``serve`` deals with each until it returns, then the connection ends. ``is_expected``
    tells the users who have files to come from strangers. ``spawn`` starts tasks that somebody watches over."""

    serve: Serve
    is_expected: IsExpected
    spawn: Spawn
    limits: Limits = Limits()


@asynccontextmanager
async def courier_socket(path: Path, reception: Reception) -> AsyncIterator[None]:
    """Receive couriers at the socket ``path`` until the end of the block.

    Raises ProvisionerError when the socket cannot be made there.
    """
    guests = _Guests(reception)
    with bound(path, mode=0o666) as listening:
        listening.listen(_WAITING_OUTSIDE)
        listening.setblocking(False)
        door = reception.spawn(guests.receive(listening))
        try:
            yield
        finally:
            door.cancel()
            await asyncio.wait([door])
            listening.close()
            await guests.leave()


class _Guests:
    def __init__(self, reception: Reception) -> None:
        self._reception = reception
        self._limits = reception.limits
        self._of: Counter[int] = Counter()
        self._strangers = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def receive(self, listening: socket.socket) -> None:
        """Take connections for ever; who is too much is hung up on."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError:  # no descriptor or memory is left: there may be later
                await asyncio.sleep(self._limits.rest)
                continue
            self._let_in(connection)
            await asyncio.sleep(0)  # taking a connection that waits gives control to nobody

    async def leave(self) -> None:
        """End all connections."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _let_in(self, connection: socket.socket) -> None:
        uid = _uid_of(connection)
        if self._of[uid] >= self._limits.of_one:
            connection.close()
            return
        stranger = not self._reception.is_expected(uid)
        if stranger and self._strangers >= self._limits.strangers:
            connection.close()
            return
        self._of[uid] += 1
        self._strangers += stranger
        task = self._reception.spawn(self._meet(uid, connection))
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._leave_later(task, uid, stranger))

    def _leave_later(self, task: asyncio.Task[None], uid: int, stranger: bool) -> None:
        self._tasks.discard(task)
        asyncio.get_running_loop().call_later(self._limits.rest, self._free, uid, stranger)

    def _free(self, uid: int, stranger: bool) -> None:
        self._of[uid] -= 1
        if not self._of[uid]:
            del self._of[uid]
        self._strangers -= stranger

    async def _meet(self, uid: int, connection: socket.socket) -> None:
        """One connection, from hello to its end."""
        try:
            reader, writer = await asyncio.open_unix_connection(sock=connection, limit=_HELD)
        except BaseException:
            connection.close()
            raise
        try:
            hello = await self._hello(reader)
            if hello and hello.protocol == PROTOCOL:
                await self._talk(Connection(uid, hello, (reader, writer)))
            elif hello:
                await self._refuse(reader, writer)
        finally:
            writer.transport.abort()

    async def _hello(self, reader: asyncio.StreamReader) -> Hello | None:
        """Who this is; None when it is no courier."""
        try:
            async with asyncio.timeout(self._limits.hello):
                return hello_from_json(await message_from(reader, lambda: LONGEST_HELLO))
        except (FrameError, EOFError, OSError):
            return None

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Tell a courier of another protocol, and wait a moment for it to read that."""
        with suppress(OSError):
            async with asyncio.timeout(self._limits.hello):
                writer.write(frame({"refused": "protocol", "courier": PROTOCOL}, LONGEST_HELLO))
                await writer.drain()
                await reader.read(1)

    async def _talk(self, connection: Connection) -> None:
        listening = self._reception.spawn(connection.listen())
        try:
            await self._reception.serve(connection)
        finally:
            connection.end("the service ends the connection")
            listening.cancel()
            await asyncio.wait([listening])


def _uid_of(connection: socket.socket) -> int:
    """The user at the other end of a UNIX socket, as the kernel noted it at connect."""
    _, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return int(uid)
