"""The control socket: one JSON object a line asks, one JSON object a line answers. Only its owner can connect."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.edge.socket_path import socket_address
from provisioner.waiting import Spawn

Answer = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
LONGEST_QUESTION = 64 * 1024
QUESTION_SECONDS = 10.0


@asynccontextmanager
async def control_socket(path: Path, answer: Answer, spawn: Spawn) -> AsyncIterator[None]:
    """Answer on the socket ``path`` with ``answer`` until the end of the block; ``spawn`` starts tasks that somebody
    watches over.

    Raises ProvisionerError when the socket cannot be made there.
    """
    conversations = _Conversations(answer, spawn)
    with bound(path) as listening:
        server = await asyncio.start_unix_server(conversations.begin, sock=listening, limit=LONGEST_QUESTION)
        try:
            yield
        finally:
            server.close()
            await conversations.end()


class _Conversations:
    def __init__(self, answer: Answer, spawn: Spawn) -> None:
        self._answer = answer
        self._spawn = spawn
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Somebody has come."""
        task = self._spawn(self._talk(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        """Wait for nobody any more."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One question, one answer."""
        try:
            question = await _question(reader)
            if question is not None:
                said = json.dumps(await self._answer(question)).encode() + b"\n"
                with suppress(ConnectionError):
                    writer.write(said)
                    await writer.drain()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def _question(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """What is asked; None where it is nonsense, or nothing: whoever sends that gets no answer."""
    try:
        async with asyncio.timeout(QUESTION_SECONDS):
            question = json.loads(await reader.readline())
    except (ValueError, RecursionError, TimeoutError, ConnectionError):
        return None
    return question if isinstance(question, dict) else None


@contextmanager
def bound(path: Path, *, mode: int = 0o600) -> Iterator[socket.socket]:
    """A socket that at no moment more could open than ``mode`` says; its folder is made. The state's lock makes sure
    that a socket found here belongs to nobody any more. Raises ProvisionerError where it cannot be."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        # The file gets the mode that the socket has, less the umask, which is not touched: other threads share it.
        os.fchmod(listening.fileno(), mode)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with socket_address(path) as address:
            listening.bind(address)
        path.chmod(mode)
    except OSError as error:
        listening.close()
        what = f"this socket cannot be made: {error.strerror or error}"
        raise ProvisionerError(Problem(Place(str(path)), what, "check the folder's owner and mode")) from None
    try:
        yield listening
    finally:
        path.unlink(missing_ok=True)
