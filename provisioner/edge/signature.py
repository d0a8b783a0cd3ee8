"""Did a file change? Its times and numbers say so, unless it was read too soon after it was written."""

from __future__ import annotations

import os
import struct

# One object to keep and to compare, where a tuple of numbers would be seven.
Signature = bytes
_PARTS = struct.Struct("=QQQqqL")
# Seconds. A file that changed so short a time before it was looked at may change again without its time stamps moving:
# they move with the kernel's clock tick, 10 ms at most, or where whole seconds are kept with them (FAT: even ones).
_RACY, _RACY_WHOLE = 0.1, 2.0


def signature(status: os.stat_result) -> Signature:
    """What differs when the file, its content or its mode is another."""
    return _PARTS.pack(
        status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode
    )


def is_settled(seen: Signature, looked_at: float) -> bool:
    """Would a change after ``looked_at`` (Unix seconds) show in the signature, which was ``seen`` then?

    The time of change counts, not the time of modification alone: `cp -p` and `rsync -t` set the latter back.
    """
    last = max(_PARTS.unpack(seen)[3:5])
    return bool(looked_at - last / 1e9 > (_RACY if last % 1_000_000_000 else _RACY_WHOLE))


def signature_of(path: str) -> Signature:
    """The signature of the file at ``path``; empty when there is none to be seen."""
    try:
        return signature(os.stat(path))  # noqa: PTH116 - asked for every agent at every change
    except OSError:
        return b""


def signatures_in(folder: str) -> dict[str, Signature]:
    """The signature of everything in ``folder``, by name; empty for a link that leads nowhere.

    Raises OSError when the folder cannot be read. A thousand files cost as little as can be: they are looked at for
    every edit.
    """
    found: dict[str, Signature] = {}
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with os.scandir(descriptor) as entries:
            for entry in entries:
                try:
                    found[entry.name] = signature(entry.stat())
                except OSError:
                    found[entry.name] = b""
    finally:
        os.close(descriptor)
    return found
