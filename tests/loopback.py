"""A network of this process's own, with loopback and nothing else."""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct

# Of sched.h, sys/ioctl.h and net/if.h; os.unshare is there from Python 3.12 on.
_NEW_NETWORK = 0x40000000
_SET_FLAGS, _UP = 0x8914, 0x1


def alone() -> None:
    """Leave the machine's network for good, with what this process starts; stay where that is not allowed."""
    if ctypes.CDLL(None).unshare(_NEW_NETWORK) == 0:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
