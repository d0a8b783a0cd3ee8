"""Commands as real processes: ended in time, as a whole, and never waited for in vain."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from provisioner.core.errand import Ran
from provisioner.core.times import seconds
from provisioner.edge.awaited_command import run_command
from provisioner.edge.command import Printed, TooLateError, TooMuchError, print_of, run
from tests.machine import PATIENCE

Run = Callable[[Sequence[str], float], Awaitable[Ran]]
DONE = Ran(0)
# Seconds; far less than the minute that the commands here sleep.
SOON = 20.0


async def blocking(argv: Sequence[str], seconds: float) -> Ran:
    """As the courier runs a command: in a thread of its own."""
    return await asyncio.to_thread(run, argv, seconds)


@pytest.fixture(params=[run_command, blocking], ids=["awaited", "blocking"])
def run_it(request: pytest.FixtureRequest) -> Run:
    return request.param


def shell(script: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", script)


def python(script: str) -> tuple[str, ...]:
    return (sys.executable, "-c", script)


def gone(pid: int) -> bool:
    """Does this process end? (A zombie that nobody has reaped yet has ended.)"""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.005)
    return False


NO_ARGUMENT = "an argument holds a character that cannot be one"


@pytest.mark.parametrize(
    ("argv", "ran"),
    [
        (("true",), DONE),
        (("sh", "-c", "exit 7"), Ran(7)),
        (shell("kill -9 $$"), Ran(-9)),
        (("/nowhere",), Ran(None, "cannot be started: No such file or directory")),
        (("/etc",), Ran(None, "cannot be started: Permission denied")),
        (("echo", "a\0b"), Ran(None, f"cannot be started: {NO_ARGUMENT}")),
        (("echo", "\ud800"), Ran(None, f"cannot be started: {NO_ARGUMENT}")),
    ],
)
async def test_how_a_command_ends_is_told(run_it: Run, argv: tuple[str, ...], ran: Ran):
    assert await run_it(argv, PATIENCE) == ran


async def test_an_argument_is_no_shell(run_it: Run, tmp_path: Path):
    target = tmp_path / "made; touch $(pwd)"
    assert await run_it(("touch", str(target)), PATIENCE) == DONE
    assert os.listdir(tmp_path) == ["made; touch $(pwd)"]


async def test_a_command_reads_nothing_and_prints_to_nobody(run_it: Run, capfd):
    assert await run_it(shell("cat; echo out; echo err >&2"), PATIENCE) == DONE
    assert capfd.readouterr() == ("", "")


async def test_a_command_that_takes_too_long_is_ended_with_all_its_children(run_it: Run, tmp_path: Path):
    script = f"sleep 60 & echo $! > {tmp_path}/child; trap '' TERM HUP; wait"
    started = time.monotonic()
    ran = await run_it(shell(script), 2.0)  # the child is there by then
    assert time.monotonic() - started < SOON
    assert ran == Ran(None, "took longer than 2 s")
    assert gone(int((tmp_path / "child").read_text()))


async def test_what_a_command_leaves_behind_is_ended(run_it: Run, tmp_path: Path):
    started = time.monotonic()
    assert await run_it(shell(f"sleep 60 & echo $! > {tmp_path}/child"), PATIENCE) == DONE
    assert time.monotonic() - started < SOON
    assert gone(int((tmp_path / "child").read_text()))


def apart(told: Path) -> str:
    """A script with a child that is in a session of its own by the time it ends; its number is in ``told``."""
    os.mkfifo(f"{told}-there")
    return f"setsid sh -c 'echo $$ > {told}-there; exec sleep 60' & cat {told}-there > {told}"


async def test_what_goes_into_a_session_of_its_own_is_not_waited_for(run_it: Run, tmp_path: Path):
    script = apart(tmp_path / "child")
    started = time.monotonic()
    assert await run_it(shell(script), PATIENCE) == DONE
    assert time.monotonic() - started < SOON
    os.kill(int((tmp_path / "child").read_text()), 9)


async def test_the_loop_goes_on_while_a_command_runs(tmp_path: Path):
    os.mkfifo(tmp_path / "fifo")
    running = asyncio.create_task(run_command(("cat", str(tmp_path / "fifo")), PATIENCE))
    writer = await asyncio.to_thread(os.open, tmp_path / "fifo", os.O_WRONLY)
    assert not running.done()
    os.close(writer)
    assert await running == DONE


async def test_a_command_that_is_given_up_is_ended(tmp_path: Path):
    os.mkfifo(tmp_path / "fifo")
    running = asyncio.create_task(run_command(shell(f"echo $$ > {tmp_path}/fifo; sleep 60"), 60.0))
    child = int(await asyncio.to_thread((tmp_path / "fifo").read_text))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert gone(child)


async def test_no_descriptor_is_left_open():
    before = len(os.listdir("/proc/self/fd"))
    for argv in (("true",), ("false",), ("/nowhere",), ("sleep", "60")):
        await run_command(argv, 0.1)
        await blocking(argv, 0.1)
    for argv, most in ((("echo", "x"), 10), (("echo", "xxx"), 1)):
        try:
            print_of(argv, PATIENCE, most)
        except TooMuchError:
            continue
    assert len(os.listdir("/proc/self/fd")) == before


# What a command prints


@pytest.mark.parametrize(
    ("argv", "printed"),
    [
        (("printf", "secret"), Printed(0, b"secret")),
        (("true",), Printed(0, b"")),
        (shell("echo out; echo err >&2; exit 3"), Printed(3, b"out\n")),
        (python("import sys; sys.stdout.write('x' * 200_000)"), Printed(0, b"x" * 200_000)),
        (shell("echo one; exec >&-; sleep 0.1; exit 4"), Printed(4, b"one\n")),
    ],
)
def test_all_that_is_printed_is_taken(argv, printed):
    assert print_of(argv, PATIENCE, 200_000) == printed


async def test_the_longest_time_that_the_settings_take_is_no_mistake(run_it: Run):
    assert await run_it(shell("exit 0"), seconds("999999h")) == DONE
    assert print_of(shell("echo secret"), seconds("999999h"), 100) == Printed(0, b"secret\n")


@pytest.mark.parametrize("script", ["sleep 60", "echo half; sleep 60", "exec >&-; sleep 60", "while :; do :; done"])
def test_a_slow_command_is_ended(script: str):
    started = time.monotonic()
    with pytest.raises(TooLateError):
        print_of(shell(script), 0.2, 100)
    assert time.monotonic() - started < SOON


def test_a_grandchild_that_keeps_the_pipe_open_is_not_waited_for(tmp_path: Path):
    started = time.monotonic()
    assert print_of(shell(f"sleep 60 & echo $! > {tmp_path}/child; echo secret"), 30.0, 100) == Printed(0, b"secret\n")
    script = apart(tmp_path / "apart") + "; echo secret"
    assert print_of(shell(script), 30.0, 100) == Printed(0, b"secret\n")
    assert time.monotonic() - started < SOON
    assert gone(int((tmp_path / "child").read_text()))
    os.kill(int((tmp_path / "apart").read_text()), 9)


def test_what_is_printed_may_be_a_password_and_stands_in_no_repr():
    assert "s3cret" not in repr(Printed(0, b"s3cret"))


def test_a_flood_is_cut_off():
    started = time.monotonic()
    with pytest.raises(TooMuchError):
        print_of(("cat", "/dev/zero"), 30.0, 1000)
    assert time.monotonic() - started < SOON


def test_a_trickle_does_not_outlast_the_time_limit():
    started = time.monotonic()
    with pytest.raises(TooLateError):
        print_of(shell("while :; do printf x; sleep 0.01; done"), 0.3, 100_000)
    assert time.monotonic() - started < SOON
