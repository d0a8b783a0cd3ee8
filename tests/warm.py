"""Processes of a Python that has loaded the program's modules already. One such process waits, and makes all others of
itself: that takes a hundredth of a second, and loading takes half of one. Run as a program, this file is the one that
waits."""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import functools
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# What the command `provisioner` does.
PROVISIONER = "import sys\nfrom provisioner.cli import main\nsys.exit(main())\n"
_LONGEST, _MOST = 131_072, 253
_PR_SET_PDEATHSIG = 1
_NOBODYS = 500  # numbers from here on are no file's


@dataclass(frozen=True)
class Start:
    """What is to be run: ``code`` with ``arguments``, as ``python -c`` would. ``files`` are its files by the numbers
    that they are to have: 1 and 2 at least, and it has no others but a standard input."""

    code: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    files: Mapping[int, int]


class Process:
    """What runs; it has of :class:`asyncio.subprocess.Process` what tests use."""

    def __init__(self, start: Start) -> None:
        asked = [start.code, start.arguments, dict(start.environment), list(start.files), str(Path.cwd())]
        self._report, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            files = [theirs.fileno(), *start.files.values()]
            socket.send_fds(_who_waits(), [json.dumps(asked).encode()], files)
        told, (self._itself,), _, _ = socket.recv_fds(self._report, _LONGEST, 1)
        os.set_inheritable(self._itself, False)
        self.pid = int(told)
        self.returncode: int | None = None
        self._ending: asyncio.Future[int] | None = None

    def send_signal(self, number: int) -> None:
        """Raises ProcessLookupError when it has ended."""
        if self.returncode is not None:
            raise ProcessLookupError
        signal.pidfd_send_signal(self._itself, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        """Its exit code, or below zero the signal that ended it."""
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._end())
        return await asyncio.shield(self._ending)

    async def _end(self) -> int:
        self._report.setblocking(False)
        return self._ended(await asyncio.get_running_loop().sock_recv(self._report, _LONGEST))

    def wait_here(self, seconds: float) -> int:
        """The same for tests that await nothing. Raises TimeoutError."""
        self._report.settimeout(seconds)
        return self._ended(self._report.recv(_LONGEST))

    def _ended(self, told: bytes) -> int:
        self.returncode = code = int(told)
        self._report.close()
        os.close(self._itself)
        return code


def run(*arguments: object, stdin: bytes = b"", seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
    """The program with ``arguments``, as :func:`subprocess.run` would run it."""
    words = tuple(map(str, arguments))
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        files = {0: given.fileno(), 1: out.fileno(), 2: err.fileno()}
        code = Process(Start(PROVISIONER, words, os.environ, files)).wait_here(seconds)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, code, out.read().decode(), err.read().decode())


@functools.cache
def _who_waits() -> socket.socket:
    """The line to the process that waits, which ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-P", __file__, str(theirs.fileno())]
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
    return ours


# From here on: what is done in the process that waits.


class Waiting:
    """``line`` is where it is asked."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._reports: dict[int, tuple[int, socket.socket]] = {}
        self._poll = select.poll()
        self._poll.register(line, select.POLLIN)

    def code(self) -> str:
        """Make processes until the line ends. Comes back in each of them, with what it is to do."""
        while True:
            for ready, _ in self._poll.poll():
                if ready in self._reports:
                    self._report(ready)
                elif (code := self._hear()) is not None:
                    return code

    def _hear(self) -> str | None:
        asked, files, _, _ = socket.recv_fds(self._line, _LONGEST, _MOST)
        if not asked:
            sys.exit()
        pid = os.fork()
        report = socket.socket(fileno=files.pop(0))
        if pid == 0:
            report.close()
            self._leave()
            return _become(asked, files)
        for file in files:
            os.close(file)
        itself = os.pidfd_open(pid)
        self._reports[itself] = pid, report
        self._poll.register(itself, select.POLLIN)
        socket.send_fds(report, [str(pid).encode()], [itself])
        return None

    def _report(self, itself: int) -> None:
        self._poll.unregister(itself)
        os.close(itself)
        pid, report = self._reports.pop(itself)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with report, suppress(BrokenPipeError):  # where nobody wants to know
            report.send(str(code).encode())

    def _leave(self) -> None:
        """What another process is to have nothing of."""
        self._line.close()
        for itself, (_, report) in self._reports.items():
            os.close(itself)
            report.close()


def _become(asked: bytes, files: list[int]) -> str:
    code, arguments, environment, numbers, folder = json.loads(asked)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)  # at the latest, with the one that waits
    aside = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, _NOBODYS) for file in files]
    for file in files:
        os.close(file)
    for file, number in zip(aside, numbers, strict=True):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments
    return str(code)


def _load() -> None:
    """All of the program, and what it loads only where it needs it."""
    program = importlib.import_module("provisioner")
    found = [module.name for module in pkgutil.walk_packages(program.__path__, "provisioner.")]
    late = ["encodings.idna", "fastjsonschema", "hmac", "jsonschema"]
    for name in [name for name in found if not name.endswith(".__main__")] + late:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    _load()
    exec(Waiting(socket.socket(fileno=int(sys.argv[1]))).code())
