"""What systemd is told, on a real notification socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.edge.service import Systemd


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, Systemd]]:
    name = str(tmp_path / "notify") if request.param == "path" else f"\0provisioner-test-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name)
        listening.settimeout(30)
        yield listening, Systemd({"NOTIFY_SOCKET": name.replace("\0", "@"), "WATCHDOG_USEC": "3000000"})


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


def test_sockets_are_given_away_and_taken_back(manager):
    listening, service = manager
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        assert service.keep("relay-1", (tcp, udp))
        told, files, _, _ = socket.recv_fds(listening, 4096, 10)
        assert sorted(told.decode().split("\n")) == ["FDNAME=relay-1", "FDPOLL=0", "FDSTORE=1"]
        same = [
            os.path.samestat(os.fstat(file), os.fstat(one.fileno()))
            for file, one in zip(files, (tcp, udp), strict=True)
        ]
        for file in files:
            os.close(file)
    assert same == [True, True]
    assert service.forget("relay-1")
    assert sorted(listening.recv(4096).decode().split("\n")) == ["FDNAME=relay-1", "FDSTOREREMOVE=1"]


def test_it_is_known_when_the_manager_has_done_what_it_was_told(manager):
    listening, service = manager
    done: list[bool] = []
    waiting = threading.Thread(target=lambda: done.append(service.has_done()))
    waiting.start()
    told, files, _, _ = socket.recv_fds(listening, 4096, 10)
    assert (told, len(files), done) == (b"BARRIER=1", 1, [])
    os.close(files[0])
    waiting.join()
    assert done == [True]


# What a process is passed begins with its third file.
_PASSED = """
import os, sys
from provisioner.edge.service import passed
pid = {"own": str(os.getpid()), "other": "1", "none": ""}[sys.argv[1]]
told = {"LISTEN_PID": pid, "LISTEN_FDS": sys.argv[2], "LISTEN_FDNAMES": sys.argv[3], "LISTEN_PIDFDID": "7", "A": "b"}
print(passed(told), told)
"""


@pytest.mark.parametrize(
    ("pid", "count", "names", "files"),
    [("own", "2", "a:b", [("a", 3), ("b", 4)]), ("own", "0", "", []), ("own", "x", "a", []), ("own", "", "", []),
     ("other", "1", "a", []), ("none", "1", "a", [])],
)  # fmt: skip
def test_what_is_passed_is_for_this_process_alone(pid: str, count: str, names: str, files: list[tuple[str, int]]):
    said = subprocess.check_output([sys.executable, "-c", _PASSED, pid, count, names], text=True)
    assert said.strip() == f"{files} {{'A': 'b'}}"


def test_without_systemd_nothing_is_sent_and_nothing_fails():
    service = Systemd({"WATCHDOG_USEC": "1000"})
    service.ready("x")
    assert service.watchdog_seconds is None
    assert not service.is_there and not service.keep("x", ()) and not service.has_done()


def test_a_manager_that_is_gone_stops_nobody(tmp_path: Path):
    Systemd({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("x")


def test_a_manager_that_does_not_listen_stops_nobody(manager):
    listening, service = manager
    for _ in range(5000):
        service.status("x")
    assert listening.recv(4096) == b"STATUS=x"


def test_a_guarded_process_leaves_no_core_dump():
    code = """
import resource
from provisioner.edge.service import forbid_core_dumps
forbid_core_dumps()
print(resource.getrlimit(resource.RLIMIT_CORE))
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "(0, 0)"
