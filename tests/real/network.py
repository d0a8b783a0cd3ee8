"""A network of a test's own: loopback and nothing else, so no port is taken and nothing gets out."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of sched.h; os.unshare is there from Python 3.12 on.
# Phones look for an interface with an address and a default route before they believe that there is a network. With
# this route every address is the machine's own, so what asks for one that nobody has (a name server's, say) is told
# at once.
_LOOPBACK = """\
link set lo up
link add desk type veth peer name wall
addr add 192.0.2.1/32 dev desk
link set desk up
link set wall up
route add local default dev lo src 192.0.2.1
"""


@contextmanager
def new_network() -> Iterator[None]:
    """Let this thread, and what it starts, have a network in which nothing is up; needs root. Raises OSError."""
    before = os.open(Path("/proc/thread-self/ns/net"), os.O_RDONLY)
    try:
        _call("unshare", _NEW_NETWORK)
        try:
            yield
        finally:
            _call("setns", before, _NEW_NETWORK)
    finally:
        os.close(before)


@contextmanager
def own_network() -> Iterator[None]:
    """Let this thread, and what it starts, have a network of their own; needs root and `ip`. Raises OSError."""
    with new_network():
        subprocess.run(["ip", "-batch", "-"], input=_LOOPBACK, text=True, check=True, capture_output=True)
        yield


def _call(name: str, *arguments: int) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments):
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
