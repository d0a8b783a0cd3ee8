"""A running baresip of our own user, by its control port. Anybody on the machine may listen at a port, so nothing
secret is said before the kernel has told whose socket answers.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provisioner.core.baresip_control import ControlError, Said, answers, question

SECONDS = 5.0
_TABLE = Path("/proc/self/net/tcp")
_ESTABLISHED = "01"


class StrangerError(ControlError):
    """Somebody else's program listens where the phone should."""


class Baresip:
    """One conversation."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = bytearray()

    def ask(self, command: str, parameters: str = "") -> Said:
        """What it says to ``command``. Raises ControlError, and OSError when it is gone or takes too long."""
        self._connection.sendall(question(command, parameters))
        while True:
            for said in answers(self._received):
                return said
            piece = self._connection.recv(65536)
            if not piece:
                raise ControlError("baresip hung up")
            self._received += piece

    def check(self) -> None:
        """Raises StrangerError unless the socket that answers belongs to our own user."""
        here, there = self._connection.getsockname(), self._connection.getpeername()
        for line in _TABLE.read_text().splitlines()[1:]:
            _, local, remote, state, _, _, _, uid, *_ = line.split()
            if (local, remote, state) == (_spelt(there), _spelt(here), _ESTABLISHED):
                if int(uid) == os.geteuid():
                    return
                break
        raise StrangerError("another user listens at the phone's control port")


@contextmanager
def baresip(port: int) -> Iterator[Baresip]:
    """The phone at ``port`` of 127.0.0.1, which is our own user's. Raises ConnectionRefusedError where none runs, and
    StrangerError."""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        phone = Baresip(connection)
        phone.ask("reginfo")  # a socket has no owner before it is accepted
        phone.check()
        yield phone


def _spelt(address: tuple[str, int]) -> str:
    (number,) = struct.unpack("=I", socket.inet_aton(address[0]))
    return f"{number:08X}:{address[1]:04X}"
