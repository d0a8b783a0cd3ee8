"""The courier's line to the daemon: blocking, and light (the standard library's small modules only)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from provisioner.core.frame import (
    HEAD,
    LONGEST_TO_COURIER,
    LONGEST_TO_DAEMON,
    FrameError,
    frame,
    length_of,
    message_of,
)
from provisioner.edge.socket_path import socket_address

_PIECE = 64 * 1024


class DaemonLine:
    """One connection; several threads may ``say``, one reads."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._turn = threading.Lock()

    def say(self, message: Mapping[str, Any]) -> None:
        """Send one message. Raises OSError when the daemon is gone, FrameError when the message is too long."""
        whole = frame(message, LONGEST_TO_DAEMON)
        with self._turn:
            self._connection.sendall(whole)

    def messages(self) -> Iterator[dict[str, Any]]:
        """What the daemon says, until it hangs up. Raises FrameError for what is no message."""
        while head := self._exactly(HEAD):
            length = length_of(head, LONGEST_TO_COURIER)
            if not (body := self._exactly(length)):
                raise FrameError("a message is cut short")
            yield message_of(body)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _exactly(self, length: int) -> bytes:
        """So many bytes, or none when the daemon hung up."""
        received = bytearray()
        while len(received) < length:
            try:
                piece = self._connection.recv(min(length - len(received), _PIECE))
            except ConnectionError:
                return b""
            if not piece:
                return b""
            received += piece
        return bytes(received)


def call(path: Path) -> DaemonLine:
    """A line to the daemon that listens at ``path``. Raises OSError when there is none."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        with socket_address(path) as address:
            connection.connect(address)
    except OSError:
        connection.close()
        raise
    return DaemonLine(connection)
