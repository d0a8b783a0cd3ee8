"""Commands of the administrator that the event loop waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from provisioner.core.errand import Ran
from provisioner.edge.command import not_started, started, too_late


async def run_command(argv: Sequence[str], seconds: float) -> Ran:
    """Run ``argv`` for at most ``seconds``; then it is ended with its whole group."""
    try:
        with started(argv) as (command, end):
            async with asyncio.timeout(seconds):
                await _readable(end)
            return Ran(command.wait())
    except TimeoutError:
        return too_late(seconds)
    except (OSError, ValueError) as error:
        return not_started(error)


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    loop.add_reader(descriptor, done.set)
    try:
        await done.wait()
    finally:
        loop.remove_reader(descriptor)
