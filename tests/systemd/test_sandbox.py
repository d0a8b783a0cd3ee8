"""What the service could do if it wanted: a program that tries everything, in place of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.systemd.boot import Booted
from tests.systemd.workstation import DAEMON, ETC

_TRY = """
import ctypes, json, os, resource, socket

def outcome(attempt):
    try:
        attempt()
    except (OSError, ValueError) as error:
        return type(error).__name__
    return "done"

def write(folder):
    def attempt():
        with open(f"{folder}/tried", "w"):
            pass
    return attempt

def unshare():
    if ctypes.CDLL(None, use_errno=True).unshare(0x10000000):
        raise OSError(ctypes.get_errno(), "unshare")

def executable_memory():
    import mmap
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)

folders = FOLDERS
tried = {
    **{f"write {folder}": outcome(write(folder)) for folder in folders},
    "see /home/ana": outcome(lambda: os.stat("/home/ana")),
    "see /root": outcome(lambda: os.listdir("/root")),
    "see /run/user/1": outcome(lambda: os.stat("/run/user/1")),
    "read /etc/shadow": outcome(lambda: open("/etc/shadow").read()),
    "become root": outcome(lambda: os.setuid(0)),
    "own namespace": outcome(unshare),
    "executable memory": outcome(executable_memory),
    "setuid file": outcome(lambda: os.chmod("/var/lib/softphone-provisioner/tried", 0o4755)),
    "AF_NETLINK": outcome(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
    "AF_PACKET": outcome(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
    "AF_VSOCK": outcome(lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)),
    "AF_INET": outcome(lambda: socket.socket(socket.AF_INET)),
    "AF_INET6": outcome(lambda: socket.socket(socket.AF_INET6)),
    "AF_UNIX": outcome(lambda: socket.socket(socket.AF_UNIX)),
}
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
tried |= {name: status[name].split()[0] for name in ("CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")}
tried["others' processes"] = sum(name.isdecimal() for name in os.listdir("/proc")) - 1
tried["core files"] = resource.getrlimit(resource.RLIMIT_CORE)[1]
json.dump(tried, open("/var/lib/softphone-provisioner/outcome", "w"))
"""
OPEN = ("/var/lib/softphone-provisioner", "/run/softphone-provisioner", "/tmp", "/var/tmp")
CLOSED = (
    ETC,
    f"{ETC}/agents.d",
    "/etc",
    "/usr",
    "/var/lib",
    "/var/cache",
    "/srv",
    "/opt",
    "/run",
    "/home",
    "/root",
    "/dev",
)


@pytest.fixture
def outcome(installed: Booted) -> dict[str, Any]:
    installed.do("useradd", "--create-home", "ana")
    installed.do("chmod", "0777", "/opt", "/srv", "/home/ana", "/var/cache")
    installed.write("/usr/local/bin/try", _TRY.replace("FOLDERS", repr((*OPEN, *CLOSED))))
    unit = installed.do("cat", installed.unit(DAEMON, "FragmentPath")["FragmentPath"])
    changed = unit.replace("/usr/bin/provisioner run", "/usr/bin/python3 /usr/local/bin/try")
    changed = changed.replace("Type=notify", "Type=oneshot").replace("Restart=on-failure", "Restart=no")
    installed.write("/etc/systemd/system/try.service", changed.replace("ConditionPathExists=", "#"))
    installed.do("systemctl", "daemon-reload")
    installed.do("systemctl", "start", "try")
    return dict(json.loads(installed.read("/var/lib/softphone-provisioner/outcome")))


def test_it_can_do_what_it_must_and_nothing_else(outcome: dict[str, Any]):
    assert {folder: outcome[f"write {folder}"] for folder in OPEN} == dict.fromkeys(OPEN, "done")
    assert {folder for folder in CLOSED if outcome[f"write {folder}"] == "done"} == set()
    for family in ("AF_INET", "AF_INET6", "AF_UNIX"):
        assert outcome[family] == "done"
    for family in ("AF_NETLINK", "AF_PACKET", "AF_VSOCK"):
        assert outcome[family] == "OSError"
    for attempt in ("see /home/ana", "see /run/user/1"):
        assert outcome[attempt] in ("FileNotFoundError", "PermissionError")
    for attempt in (
        "see /root",
        "read /etc/shadow",
        "become root",
        "own namespace",
        "executable memory",
        "setuid file",
    ):
        assert outcome[attempt] == "PermissionError", attempt
    none = "0" * 16
    assert (outcome["CapEff"], outcome["CapBnd"], outcome["CapAmb"]) == (none, none, none)
    assert (outcome["NoNewPrivs"], outcome["Seccomp"]) == ("1", "2")
    assert (outcome["others' processes"], outcome["core files"]) == (0, 0)
