"""The socket that couriers come to. Anybody on this machine may connect; who it is says the kernel (unix(7),
SO_PEERCRED), never the one who connects. Nobody can make us wait, or hold more than a message of limited length.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from provisioner.core.errand import PROTOCOL, Hello, hello_from_json
from provisioner.core.frame import HEAD, LONGEST_TO_DAEMON, FrameError, frame, length_of, message_of
from provisioner.edge.api import bound

HELLO_SECONDS = 5.0
MOST_OF_ONE_USER = 4
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid


class LostError(Exception):
    """The courier is gone, or said what it should not. The text says which."""


class Connection:
    """One courier that said hello. ``uid`` is the user that it runs as."""

    def __init__(self, uid: int, hello: Hello, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        self.uid = uid
        self.hello = hello
        self._reader, self._writer = streams
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last = 0
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def ask(self, errand: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """The answer to ``errand``, waited for at most ``seconds``. Raises LostError; then the connection is over."""
        if self.lost.done():
            raise LostError("the courier is gone")
        self._last += 1
        number = self._last
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(seconds):
                self._writer.write(frame({"id": number, **errand}))
                await self._writer.drain()
                return await answer
        except TimeoutError:
            self.end(f"the courier did not answer within {seconds:g} s")
        except ConnectionError:
            self.end("the courier is gone")
        finally:
            self._waiting.pop(number, None)
        raise LostError("the courier did not answer in time, or is gone")

    async def listen(self) -> None:
        """Take answers until the courier is gone."""
        try:
            while True:
                answer = await _message(self._reader)
                waiting = self._waiting.get(answer.get("id", 0))
                if waiting is None or waiting.done():
                    raise FrameError("an answer to nothing")
                waiting.set_result(answer)
        except (FrameError, EOFError, ConnectionError, TypeError) as error:
            self.end(str(error) if isinstance(error, FrameError) else "the courier is gone")

    def end(self, cause: str) -> None:
        """Be done with this courier."""
        if self.lost.done():
            return
        self.lost.set_result(None)
        self._writer.transport.abort()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(LostError(cause))


Serve = Callable[[Connection], Awaitable[None]]


@asynccontextmanager
async def courier_socket(path: Path, serve: Serve) -> AsyncIterator[None]:
    """Have ``serve`` deal with each courier that comes to the socket ``path``, until the end of the block; the
    connection ends with it.

    Raises ProvisionerError when the socket cannot be made there.
    """
    guests = _Guests(serve)
    with bound(path, mode=0o666) as listening:
        server = await asyncio.start_unix_server(guests.meet, sock=listening)
        try:
            yield
        finally:
            server.close()
            await guests.leave()


class _Guests:
    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._of: Counter[int] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from hello to its end."""
        uid = peer_uid(writer.get_extra_info("socket"))
        if self._of[uid] >= MOST_OF_ONE_USER:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._of[uid] += 1
        self._tasks.add(task)
        try:
            await self._talk(uid, reader, writer)
        finally:
            self._of[uid] -= 1
            self._tasks.discard(task)
            writer.transport.abort()

    async def leave(self) -> None:
        """End all connections."""
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _talk(self, uid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                hello = hello_from_json(await _message(reader))
        except (FrameError, EOFError, ConnectionError, TimeoutError):
            return  # no courier
        if hello.protocol != PROTOCOL:
            writer.write(frame({"refused": "protocol", "courier": PROTOCOL}))
            with suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(HELLO_SECONDS):
                    await writer.drain()
                    await reader.read(1)
            return
        connection = Connection(uid, hello, (reader, writer))
        listening = asyncio.ensure_future(connection.listen())
        try:
            await self._serve(connection)
        finally:
            connection.end("the daemon ends")
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


def peer_uid(connection: socket.socket) -> int:
    """The user at the other end of a UNIX socket, as the kernel noted it at connect."""
    _, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return int(uid)


async def _message(reader: asyncio.StreamReader) -> dict[str, Any]:
    length = length_of(await reader.readexactly(HEAD), LONGEST_TO_DAEMON)
    return message_of(await reader.readexactly(length))
