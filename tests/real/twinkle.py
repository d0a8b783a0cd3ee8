"""Twinkle without a window."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.real.desk import Desk
from tests.real.processes import Running

_ENDED = "far end ended call"


@dataclass(frozen=True)
class Twinkle:
    """The phone, driven at its prompt."""

    process: Running
    desk: Desk
    name: str

    async def call(self, number: str) -> None:
        """Call ``number`` at the agent's own domain."""
        await self.process.type(f"call {number}")

    async def answer(self) -> None:
        """It answers by itself."""

    async def press(self, digits: str) -> None:
        """Press digits once the call is connected; before that they are lost."""
        await self.process.says("far end answered call")
        await self.process.type(f"dtmf {digits}")

    async def hang_up(self) -> None:
        """Let the far end hang up, and Twinkle hear of it: after `bye` the console stops for good once in a while."""
        before = self.process.said().count(_ENDED)
        await self.desk.server.hang_up(self.name)
        await self.process.says(_ENDED, count=before + 1)


@asynccontextmanager
async def twinkle(desk: Desk, login: str, name: str) -> AsyncIterator[Twinkle]:
    """The phone, started with the profile that the target's README names."""
    async with desk.phone(login, "twinkle-console", "softphone.cfg") as process:
        await process.type("auto_answer -a on")
        await process.says("Auto answer enabled.")
        yield Twinkle(process, desk, name)
