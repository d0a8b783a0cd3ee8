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
    desk: Desk
    name: str

    async def call(self, number: str) -> None:
        """Call ``number`` at the agent's own domain."""
        await self.process.type(f"/dial {number}")

    async def answer(self) -> None:
        """Take the call that rings."""
        await self.desk.server.rings(self.name)
        await self.process.type("/accept")

    async def press(self, digits: str) -> None:
        """Press digits during a call: keys, and the line's end lets go of the last one."""
        await self.process.type(digits)

    async def hang_up(self) -> None:
        """End the call."""
        await self.process.type("/hangup")


@asynccontextmanager
async def baresip(desk: Desk, login: str, name: str) -> AsyncIterator[Baresip]:
    """The phone, started."""
    async with desk.phone(login, "baresip") as process:
        yield Baresip(process, desk, name)
