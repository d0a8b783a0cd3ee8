"""A running baresip of our own user, by its control port. Anybody on the machine may listen at a port, so nothing
secret is said before the kernel has told whose socket answers.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from provisioner.core.baresip_control import ControlError, Said, answers, question
from provisioner.edge.socket_table import opened, owners_of

SECONDS = 5.0


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
        ends = self._connection.getpeername(), self._connection.getsockname()
        tables = opened("tcp", "tcp6")
        try:
            uids = owners_of(tables, [ends])[ends]
        finally:
            for table in tables:
                os.close(table)
        if uids != {os.geteuid()}:
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
