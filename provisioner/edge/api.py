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

Answer = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
LONGEST_QUESTION = 64 * 1024
QUESTION_SECONDS = 10.0


@asynccontextmanager
async def control_socket(path: Path, answer: Answer) -> AsyncIterator[None]:
    """Answer on the socket ``path`` with ``answer`` until the end of the block.

    Raises ProvisionerError when the socket cannot be made there.
    """
    with bound(path) as listening:
        server = await asyncio.start_unix_server(_Conversations(answer).talk, sock=listening, limit=LONGEST_QUESTION)
        try:
            yield
        finally:
            server.close()


class _Conversations:
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One question, one answer."""
        try:
            async with asyncio.timeout(QUESTION_SECONDS):
                question = json.loads(await reader.readline())
            if isinstance(question, dict):
                writer.write(json.dumps(await self._answer(question)).encode() + b"\n")
                await writer.drain()
        except (ValueError, RecursionError, TimeoutError, ConnectionError):
            pass  # whoever asks nonsense, or is gone, gets no answer
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@contextmanager
def bound(path: Path, *, mode: int = 0o600) -> Iterator[socket.socket]:
    """A socket that at no moment more could open than ``mode`` says. The state's lock makes sure that a socket found
    here belongs to nobody any more."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        # The file gets the mode that the socket has, less the umask, which is not touched: other threads share it.
        os.fchmod(listening.fileno(), mode)
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
