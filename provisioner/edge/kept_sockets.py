"""Listening sockets that the service manager holds while the service restarts (FDSTORE of sd_notify(3)).

So the port of a relay is never free, nobody else can take it, and a phone that comes meanwhile waits for its answer.
"""

from __future__ import annotations

import array
import os
import socket
from collections.abc import Mapping
from contextlib import suppress

_FIRST = 3  # SD_LISTEN_FDS_START
_PREFIX = "relay-"

Pair = tuple[socket.socket, socket.socket]


class KeptSockets:
    """TCP and UDP by port. Without a service manager nothing is kept. ``environment`` is that of the process."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._held: dict[int, dict[socket.SocketKind, socket.socket]] = {}
        if environment.get("LISTEN_PID") == str(os.getpid()):
            names = environment.get("LISTEN_FDNAMES", "").split(":")
            for file, name in enumerate(names[: int(environment.get("LISTEN_FDS", "0"))], _FIRST):
                self._inherit(file, name)

    def take(self, port: int) -> Pair | None:
        """The sockets that listen at ``port`` since the last run; each is given once."""
        found = self._held.pop(port, {})
        if set(found) == {socket.SOCK_STREAM, socket.SOCK_DGRAM}:
            return found[socket.SOCK_STREAM], found[socket.SOCK_DGRAM]
        for one in found.values():
            one.close()
        return None

    def keep(self, port: int, pair: Pair) -> None:
        """Have the sockets held over a restart."""
        files = array.array("i", [one.fileno() for one in pair])
        self._send(f"FDSTORE=1\nFDNAME={_PREFIX}{port}", files)

    def drop(self, port: int) -> None:
        """Have the sockets at ``port`` held no longer."""
        self._send(f"FDSTOREREMOVE=1\nFDNAME={_PREFIX}{port}", array.array("i"))

    def _inherit(self, file: int, name: str) -> None:
        port = name.removeprefix(_PREFIX)
        if not name.startswith(_PREFIX) or not port.isdecimal():
            return
        one = socket.socket(fileno=file)
        one.set_inheritable(False)
        one.setblocking(False)
        if one.getsockname() == ("127.0.0.1", int(port)):
            self._held.setdefault(int(port), {})[one.type] = one
        else:
            one.close()

    def _send(self, text: str, files: array.array[int]) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)] if files else []
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        with suppress(OSError), socket.socket(socket.AF_UNIX, kind) as out:
            out.sendmsg([text.encode()], ancillary, 0, address)
