"""Ports that stay free: of these the kernel gives none to whoever asks for any, as other tests do meanwhile."""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from pathlib import Path

_FIRST = 26_000


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that neither UDP nor TCP uses."""
    end = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    drawn = random.sample(range(_FIRST, end), 100 * count)
    ports = [port for port in drawn if _is_free(port)]
    assert len(ports) >= count, "nearly all ports are in use"
    return ports[:count]


def free_port() -> int:
    return free_ports(1)[0]


def _is_free(port: int) -> bool:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp, suppress(OSError):
        tcp.bind(("127.0.0.1", port))
        udp.bind(("127.0.0.1", port))
        return True
    return False
