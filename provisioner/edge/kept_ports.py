"""The relays' ports, which stay ours while the service is started anew: the service manager keeps the sockets.

A port that is free for a moment could be taken by another user of this machine, to whom the phones would then speak.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Iterable
from contextlib import suppress

from provisioner.edge.relay import HOST, bound
from provisioner.edge.service import Systemd

log = logging.getLogger(__name__)
_PACKETS = 4096
Sockets = tuple[socket.socket, socket.socket]


class KeptPorts:
    """``passed`` are the files, with their names, that ``systemd`` has kept since this service was here last."""

    def __init__(self, systemd: Systemd, passed: Iterable[tuple[str, int]] = ()) -> None:
        self._systemd = systemd
        self._held: dict[int, list[socket.socket]] = {}
        self._given_up: set[int] = set()
        for name, file in passed:
            self._take_over(name, file)

    @property
    def held(self) -> frozenset[int]:
        """Ports that were kept, and that nobody has opened yet."""
        return frozenset(self._held)

    async def open(self, port: int) -> Sockets:
        """TCP and UDP at ``port`` of loopback: those that were kept, or new ones, which are from now on.

        Raises ProvisionerError when somebody else has the port.
        """
        if port in self._given_up:
            self._given_up.discard(port)
            await asyncio.to_thread(self._systemd.has_done)
        held = self._held.get(port, [])
        sockets = bound(port, held)
        self._held.pop(port, None)
        for one in held:
            _drain(one)
        if self._systemd.is_there and not await asyncio.to_thread(self._systemd.keep, _name(port), sockets):
            log.warning("port %d of the relay is free during a restart: the service manager does not listen", port)
        return sockets

    async def give_up(self, port: int) -> None:
        """Let others have ``port``. Whoever opened it closes its sockets."""
        for one in self._held.pop(port, []):
            one.close()
        if self._systemd.is_there:
            self._given_up.add(port)
            await asyncio.to_thread(self._systemd.forget, _name(port))

    def close(self) -> None:
        """Close what nobody has opened. The service manager goes on keeping it."""
        for sockets in self._held.values():
            for one in sockets:
                one.close()
        self._held.clear()

    def _take_over(self, name: str, file: int) -> None:
        os.set_inheritable(file, False)
        try:
            one = socket.socket(fileno=file)
        except OSError:
            os.close(file)
        else:
            port = _port(name, one)
            if port and one.type not in {other.type for other in self._held.get(port, [])}:
                self._held.setdefault(port, []).append(one)
                return
            one.close()
        log.warning("%s, which the service manager kept, is no port of a relay", name)
        self._systemd.forget(name)


def _name(port: int) -> str:
    return f"relay-{port}"


def _port(name: str, one: socket.socket) -> int:
    """The port of loopback that ``one`` has, and that has ``name``; 0 where that is not so."""
    if one.family != socket.AF_INET or one.type not in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        return 0
    host, port = one.getsockname()
    listens = one.type == socket.SOCK_DGRAM or one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    return int(port) if listens and (host, name) == (HOST, _name(port)) else 0


def _drain(one: socket.socket) -> None:
    """Drop packets that came while nobody was here to look whose they were; phones send theirs again."""
    with suppress(OSError):
        for _ in range(_PACKETS if one.type == socket.SOCK_DGRAM else 0):
            one.recv(1)
