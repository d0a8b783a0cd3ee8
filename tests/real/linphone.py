"""Linphone without a window: linphonec, with the configuration of the desktop phone, as the target's README says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.real.desk import Desk
from tests.real.processes import Running


@dataclass(frozen=True)
class Linphonec:
    """The phone in the terminal."""

    process: Running

    async def call(self, number: str) -> None:
        """Call ``number`` at the agent's own registrar."""
        await self.process.type(f"call {number}")

    async def answer(self) -> None:
        """It answers by itself."""

    async def press(self, digits: str) -> None:
        """Press digits during a call."""
        await self.process.type(digits)

    async def hang_up(self) -> None:
        """End the call."""
        await self.process.type("terminate")


@asynccontextmanager
async def linphonec(desk: Desk, login: str) -> AsyncIterator[Linphonec]:
    """The phone, started; it answers calls by itself."""
    arguments = ["linphonec", "-a", "-d", "6", "-c", f"/home/{login}/.config/linphone/linphonerc"]
    async with desk.phone(login, *arguments, farewell="quit") as process:
        yield Linphonec(process)
