"""Whose socket it is that speaks to us on loopback: the kernel's own tables, by address.

``/proc/self/net`` is there also where a service sees only ``ProcSubset=pid``, and wants no netlink socket. The table of
TCP takes milliseconds, as the kernel walks all its buckets, and more once somebody has filled it: a thread reads it,
once for all who wait. That of UDP is read in the loop, unless it is long.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
import struct
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

log = logging.getLogger(__name__)
_TABLES = Path("/proc/self/net")
# Bytes of a table that are read in a millisecond.
_SMALL = 100_000
_PIECE = 65_536
_MAPPED = "0000000000000000FFFF0000"
_ANYWHERE = ("00000000", "0" * 32)
_ESTABLISHED = "01"

SocketAddress = tuple[str, int]
_Connection = tuple[SocketAddress, SocketAddress]


class SocketOwners:
    """The tables of TCP and UDP sockets of this network namespace."""

    def __init__(self) -> None:
        self._tcp = _opened("tcp", "tcp6")
        self._udp = _opened("udp", "udp6")
        self._udp_size = 0
        self._asked: dict[_Connection, asyncio.Future[set[int]]] = {}
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

    def _connections_apart(self, asked: Iterable[_Connection]) -> Mapping[_Connection, set[int]]:
        with self._tcp_read:
            try:
                return _connections(self._tcp, asked)
            except OSError as error:
                _tell(error)
                return {one: set() for one in asked}

    def _senders_apart(self, far: SocketAddress) -> set[int]:
        with self._udp_read:
            return self._senders(far)

    def _senders(self, far: SocketAddress) -> set[int]:
        port = f"{far[1]:04X}"
        at = "|".join([*_spellings(far), *(f"{host}:{port}" for host in _ANYWHERE)])
        line = re.compile(rf": (?:{at}) \S+ [0-9A-F]+ \S+ \S+ \S+ +([0-9]+) ".encode())
        try:
            table = b"".join(piece for file in self._udp for piece in _pieces(file))
        except OSError as error:
            _tell(error)
            return set()
        self._udp_size = len(table)
        return {int(uid) for uid in line.findall(table)}


def _tell(error: OSError) -> None:
    log.warning("whose sockets there are cannot be read, so nobody is let in: %s", error.strerror)


def _connections(files: Iterable[int], asked: Iterable[_Connection]) -> Mapping[_Connection, set[int]]:
    """The owners of each connection, from one reading. Searched by the near end, of which there are few."""
    found: dict[_Connection, set[int]] = {one: set() for one in asked}
    names = {spelling: one for one in found for spelling in _pairs(one)}
    near = {f" {spelling} {_ESTABLISHED} ".encode() for one in found for spelling in _spellings(one[1])}
    for file in files:
        for line in _lines(file, near):
            _, local, remote, _, _, _, _, uid, *_ = line.split()
            if one := names.get(f"{local} {remote}"):
                found[one].add(int(uid))
    return found


def _lines(file: int, needles: Iterable[bytes]) -> Iterator[str]:
    """The lines of a table in which one of ``needles`` stands."""
    rest = b""
    for piece in _pieces(file):
        whole, end, rest = (rest + piece).rpartition(b"\n")
        whole += end
        for needle in needles:
            place = whole.find(needle)
            while place >= 0:
                stop = whole.index(b"\n", place)
                yield whole[whole.rfind(b"\n", 0, place) + 1 : stop].decode()
                place = whole.find(needle, stop)


def _pieces(file: int) -> Iterator[bytes]:
    # By offset: a thread and the loop may read the same table at the same time.
    offset = 0
    while piece := os.pread(file, _PIECE, offset):
        yield piece
        offset += len(piece)


def _pairs(connection: _Connection) -> list[str]:
    far, near = map(_spellings, connection)
    return [f"{one} {other}" for one in far for other in near]


def _spellings(address: SocketAddress) -> tuple[str, str]:
    """How the tables write it: as IPv4, and as IPv4 in IPv6."""
    (number,) = struct.unpack("=I", socket.inet_aton(address[0]))
    place = f"{number:08X}:{address[1]:04X}"
    return place, _MAPPED + place


def _opened(*names: str) -> list[int]:
    return [os.open(_TABLES / name, os.O_RDONLY | os.O_CLOEXEC) for name in names if (_TABLES / name).exists()]
