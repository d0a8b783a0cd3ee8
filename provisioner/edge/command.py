"""Commands of the administrator: argument lists, never a shell, ended as a whole group when done or overdue."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from provisioner.core.errand import Ran

# Milliseconds; a month. poll(2) takes no more than fits in a C int.
_LONGEST_POLL = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Printed:
    """What a command gave: ``code`` is its exit code (negative: the signal that ended it)."""

    code: int
    output: bytes = field(repr=False)


class TooLateError(Exception):
    """A command was not done in time."""


class TooMuchError(Exception):
    """A command printed more than it may."""


def run(argv: Sequence[str], seconds: float) -> Ran:
    """Run ``argv`` for at most ``seconds``; then it is ended with its whole group."""
    try:
        with started(argv) as (command, end):
            if not select.select([end], [], [], seconds)[0]:
                return too_late(seconds)
            return Ran(command.wait())
    except (OSError, ValueError) as error:
        return not_started(error)


def too_late(seconds: float) -> Ran:
    """A command that took longer than it may."""
    return Ran(None, f"took longer than {seconds:g} s")


def not_started(error: OSError | ValueError) -> Ran:
    """A command that is none."""
    return Ran(None, f"cannot be started: {why(error)}")


def print_of(argv: Sequence[str], seconds: float, most: int) -> Printed:
    """Run ``argv`` and take what it prints until it ends; what it leaves behind is ended too.

    Raises OSError or ValueError when it cannot be started, TooLateError after ``seconds``, TooMuchError beyond ``most``
    bytes. Its standard error may hold anything, so nobody is shown it.
    """
    with started(argv, subprocess.PIPE) as (command, end):
        assert command.stdout is not None
        with command.stdout as pipe:
            output = _read(pipe.fileno(), end, deadline=time.monotonic() + seconds, most=most)
        return Printed(command.wait(), output)


def why(error: OSError | ValueError) -> str:
    """What the system said; an argument that no system call takes is an error of another kind."""
    return (isinstance(error, OSError) and error.strerror) or "an argument holds a character that cannot be one"


@contextmanager
def started(argv: Sequence[str], stdout: int = subprocess.DEVNULL) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The command as leader of a session of its own, and a descriptor that becomes readable when it ends."""
    command = subprocess.Popen(  # noqa: S603 - an argument list from the administrator's own YAML, no shell
        argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.DEVNULL, start_new_session=True
    )
    end = os.pidfd_open(command.pid)
    try:
        yield command, end
    finally:
        _end_group(command)
        os.close(end)


def _end_group(leader: subprocess.Popen[bytes]) -> None:
    # While a member of the group is left its number is nobody else's; one of another user (sudo) cannot be killed.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        leader.wait(1.0)


def _read(pipe: int, end: int, *, deadline: float, most: int) -> bytes:
    """All that comes before the command ends: whoever it left behind may keep the pipe open for ever."""
    output = b""
    events = select.poll()
    events.register(pipe, select.POLLIN)
    events.register(end, select.POLLIN)
    os.set_blocking(pipe, False)
    while True:
        left = max(0.0, deadline - time.monotonic()) * 1000
        ready = {descriptor for descriptor, _ in events.poll(min(left, _LONGEST_POLL))}
        if not ready:
            raise TooLateError
        if pipe in ready:
            piece = os.read(pipe, most + 1)
            output += piece
            if not piece:
                events.unregister(pipe)
        if len(output) > most:
            raise TooMuchError
        if ready == {end}:
            return output
