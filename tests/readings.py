"""When another process reads a file, as the kernel tells."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.machine import PATIENCE

_CLOSE_NOWRITE = 0x10  # inotify(7), sys/inotify.h
_LARGEST = 4096


@contextmanager
def readings(path: Path) -> Iterator[Callable[[], Awaitable[None]]]:
    """Calls wait until ``path`` was read again."""
    libc = ctypes.CDLL(None)
    descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert libc.inotify_add_watch(descriptor, os.fsencode(path), _CLOSE_NOWRITE) > 0
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, lambda: (os.read(descriptor, _LARGEST), heard.set()))

    async def next_reading() -> None:
        heard.clear()
        async with asyncio.timeout(PATIENCE):
            await heard.wait()

    try:
        yield next_reading
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
