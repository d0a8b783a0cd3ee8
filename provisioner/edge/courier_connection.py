"""One courier that said hello: questions go out, each gets its answer or the connection is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from provisioner.core.errand import JSON, Hello
from provisioner.core.frame import (
    HEAD,
    LONGEST_TO_COURIER,
    LONGEST_TO_DAEMON,
    FrameError,
    frame,
    length_of,
    message_of,
)

_UNASKED = "the courier answered what nobody asked"


class LostError(Exception):
    """The courier is gone, or said what it should not. The text says which."""


class Connection:
    """A courier. ``uid`` is the user that it runs as."""

    def __init__(self, uid: int, hello: Hello, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        self.uid = uid
        self.hello = hello
        self._reader, self._writer = streams
        self._waiting: dict[int, asyncio.Future[JSON | None]] = {}
        self._last = 0
        self._sending = asyncio.Lock()
        self._cause = ""
        self._lost = asyncio.Event()

    async def ask(self, errand: Mapping[str, Any], seconds: float) -> JSON:
        """The answer to ``errand``, waited for at most ``seconds``.

        Raises LostError, and then the connection is over; FrameError when the errand is too long to be sent.
        """
        self._last += 1
        number = self._last
        message = frame({"id": number, **errand}, LONGEST_TO_COURIER)
        try:
            async with asyncio.timeout(seconds):
                answer = await self._exchange(number, message)
            if answer is not None:
                return answer
        except TimeoutError:
            self.end(f"the courier did not answer within {seconds:g} s")
        except OSError:
            self.end("the courier is gone")
        raise LostError(self._cause)

    async def lost(self) -> str:
        """Wait until the connection is over; gives the cause."""
        await self._lost.wait()
        return self._cause

    async def listen(self) -> None:
        """Take answers until the courier is gone."""
        try:
            while True:
                self._take(await message_from(self._reader, self._longest))
        except FrameError as error:
            self.end(str(error))
        except (EOFError, OSError):
            self.end("the courier is gone")

    def end(self, cause: str) -> None:
        """Be done with this courier."""
        if self._lost.is_set():
            return
        self._cause = cause
        self._lost.set()
        self._writer.transport.abort()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(None)

    async def _exchange(self, number: int, message: bytes) -> JSON | None:
        """The answer; None when the connection is over before. One message is on its way at a time, so that no more
        than one waits here for a courier that reads slowly."""
        async with self._sending:
            if self._lost.is_set():
                return None
            waiting: asyncio.Future[JSON | None] = asyncio.get_running_loop().create_future()
            self._waiting[number] = waiting
            self._writer.write(message)
            await self._writer.drain()
        return await waiting

    def _longest(self) -> int:
        # Somebody who was asked nothing has nothing to say, and none of it is held here.
        if not self._waiting:
            raise FrameError(_UNASKED)
        return LONGEST_TO_DAEMON

    def _take(self, answer: JSON) -> None:
        number = answer.pop("id", None)
        waiting = self._waiting.pop(number, None) if type(number) is int else None
        if waiting is None:
            raise FrameError(_UNASKED)
        if not waiting.done():  # whoever asked may have been cancelled since
            waiting.set_result(answer)


async def message_from(reader: asyncio.StreamReader, longest: Callable[[], int]) -> dict[str, Any]:
    """The next message; ``longest`` is asked for its most bytes when one begins.

    Raises FrameError, EOFError or OSError.
    """
    head = await reader.readexactly(HEAD)
    length = length_of(head, longest())
    return message_of(await reader.readexactly(length))
