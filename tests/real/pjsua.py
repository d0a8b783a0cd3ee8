"""pjsua in the terminal, without a sound card."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.real import pjproject
from tests.real.desk import Desk
from tests.real.processes import Running

# How a person at its prompt sends digits: as the target's README says.
_KEYS = {"rfc2833": "#", "info": "*"}


@dataclass(frozen=True)
class Pjsua:
    """The phone, driven at its prompt."""

    process: Running
    key: str

    async def call(self, number: str) -> None:
        """Call ``number`` at the agent's own domain."""
        await self.process.type(f"m\nsip:{number}@localhost")

    async def answer(self) -> None:
        """It answers by itself."""

    async def press(self, digits: str) -> None:
        """Press digits during a call."""
        await self.process.type(f"{self.key}\n{digits}")

    async def hang_up(self) -> None:
        """End the call."""
        await self.process.type("h")


@asynccontextmanager
async def pjsua(desk: Desk, login: str, dtmfmode: str) -> AsyncIterator[Pjsua]:
    """The phone, started with the file that the target's README names; it answers calls by itself."""
    file = f"/home/{login}/.config/softphone-provisioner/pjsua/pjsua.conf"
    arguments = [str(pjproject.program()), "--config-file", file, "--null-audio", "--no-vad", "--auto-answer", "200"]
    async with desk.phone(login, *arguments, farewell="q") as process:
        yield Pjsua(process, _KEYS[dtmfmode])
