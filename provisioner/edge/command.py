"""Commands of the administrator: argument lists, never a shell, ended as a whole group when they take too long."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress

from provisioner.core.problem import Place, Problem


async def run_command(argv: Sequence[str], seconds: float, place: Place) -> Problem | None:
    """Run ``argv`` for at most ``seconds``; gives the problem when it did not end with exit code 0."""
    name = argv[0]
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        return Problem(place, f"the reload command {name} cannot be started: {error.strerror}", "correct `reload:`")
    try:
        async with asyncio.timeout(seconds):
            code = await process.wait()
    except TimeoutError:
        return Problem(place, f"the reload command {name} took longer than {seconds:g} s", "see what it waits for")
    finally:
        end_group(process.pid)
        await process.wait()
    return Problem(place, f"the reload command {name} failed with exit code {code}", "run it by hand") if code else None


def end_group(leader: int) -> None:
    """Kill the process group that ``leader`` began, whoever of it is left."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
