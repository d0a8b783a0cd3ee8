"""What systemd is told, on a real notification socket."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.edge.service import ServiceManager


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, ServiceManager]]:
    name = str(tmp_path / "notify") if request.param == "path" else f"\0provisioner-test-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name)
        listening.settimeout(5)
        yield listening, ServiceManager({"NOTIFY_SOCKET": name.replace("\0", "@"), "WATCHDOG_USEC": "3000000"})


def test_each_message_is_what_sd_notify_asks_for(manager):
    listening, service = manager
    service.ready("2 of 2 agents served")
    assert listening.recv(4096) == b"READY=1\nSTATUS=2 of 2 agents served"
    service.reloading()
    first, second = listening.recv(4096).decode().split("\n")
    assert first == "RELOADING=1"
    assert second.startswith("MONOTONIC_USEC=") and second.partition("=")[2].isdecimal()
    service.status("x")
    service.alive()
    service.stopping()
    assert [listening.recv(4096) for _ in range(3)] == [b"STATUS=x", b"WATCHDOG=1", b"STOPPING=1"]
    assert service.watchdog_seconds == 3.0


def test_without_systemd_nothing_is_sent_and_nothing_fails():
    service = ServiceManager({"WATCHDOG_USEC": "1000"})
    service.ready("x")
    assert service.watchdog_seconds is None


def test_a_manager_that_is_gone_stops_nobody(tmp_path: Path):
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("x")


def test_a_manager_that_does_not_listen_stops_nobody(manager):
    listening, service = manager
    for _ in range(5000):
        service.status("x")
    assert listening.recv(4096) == b"STATUS=x"


def test_a_guarded_process_leaves_no_core_dump():
    code = """
import resource
from provisioner.edge.service import guard_process
guard_process()
print(resource.getrlimit(resource.RLIMIT_CORE))
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "(0, 0)"
