"""Faults on purpose: a process that dies, or a system call that fails, at the n-th step; disks that are full."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

ROOT = os.geteuid() == 0


def _touches_the_disk(function: object) -> bool:
    # To close a descriptor changes nothing on the disk, and does not fail.
    if function is os.close:
        return False
    return getattr(function, "__module__", "") == "posix" or isinstance(
        getattr(function, "__self__", None), sqlite3.Connection
    )


def calls_of(action: Callable[[], object]) -> list[str]:
    """The names of the system calls that ``action`` makes, in order."""
    made: list[str] = []

    def note(frame: object, event: str, function: object) -> None:
        if event == "c_call" and _touches_the_disk(function):
            made.append(function.__name__)  # type: ignore[attr-defined]

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return made


def _at_call(number: int, strike: Callable[[], None]) -> None:
    left = number

    def count(frame: object, event: str, function: object) -> None:
        nonlocal left
        if event == "c_call" and _touches_the_disk(function):
            left -= 1
            if left < 0:
                strike()

    sys.setprofile(count)


def killed_at_each_call(action: Callable[[], object]) -> Iterator[int]:
    """Runs ``action`` in child processes that are killed before their first, second, … call to the disk, until one
    gets through; gives control after each, with the number of calls that it made."""
    number = 0
    while True:
        child = os.fork()
        if child == 0:
            try:
                _at_call(number, lambda: os.kill(os.getpid(), signal.SIGKILL))
                action()
                sys.setprofile(None)
                os._exit(0)
            finally:
                os._exit(1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (0, -signal.SIGKILL)
        yield number
        if status == 0:
            return
        number += 1


def failing_at_each_call(action: Callable[[], object]) -> Iterator[BaseException | None]:
    """Runs ``action`` with its first, second, … call to the disk failing as on a full disk; gives what it raised."""
    for number in range(len(calls_of(action)) + 1):
        yield _failing_at(number, action)


def _failing_at(number: int, action: Callable[[], object]) -> BaseException | None:
    def strike() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    _at_call(number, strike)
    try:
        action()
    except Exception as error:
        return error
    finally:
        sys.setprofile(None)
    return None


def meddled_with_at_each_call(
    action: Callable[[], object], meddle: Callable[[], None]
) -> Iterator[BaseException | None]:
    """Runs ``action`` with somebody else doing ``meddle`` just before its first, second, … call to the disk; gives what
    it raised."""
    for number in range(len(calls_of(action)) + 1):
        yield _meddled_with_at(number, action, meddle)


def _meddled_with_at(number: int, action: Callable[[], object], meddle: Callable[[], None]) -> BaseException | None:
    def strike() -> None:
        sys.setprofile(None)
        meddle()

    _at_call(number, strike)
    try:
        action()
    except Exception as error:
        return error
    finally:
        sys.setprofile(None)
    return None


def run_python(script: str, *arguments: object, wrapper: tuple[str, ...] = ()) -> str:
    """What a Python of its own, started through ``wrapper``, prints when it runs ``script``. Fails when that fails."""
    command = [*wrapper, sys.executable, "-c", dedent(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def on_small_disk(script: str, folder: Path, size: str = "64k") -> str:
    """Runs ``script`` where ``folder`` (its first argument) is a disk of that ``size`` for it alone."""
    mount = 'mount -t tmpfs -o size="$0" tmpfs "$1" && shift && exec "$@"'
    return run_python(script, folder, wrapper=("unshare", "-rm", "sh", "-c", mount, size, str(folder)))


def as_plain_user(folder: Path, action: Callable[[int], object]) -> None:
    """Runs ``action`` with a descriptor of ``folder`` as a user whom modes bind. Fails when it raises."""
    base = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    child = os.fork()
    if child == 0:
        try:
            if ROOT:
                _give_away(base)
            action(base)
            os._exit(0)
        except BaseException as error:
            os.write(2, f"{error!r}\n".encode())
        finally:
            os._exit(1)
    os.close(base)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _give_away(base: int) -> None:
    for _, folders, files, descriptor in os.fwalk(dir_fd=base):
        for name in (*folders, *files):
            os.chown(name, 65534, 65534, dir_fd=descriptor, follow_symlinks=False)
    os.fchown(base, 65534, 65534)
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
