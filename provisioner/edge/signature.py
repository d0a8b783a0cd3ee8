"""Did a file change? Its times and numbers say so, unless it was read too soon after it was written."""

from __future__ import annotations

import os

Signature = tuple[int, ...]
# A file changed this short a time before it was looked at may change again without its time stamps moving.
_RACY_SECONDS = 2.0


def signature(status: os.stat_result) -> Signature:
    """What differs when the file, its content or its mode is another."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode)


def is_settled(status: os.stat_result, looked_at: float) -> bool:
    """Would a change after ``looked_at`` (Unix seconds) show in the signature?

    The time of change counts, not the time of modification alone: `cp -p` and `rsync -t` set the latter back.
    """
    return looked_at - max(status.st_mtime, status.st_ctime) > _RACY_SECONDS
