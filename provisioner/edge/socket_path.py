"""Addresses of UNIX sockets with long paths."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST = 107  # unix(7): sun_path without its end


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """An address for the socket ``path`` that is short enough, through a descriptor of its folder where need be.

    Raises OSError when there is no such folder.
    """
    if len(os.fsencode(path)) <= LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
