"""Ports that a service manager keeps, on real sockets."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from provisioner.core.problem import ProvisionerError
from provisioner.edge.kept_ports import KeptPorts
from provisioner.edge.relay import bound
from provisioner.edge.service import Systemd
from tests.file_store import FileStore
from tests.machine import until
from tests.ports import free_port

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM


class Manager:
    """A service manager that hears when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(folder / "notify"))
        self.notify.setblocking(False)
        self.store = FileStore(most=10)
        self.said: list[str] = []
        self.service = Systemd({"NOTIFY_SOCKET": str(folder / "notify")})

    def hear(self) -> None:
        while True:
            try:
                self.said.append(self.store.hear(self.notify))
            except BlockingIOError:
                return

    def starts(self) -> KeptPorts:
        """The ports of a service that is started now."""
        passed = [(name, os.dup(file)) for name, file in self.store.kept]
        for _, file in passed:
            os.set_inheritable(file, True)
        return KeptPorts(self.service, passed)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(tmp_path)
    yield one
    one.hear()
    one.store.close()
    one.notify.close()


def names(manager: Manager) -> list[str]:
    manager.hear()
    return [name for name, _ in manager.store.kept]


async def opened_and_left(manager: Manager) -> int:
    """A port that a service had, which is gone."""
    port = free_port()
    for one in await manager.starts().open(port):
        one.close()
    assert names(manager) == [f"relay-{port}"] * 2
    return port


def is_free(port: int, kind: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as one:
        # Connections that have just ended keep nobody from a port of TCP, who listens does.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == TCP)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


async def test_a_port_is_never_free_and_the_next_service_has_the_same_sockets(manager: Manager):
    port = await opened_and_left(manager)
    assert not is_free(port, TCP) and not is_free(port, UDP)
    ports = manager.starts()
    assert ports.held == {port}
    sockets = await ports.open(port)
    kept = [os.fstat(file).st_ino for _, file in manager.store.kept]
    assert sorted(kept) == sorted(os.fstat(one.fileno()).st_ino for one in sockets)
    assert [one.type for one in sockets] == [TCP, UDP] and not any(os.get_inheritable(one.fileno()) for one in sockets)
    assert ports.held == frozenset() and names(manager) == [f"relay-{port}"] * 2
    for one in sockets:
        one.close()


async def test_a_connection_waits_and_a_packet_does_not(manager: Manager):
    port = await opened_and_left(manager)
    with socket.create_connection(("127.0.0.1", port)), socket.socket(socket.AF_INET, UDP) as sender:
        sender.sendto(b"from whom?", ("127.0.0.1", port))
        tcp, udp = await manager.starts().open(port)
        sender.sendto(b"now", ("127.0.0.1", port))
        assert (await asyncio.get_running_loop().sock_recv(udp, 100)) == b"now"
        taken, _ = await asyncio.get_running_loop().sock_accept(tcp)
        for one in (taken, tcp, udp):
            one.close()


@pytest.mark.parametrize("lost", [TCP, UDP])
async def test_what_is_missing_is_made_anew(manager: Manager, lost: int):
    port = await opened_and_left(manager)
    for name, file in list(manager.store.kept):
        with socket.socket(fileno=os.dup(file)) as one:
            kind = one.type
        if kind == lost:
            manager.store.kept.remove((name, file))
            os.close(file)
    for one in await manager.starts().open(port):
        assert one.getsockname() == ("127.0.0.1", port)
        one.close()


async def test_what_is_given_up_is_free_and_can_be_had_again(manager: Manager):
    port = await opened_and_left(manager)
    ports = manager.starts()
    await ports.give_up(port)
    again = asyncio.ensure_future(ports.open(port))
    # The manager has a lot to do, and still has the port.
    for _ in range(100):
        await asyncio.sleep(0)
    assert not again.done() and not is_free(port, TCP)
    await until(lambda: bool(manager.hear() or again.done()))
    for one in await again:
        one.close()
    await ports.give_up(port)
    assert names(manager) == [] and is_free(port, TCP) and is_free(port, UDP)


async def test_what_was_never_opened_stays_with_the_manager(manager: Manager):
    port = await opened_and_left(manager)
    manager.starts().close()
    assert names(manager) == [f"relay-{port}"] * 2


def _elsewhere(port: int) -> socket.socket:
    one = socket.socket()
    one.bind(("127.0.0.2", port))
    one.listen()
    return one


def _on_all(port: int) -> socket.socket:
    one = socket.socket()
    one.bind(("0.0.0.0", port))
    one.listen()
    return one


def _deaf(port: int) -> socket.socket:
    one = socket.socket()
    one.bind(("127.0.0.1", port))
    return one


def _of_another_port(port: int) -> socket.socket:
    return bound(free_port())[0]


def _of_another_kind(_: int) -> socket.socket:
    return socket.socket(socket.AF_UNIX)


@pytest.mark.parametrize("strange", [_elsewhere, _on_all, _deaf, _of_another_port, _of_another_kind])
async def test_what_is_no_port_of_a_relay_is_closed_and_forgotten(manager: Manager, strange: object):
    port = free_port()
    with ExitStack() as stack:
        one = stack.enter_context(strange(port))  # type: ignore[operator]
        file = os.dup(one.fileno())
    ports = KeptPorts(manager.service, [(f"relay-{port}", file)])
    assert ports.held == frozenset()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file)
    manager.hear()
    assert manager.said == [f"FDSTOREREMOVE=1\nFDNAME=relay-{port}"]


def test_nor_is_a_file_or_a_second_of_its_kind(manager: Manager):
    port = free_port()
    tcp, udp = bound(port)
    passed = [("stored", os.open("/dev/null", os.O_RDONLY)), ("relay", os.dup(tcp.fileno()))]
    passed += [(f"relay-{port}", os.dup(tcp.fileno())) for _ in range(2)]
    ports = KeptPorts(manager.service, passed)
    assert ports.held == {port}
    manager.hear()
    assert [said.partition("FDNAME=")[2] for said in manager.said] == ["stored", "relay", f"relay-{port}"]
    ports.close()
    for one in (tcp, udp):
        one.close()


async def test_without_a_manager_a_port_is_had_and_given_up_all_the_same():
    ports, port = KeptPorts(Systemd({})), free_port()
    for one in await ports.open(port):
        one.close()
    await ports.give_up(port)
    for one in await ports.open(port):
        one.close()


async def test_a_port_of_somebody_else_is_said(manager: Manager):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        with pytest.raises(ProvisionerError, match="cannot have this port"):
            await manager.starts().open(other.getsockname()[1])
    assert names(manager) == []
