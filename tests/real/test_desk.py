"""What the tests with real phones stand on: a network of their own, and nothing that stays behind."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.machine import until
from tests.real.needs import need
from tests.real.network import own_network
from tests.real.processes import Command, running


def _bound() -> socket.socket:
    """A socket at the port of SIP, which a phone takes by itself."""
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("", 5060))
    return one


def test_phones_of_two_networks_have_the_same_port_and_do_not_hear_each_other() -> None:
    need("ip")
    with own_network(), _bound() as mine:
        mine.settimeout(0)
        with own_network(), _bound() as other:
            other.sendto(b"to myself", ("127.0.0.1", 5060))
            assert other.recv(100) == b"to myself"
            with pytest.raises(BlockingIOError):
                mine.recv(100)


def test_nothing_gets_out_and_who_asks_is_told_at_once() -> None:
    need("ip")
    with own_network(), pytest.raises(ConnectionRefusedError):
        socket.create_connection(("198.51.100.1", 53))


def test_after_a_network_of_its_own_a_test_has_the_one_of_before() -> None:
    need("ip")
    before = Path("/proc/thread-self/ns/net").readlink()
    with pytest.raises(ZeroDivisionError), own_network():
        assert Path("/proc/thread-self/ns/net").readlink() != before
        raise ZeroDivisionError
    assert Path("/proc/thread-self/ns/net").readlink() == before


async def test_when_a_test_fails_its_processes_end_with_all_that_they_started(tmp_path: Path) -> None:
    children = tmp_path / "children"
    script = f"trap '' TERM; sleep 1000 & echo $! > {children}; sleep 1000 & echo $! >> {children}; wait"
    with pytest.raises(ZeroDivisionError):
        async with running(Command(["sh", "-c", script], tmp_path / "log")):
            await until(lambda: children.exists() and children.read_text().count("\n") == 2)
            raise ZeroDivisionError
    await until(lambda: not any(Path("/proc", one).exists() for one in children.read_text().split()))
