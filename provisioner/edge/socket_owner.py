"""Whose socket it is that speaks to us on loopback: the kernel's own tables, by address.

The table of TCP takes milliseconds, as the kernel walks all its buckets, and more once somebody has filled it: a thread
reads it, once for all who wait. That of UDP is read in the loop, unless it is long.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import threading
from collections.abc import Iterable, Mapping

from provisioner.edge.socket_table import BothEnds, SocketAddress, opened, owners_of, pieces, spellings

log = logging.getLogger(__name__)
# Bytes of a table that are read in a millisecond.
_SMALL = 100_000
_ANYWHERE = ("00000000", "0" * 32)


class SocketOwners:
    """The tables of TCP and UDP sockets of this network namespace."""

    def __init__(self) -> None:
        self._tcp = opened("tcp", "tcp6")
        self._udp = opened("udp", "udp6")
        self._udp_size = 0
        self._asked: dict[BothEnds, asyncio.Future[set[int]]] = {}
        self._looking: asyncio.Task[None] | None = None
        # Each is held by a thread that reads, so nothing is closed under its hands.
        self._tcp_read, self._udp_read = threading.Lock(), threading.Lock()

    def close(self) -> None:
        """Close the tables, once no thread reads them: from then on nobody owns anything."""
        with self._tcp_read, self._udp_read:
            for file in (*self._tcp, *self._udp):
                os.close(file)
            self._tcp, self._udp = [], []

    async def of_connection(self, far: SocketAddress, near: SocketAddress) -> set[int]:
        """The uids of the sockets that are at ``far`` and connected with ``near``; empty where there is none (any
        more)."""
        loop = asyncio.get_running_loop()
        answer = self._asked.setdefault((far, near), loop.create_future())
        if self._looking is None:
            self._looking = loop.create_task(self._look())
        return await answer

    async def of_sender(self, far: SocketAddress) -> set[int]:
        """The uids of all sockets from which a packet of ``far`` can have come."""
        if self._udp_size < _SMALL:
            return self._senders(far)
        return await asyncio.to_thread(self._senders_apart, far)

    async def _look(self) -> None:
        """Answer all who have asked; who asks meanwhile is answered by the next reading."""
        while self._asked:
            asked, self._asked = self._asked, {}
            found = await asyncio.to_thread(self._connections_apart, asked)
            for connection, answer in asked.items():
                if not answer.done():
                    answer.set_result(found[connection])
        self._looking = None

    def _connections_apart(self, asked: Iterable[BothEnds]) -> Mapping[BothEnds, set[int]]:
        with self._tcp_read:
            try:
                return owners_of(self._tcp, asked)
            except OSError as error:
                _tell(error)
                return {one: set() for one in asked}

    def _senders_apart(self, far: SocketAddress) -> set[int]:
        with self._udp_read:
            return self._senders(far)

    def _senders(self, far: SocketAddress) -> set[int]:
        port = f"{far[1]:04X}"
        at = "|".join([*spellings(far), *(f"{host}:{port}" for host in _ANYWHERE)])
        line = re.compile(rf": (?:{at}) \S+ [0-9A-F]+ \S+ \S+ \S+ +([0-9]+) ".encode())
        try:
            table = b"".join(piece for file in self._udp for piece in pieces(file))
        except OSError as error:
            _tell(error)
            return set()
        self._udp_size = len(table)
        return {int(uid) for uid in line.findall(table)}


def _tell(error: OSError) -> None:
    log.warning("whose sockets there are cannot be read, so nobody is let in: %s", error.strerror)
