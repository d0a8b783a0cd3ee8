"""Waiting with an end."""

from __future__ import annotations

import asyncio
from contextlib import suppress


async def first_of(event: asyncio.Event, seconds: float | None) -> None:
    """Wait for ``event``, but no longer than ``seconds``; None is for ever."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
