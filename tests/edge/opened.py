"""Which files (not folders) this process opens, as the interpreter itself tells."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_listening: list[tuple[str, dict[str, None]]] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if _listening and event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        path, flags = os.fsdecode(arguments[0]), arguments[2]
        if isinstance(flags, int) and flags & os.O_DIRECTORY:
            return
        for folder, heard in _listening:
            if path.startswith(folder):
                heard[path] = None


@contextmanager
def opened(folder: Path) -> Iterator[dict[str, None]]:
    """The paths below ``folder`` that are opened while this is in force, as keys in order."""
    if not hasattr(sys, "_opened_is_heard"):
        sys.addaudithook(_hear)
        sys._opened_is_heard = True
    heard: dict[str, None] = {}
    listener = (f"{folder}/", heard)
    _listening.append(listener)
    try:
        yield heard
    finally:
        _listening.remove(listener)
