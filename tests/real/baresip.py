"""baresip in the terminal; its folder is where the target writes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.real.desk import Desk
from tests.real.processes import Running


@dataclass(frozen=True)
class Baresip:
    """The phone, driven by its keyboard."""

    process: Running

    async def call(self, number: str) -> None:
        """Call ``number`` at the agent's own domain; from 3.0 on it dials only once it knows that it is registered."""
        await self.process.says(" binding")
        await self.process.type(f"/dial {number}")

    async def answer(self) -> None:
        """It answers by itself."""

    async def press(self, digits: str) -> None:
        """Press digits during a call: keys, and the line's end lets go of the last one."""
        await self.process.type(digits)

    async def hang_up(self) -> None:
        """End the call."""
        await self.process.type("/hangup")


@asynccontextmanager
async def baresip(desk: Desk, login: str) -> AsyncIterator[Baresip]:
    """The phone, started; told to answer calls by itself: to stop its ring while ALSA waits for PulseAudio stops it
    for good once in a while.
    """
    async with desk.phone(login, "baresip") as process:
        await process.says("baresip is ready.")
        await process.type("/answermode auto")
        await process.says("Answer mode changed to: auto")
        yield Baresip(process)
