"""Servers and phones as processes: each in a session of its own, ended whole by whoever started it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.machine import PATIENCE, until

# Seconds that a process gets to end by itself.
GRACE = 5.0
# Private mounts: `FROM ONTO` pairs up to a `--`, then the command.
_MOUNT = 'while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit 125; shift 2; done; shift; exec "$@"'


@dataclass(frozen=True)
class Command:
    """What to start. ``mounts`` are seen by this process alone: path here → path where the process sees it.
    ``farewell`` is typed to end it, where a signal is not obeyed.
    """

    arguments: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: Mapping[str | Path, str | Path] = field(default_factory=dict)
    farewell: str = ""

    def line(self) -> list[str]:
        """The whole command line: it dies with this process, whatever happens."""
        mounts = [str(path) for pair in self.mounts.items() for path in pair]
        private = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _MOUNT, "sh", *mounts, "--"]
        return ["setpriv", "--pdeathsig", "KILL", *(private if mounts else []), *self.arguments]


@dataclass(frozen=True)
class Running:
    """A process that runs; what it prints is in ``log``."""

    process: asyncio.subprocess.Process
    log: Path
    farewell: str = ""

    def said(self) -> str:
        """All that it printed until now."""
        return self.log.read_text(errors="replace")

    async def says(self, text: str, *, count: int = 1) -> None:
        """Wait until it printed ``text`` that often."""
        await self.until(lambda: self.said().count(text) >= count)

    async def until(self, true: object) -> None:
        """Wait until ``true()``; raises AssertionError with its words when it ends before."""
        waiting = asyncio.ensure_future(until(true))  # type: ignore[arg-type]
        ended = asyncio.ensure_future(self.process.wait())
        await asyncio.wait([waiting, ended], return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            raise AssertionError(f"ended with {ended.result()}:\n{self.said()[-4000:]}")
        ended.cancel()
        try:
            waiting.result()
        except TimeoutError:
            raise AssertionError(f"in {PATIENCE} s not what was waited for:\n{self.said()[-4000:]}") from None

    async def type(self, line: str) -> None:
        """Type a line at its prompt."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        await self.process.stdin.drain()

    async def end(self) -> None:
        """End it and all that it started."""
        if self.farewell and self.process.returncode is None:
            with suppress(ConnectionError, TimeoutError):
                await self.type(self.farewell)
                await asyncio.wait_for(self.process.wait(), GRACE)
        for how, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, PATIENCE)):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, how)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), patience)
        assert self.process.returncode is not None
        await until(lambda: not _lives(self.process.pid))


@asynccontextmanager
async def running(command: Command) -> AsyncIterator[Running]:
    """The process, while the context lasts."""
    with command.log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            *command.line(), stdin=asyncio.subprocess.PIPE, stdout=out, stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **command.environment}, start_new_session=True,
        )  # fmt: skip
    one = Running(process, command.log, command.farewell)
    try:
        yield one
    finally:
        await one.end()


def _lives(session: int) -> bool:
    """Does anybody of a session still do something, such as write into a folder that is about to be removed?"""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, _, _, its_session, *_ = (process / "stat").read_text().rpartition(")")[2].split()
            if int(its_session) == session and state not in "ZX":
                return True
    return False
