"""Commands as real processes: ended in time, as a whole, and never waited for in vain."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from provisioner.core.problem import Place
from provisioner.edge.command import Printed, TooLateError, TooMuchError, print_of, run_command

PLACE = Place("agent marta, linphone")


def shell(script: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", script)


def python(script: str) -> tuple[str, ...]:
    return (sys.executable, "-c", script)


def gone(pid: int) -> bool:
    """Does this process end? (A zombie that nobody has reaped yet has ended.)"""
    deadline = time.monotonic() + 5
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
    ("argv", "problem"),
    [
        (("true",), None),
        (("sh", "-c", "exit 7"), "sh failed with exit code 7 (run it by hand)"),
        (shell("kill -9 $$"), "/bin/sh failed with exit code -9 (run it by hand)"),
        (("/nowhere",), "/nowhere cannot be started: No such file or directory (correct `reload:`)"),
        (("/etc",), "/etc cannot be started: Permission denied (correct `reload:`)"),
        (("echo", "a\0b"), f"echo cannot be started: {NO_ARGUMENT} (correct `reload:`)"),
        (("echo", "\ud800"), f"echo cannot be started: {NO_ARGUMENT} (correct `reload:`)"),
    ],
)
async def test_how_a_command_ends_is_told(argv, problem):
    found = await run_command(argv, 5.0, PLACE)
    assert (str(found) if found else None) == (f"{PLACE}: the reload command {problem}" if problem else None)


async def test_an_argument_is_no_shell(tmp_path: Path):
    target = tmp_path / "made; touch $(pwd)"
    assert await run_command(("touch", str(target)), 5.0, PLACE) is None
    assert os.listdir(tmp_path) == ["made; touch $(pwd)"]


async def test_a_command_reads_nothing_and_prints_to_nobody(capfd):
    assert await run_command(shell("cat; echo out; echo err >&2"), 5.0, PLACE) is None
    assert capfd.readouterr() == ("", "")


async def test_a_command_that_takes_too_long_is_ended_with_all_its_children(tmp_path: Path):
    script = f"sleep 60 & echo $! > {tmp_path}/child; trap '' TERM HUP; wait"
    started = time.monotonic()
    problem = await run_command(shell(script), 0.3, PLACE)
    assert time.monotonic() - started < 3
    assert problem and problem.what == "the reload command /bin/sh took longer than 0.3 s"
    assert gone(int((tmp_path / "child").read_text()))


async def test_what_a_command_leaves_behind_is_ended(tmp_path: Path):
    started = time.monotonic()
    assert await run_command(shell(f"sleep 60 & echo $! > {tmp_path}/child"), 5.0, PLACE) is None
    assert time.monotonic() - started < 3
    assert gone(int((tmp_path / "child").read_text()))


async def test_what_goes_into_a_session_of_its_own_is_not_waited_for(tmp_path: Path):
    script = f"setsid sleep 60 & echo $! > {tmp_path}/child"
    started = time.monotonic()
    assert await run_command(shell(script), 5.0, PLACE) is None
    assert time.monotonic() - started < 3
    os.kill(int((tmp_path / "child").read_text()), 9)


async def test_the_loop_goes_on_while_a_command_runs(tmp_path: Path):
    os.mkfifo(tmp_path / "fifo")
    running = asyncio.create_task(run_command(("cat", str(tmp_path / "fifo")), 5.0, PLACE))
    writer = await asyncio.to_thread(os.open, tmp_path / "fifo", os.O_WRONLY)
    assert not running.done()
    os.close(writer)
    assert await running is None


async def test_a_command_that_is_given_up_is_ended(tmp_path: Path):
    os.mkfifo(tmp_path / "fifo")
    running = asyncio.create_task(run_command(shell(f"echo $$ > {tmp_path}/fifo; sleep 60"), 60.0, PLACE))
    child = int(await asyncio.to_thread((tmp_path / "fifo").read_text))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert gone(child)


async def test_no_descriptor_is_left_open():
    before = len(os.listdir("/proc/self/fd"))
    for argv in (("true",), ("false",), ("/nowhere",), ("sleep", "60")):
        await run_command(argv, 0.1, PLACE)
    for argv, most in ((("echo", "x"), 10), (("echo", "xxx"), 1)):
        try:
            print_of(argv, 5.0, most)
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
    assert print_of(argv, 5.0, 200_000) == printed


@pytest.mark.parametrize("script", ["sleep 60", "echo half; sleep 60", "exec >&-; sleep 60", "while :; do :; done"])
def test_a_slow_command_is_ended(script: str):
    started = time.monotonic()
    with pytest.raises(TooLateError):
        print_of(shell(script), 0.2, 100)
    assert time.monotonic() - started < 3


def test_a_grandchild_that_keeps_the_pipe_open_is_not_waited_for(tmp_path: Path):
    started = time.monotonic()
    assert print_of(shell(f"sleep 60 & echo $! > {tmp_path}/child; echo secret"), 30.0, 100) == Printed(0, b"secret\n")
    assert print_of(shell("setsid sleep 3 & echo secret"), 30.0, 100) == Printed(0, b"secret\n")
    assert time.monotonic() - started < 2
    assert gone(int((tmp_path / "child").read_text()))


def test_a_flood_is_cut_off():
    started = time.monotonic()
    with pytest.raises(TooMuchError):
        print_of(("cat", "/dev/zero"), 30.0, 1000)
    assert time.monotonic() - started < 3


def test_a_trickle_does_not_outlast_the_time_limit():
    started = time.monotonic()
    with pytest.raises(TooLateError):
        print_of(shell("while :; do printf x; sleep 0.01; done"), 0.3, 100_000)
    assert time.monotonic() - started < 3
