"""A workstation for tests: the real program as a process, below a folder of its own."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provisioner.cli.ask import ask
from provisioner.places import Places, places_of
from tests import warm
from tests.file_store import FileStore

PATIENCE = 30.0
# What is started with these words ends, at the latest, with whoever started it.
ORPHAN_ENDS = ("setpriv", "--pdeathsig", "TERM", "--")
LOOK_AGAIN = 0.01
Process = asyncio.subprocess.Process | warm.Process


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Machine:
    """``root`` is the folder below which the machine's files are. ``cold`` says whether each process starts as a user's
    does, or with the program loaded."""

    def __init__(self, root: Path, url: str, *, cold: bool = True) -> None:
        self.root = root
        self.url = url
        self.cold = cold
        self.places: Places = places_of(root, None, None)
        self.agents_d = self.places.config / "agents.d"
        self.agents_d.mkdir(parents=True)
        # Code, for what the service is to find done.
        self.before = ""
        self.store = FileStore()
        self.main = self.places.config / "provisioner.yaml"
        self.main.write_text(
            f"platform:\n  url: {url}\nlogin: {{splay: 0s, first_retry: 1s}}\nwatch: {{settle: 50ms}}\n"
        )

    def agent(self, login: str, *more: str, password: str | None = None) -> Path:
        """Write one agent's file, with further lines of YAML; the home is made."""
        (self.root / "home" / login).mkdir(parents=True, exist_ok=True)
        path = self.agents_d / f"{login}.yaml"
        lines = [f"- login: {login}", f"  password: {password or 'pw-' + login}", f"  home: /home/{login}", *more]
        path.touch(mode=0o600)
        path.write_text("\n".join(["agents:", *lines, ""]))
        return path

    def home(self, login: str) -> Path:
        return self.root / "home" / login

    def files(self) -> dict[str, str]:
        """Everything below the homes."""
        homes = self.root / "home"
        return {str(path.relative_to(homes)): path.read_text() for path in sorted(homes.rglob("*")) if path.is_file()}

    async def command(self, *arguments: str, **environment: str) -> Done:
        """Run a verb to its end."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            files = {1: out.fileno(), 2: err.fileno()}
            words = (*arguments, "--root", str(self.root))
            process = await self._start(warm.Start(warm.PROVISIONER, words, {**os.environ, **environment}, files))
            code = await asyncio.wait_for(process.wait(), PATIENCE)
            out.seek(0)
            err.seek(0)
            return Done(code, out.read().decode(), err.read().decode())

    async def _start(self, start: warm.Start) -> Process:
        if not self.cold:
            return warm.Process(start)
        assert not start.files.keys() - {1, 2}
        return await asyncio.create_subprocess_exec(
            *ORPHAN_ENDS, sys.executable, "-c", start.code, *start.arguments,
            stdout=start.files[1], stderr=start.files[2], env=start.environment,
        )  # fmt: skip

    @asynccontextmanager
    async def running(self, *arguments: str, **environment: str) -> AsyncIterator[Service]:
        """The service, ready; it is ended with the block."""
        address = str(self.root / "notify")
        with suppress(FileNotFoundError):
            os.unlink(address)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as notify:
            notify.bind(address)
            log = self.root / "journal.log"
            with log.open("ab") as out:
                told = {**os.environ, "NOTIFY_SOCKET": address, **self.store.environment(), **environment}
                code = self.before + self.store.before() + warm.PROVISIONER
                words = ("run", "--root", str(self.root), *arguments)
                files = {1: out.fileno(), 2: out.fileno(), **self.store.files()}
                process = await self._start(warm.Start(code, words, told, files))
            service = Service(self, process, notify, log)
            asyncio.get_running_loop().add_reader(notify, service.hear)
            try:
                await service.told("READY=1")
                yield service
            finally:
                with suppress(ProcessLookupError):
                    process.kill() if service.killed else process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), PATIENCE)
                finally:
                    with suppress(ProcessLookupError):
                        process.kill()  # what did not end is a failure, and not left behind
                    asyncio.get_running_loop().remove_reader(notify)
                with suppress(BlockingIOError):  # its last words
                    while True:
                        service.hear()


@dataclass
class Service:
    """The running service."""

    machine: Machine
    process: Process
    notify: socket.socket
    log: Path
    messages: list[str] = field(default_factory=list)
    killed: bool = False
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self) -> None:
        """Take what the service manager is told."""
        self.messages.append(self.machine.store.hear(self.notify))
        self.heard.set()

    async def told(self, word: str, *, count: int = 1) -> None:
        """Wait until the service manager was told ``word`` that often."""
        ended = asyncio.ensure_future(self.process.wait())
        async with asyncio.timeout(PATIENCE):
            while sum(word in message for message in self.messages) < count:
                self.heard.clear()
                heard = asyncio.ensure_future(self.heard.wait())
                await asyncio.wait([heard, ended], return_when=asyncio.FIRST_COMPLETED)
                heard.cancel()
                if not self.heard.is_set():
                    raise AssertionError(f"the service ended with {ended.result()}:\n{self.log.read_text()}")

    async def status(self) -> dict[str, Any]:
        return await asyncio.to_thread(ask, self.machine.places.socket, {"verb": "status"})

    async def until(self, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first status of which ``true`` holds."""
        async with asyncio.timeout(PATIENCE):
            while not true(status := await self.status()):  # noqa: ASYNC110 - another process does it
                await asyncio.sleep(LOOK_AGAIN)
        return status

    async def logged_in(self, *logins: str) -> dict[str, Any]:
        """Wait until these are logged in and have files."""

        def true(status: dict[str, Any]) -> bool:
            done = {one["agent"] for one in status["agents"] if one["login"]["state"] == "logged in" and one["targets"]}
            return done >= set(logins)

        return await self.until(true)

    async def reload(self, *arguments: str) -> Done:
        return await self.machine.command("reload", "--wait", *arguments)

    async def kill(self) -> None:
        """End it as a power cut does."""
        self.killed = True
        self.process.kill()
        await self.process.wait()


async def until(true: Callable[[], bool]) -> None:
    """Look again and again until ``true`` holds, for things that nobody reports."""
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(LOOK_AGAIN)
