"""Linphone without a window: linphonec, with the configuration of the desktop phone, as the target's README says."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.machine import PATIENCE
from tests.real.desk import Desk
from tests.real.processes import Command, Running, running


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


@asynccontextmanager
async def linphone_daemon(desk: Desk, login: str) -> AsyncIterator[Running]:
    """The phone for programs, started."""
    arguments = ["linphone-daemon", "--config", f"/home/{login}/.config/linphone/linphonerc"]
    async with desk.phone(login, *arguments, farewell="quit") as process:
        yield process


def console_version() -> str:
    """The version of linphonec and linphone-daemon, which are of one package."""
    told = subprocess.run(["linphonec", "-v"], capture_output=True, text=True, check=True)
    return told.stdout.split()[-1]


def takes_bundle() -> bool:
    """Does it take an offer with BUNDLE? 5.3, in Debian 13, declines it; 5.1 does not know what it is."""
    return tuple(map(int, console_version().split(".")[:2])) < (5, 3)


@dataclass(frozen=True)
class Desktop:
    """The phone for people, without a screen."""

    desk: Desk
    login: str
    environment: tuple[str, ...]

    async def fetch(self) -> None:
        """What the target's README gives as reload: a second call hands the file to the one that runs."""
        file = f"/home/{self.login}/.config/linphone/provisioning.xml"
        async with self.desk.phone(
            self.login, "env", *self.environment, "linphone", f"show fetch-config={file}"
        ) as call:
            await asyncio.wait_for(call.process.wait(), PATIENCE)


@asynccontextmanager
async def linphone_desktop(desk: Desk, login: str) -> AsyncIterator[Desktop]:
    """The phone, started; it finds its files by itself."""
    bus = desk.folder / "bus"
    screenless = "QT_QPA_PLATFORM=offscreen", "QT_QUICK_BACKEND=software", f"DBUS_SESSION_BUS_ADDRESS=unix:path={bus}"
    daemon = Command(["dbus-daemon", "--session", "--nofork", f"--address=unix:path={bus}"], desk.folder / "bus.log")
    async with running(daemon) as session:
        await session.until(bus.exists)
        async with desk.phone(login, "env", *screenless, "linphone", "--verbose"):
            yield Desktop(desk, login, screenless)
