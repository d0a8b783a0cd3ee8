"""The kernel's tables of sockets, by address (proc(5), ``/proc/net/tcp`` and its kin): whose each one is.

``/proc/self/net`` is there also where a service sees only ``ProcSubset=pid``, and wants no netlink socket.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_TABLES = Path("/proc/self/net")
_PIECE = 65_536
_MAPPED = "0000000000000000FFFF0000"
_ESTABLISHED = "01"

SocketAddress = tuple[str, int]
BothEnds = tuple[SocketAddress, SocketAddress]  # the far one first


def opened(*names: str) -> list[int]:
    """Descriptors of the tables with these names, as far as there are such."""
    return [os.open(_TABLES / name, os.O_RDONLY | os.O_CLOEXEC) for name in names if (_TABLES / name).exists()]


def owners_of(files: Iterable[int], asked: Iterable[BothEnds]) -> Mapping[BothEnds, set[int]]:
    """The uids of the sockets at the far ends of the connections that are ``asked`` for, from one reading of tables."""
    found: dict[BothEnds, set[int]] = {one: set() for one in asked}
    names = {spelling: one for one in found for spelling in _pairs(one)}
    # Searched by the near end, of which there are few.
    near = {f" {spelling} {_ESTABLISHED} ".encode() for one in found for spelling in spellings(one[1])}
    for file in files:
        for line in _lines(file, near):
            _, local, remote, _, _, _, _, uid, *_ = line.split()
            if one := names.get(f"{local} {remote}"):
                found[one].add(int(uid))
    return found


def _lines(file: int, needles: Iterable[bytes]) -> Iterator[str]:
    """The lines of a table in which one of ``needles`` stands."""
    rest = b""
    for piece in pieces(file):
        whole, end, rest = (rest + piece).rpartition(b"\n")
        whole += end
        for needle in needles:
            place = whole.find(needle)
            while place >= 0:
                stop = whole.index(b"\n", place)
                yield whole[whole.rfind(b"\n", 0, place) + 1 : stop].decode()
                place = whole.find(needle, stop)


def pieces(file: int) -> Iterator[bytes]:
    """A whole table, in pieces."""
    # By offset: a thread and the loop may read the same table at the same time.
    offset = 0
    while piece := os.pread(file, _PIECE, offset):
        yield piece
        offset += len(piece)


def _pairs(connection: BothEnds) -> list[str]:
    far, near = map(spellings, connection)
    return [f"{one} {other}" for one in far for other in near]


def spellings(address: SocketAddress) -> tuple[str, str]:
    """How the tables write it: as IPv4, and as IPv4 in IPv6."""
    (number,) = struct.unpack("=I", socket.inet_aton(address[0]))
    place = f"{number:08X}:{address[1]:04X}"
    return place, _MAPPED + place
