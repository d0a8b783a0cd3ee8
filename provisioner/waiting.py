"""Waiting with an end, and tasks that somebody watches over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


async def first_of(event: asyncio.Event, seconds: float | None) -> None:
    """Wait for ``event``, but no longer than ``seconds``; None is for ever."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
