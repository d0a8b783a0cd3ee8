"""The port of a relay while systemd starts the service anew: nobody else's, and open."""

from __future__ import annotations

import subprocess

import pytest

from tests.systemd.boot import Booted
from tests.systemd.workstation import (
    DAEMON,
    configure,
    drop_in,
    kiosk,
    logged_in,
    pid,
    simulate_platform,
    status,
)

# Over the WebSocket alone, so that a native phone needs the relay. Nobody listens there: the relay's answer is 503.
_WSS_ONLY = 'row={"transport": "wss"}'
_PHONE = """
import socket, sys
one = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
print("connected", flush=True)
one.sendall(b"\\r\\n".join([
    b"REGISTER sip:server.example SIP/2.0", b"Via: SIP/2.0/TCP 127.0.0.1:5060;rport;branch=z9hG4bK1",
    b"Max-Forwards: 70", b"From: <sip:1001@server.example>;tag=1", b"To: <sip:1001@server.example>", b"Call-ID: 1",
    b"CSeq: 1 REGISTER", b"Contact: <sip:1001@127.0.0.1:5060;transport=tcp>", b"Content-Length: 0", b"", b""]))
print(one.recv(4096).decode().splitlines()[0])
"""
_THIEF = """
import socket, sys
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    one = socket.socket(socket.AF_INET, kind)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
    try:
        one.bind(("127.0.0.1", int(sys.argv[1])))
        print("bound")
    except OSError as error:
        print(error.strerror)
"""
_GATE = "sh -c 'until [ -e /run/gate ]; do sleep 0.1; done'"
TAKEN, FREE = ["Address already in use"] * 2, ["bound"] * 2


@pytest.fixture
def office(installed: Booted) -> Booted:
    """A machine with a relay, whose service comes back when it is let."""
    simulate_platform(installed, _WSS_ONLY)
    installed.do("useradd", "curious")
    drop_in(installed, f"ExecStartPre={_GATE}", "RestartSec=100ms", "WatchdogSec=5")
    installed.do("touch", "/run/gate")
    installed.write("/opt/phone.py", _PHONE)
    installed.write("/opt/thief.py", _THIEF)
    configure(installed, with_relay(installed))
    installed.do("systemctl", "start", DAEMON)
    logged_in(installed, "ana")
    return installed


def with_relay(machine: Booted) -> str:
    return kiosk(machine).replace("[json]", "[linphone]")


def port(machine: Booted) -> int:
    [agent] = status(machine)["agents"]
    return int(agent["relay"]["port"])


def thief(machine: Booted, at: int) -> list[str]:
    """What another user gets who wants the port."""
    return machine.do("python3", "/opt/thief.py", str(at), user="curious").splitlines()


def kept(machine: Booted) -> str:
    return machine.unit(DAEMON, "NFileDescriptorStore")["NFileDescriptorStore"]


def calling(machine: Booted, at: int) -> subprocess.Popen[str]:
    """A phone of the agent's, which is connected."""
    phone = machine.start("python3", "/opt/phone.py", str(at), user="softphone-provisioner")
    assert phone.stdout and phone.stdout.readline() == "connected\n"
    return phone


def begin_again(machine: Booted, how: str) -> None:
    """End the service in the middle of its work; the next one waits at the gate."""
    machine.do("rm", "/run/gate")
    if how == "restart":
        machine.do("systemctl", "restart", "--no-block", DAEMON)
    else:
        machine.do("systemctl", "kill", "--kill-who=main", f"--signal={how}", DAEMON)
    machine.until(lambda: pid(machine) == 0, "nobody to be there")


@pytest.mark.parametrize("how", ["restart", "KILL", "ABRT", "STOP"])  # the last is for the watchdog
def test_a_phone_that_comes_meanwhile_waits_and_nobody_else_can_have_the_port(office: Booted, how: str):
    at = port(office)
    assert (thief(office, at), kept(office)) == (TAKEN, "2")
    begin_again(office, how)
    phone = calling(office, at)
    assert (thief(office, at), pid(office)) == (TAKEN, 0)
    office.do("touch", "/run/gate")
    said, _ = phone.communicate(timeout=40)
    assert said.startswith("SIP/2.0 503 ")
    logged_in(office, "ana")
    assert (port(office), kept(office), thief(office, at)) == (at, "2", TAKEN)


def test_the_port_is_free_when_the_service_is_stopped_and_the_same_when_it_is_started(office: Booted):
    at = port(office)
    office.do("systemctl", "stop", DAEMON)
    assert (thief(office, at), kept(office)) == (FREE, "0")
    office.do("systemctl", "start", DAEMON)
    logged_in(office, "ana")
    assert (port(office), kept(office)) == (at, "2")


def test_systemd_keeps_nothing_for_whom_no_relay_is_wanted(office: Booted):
    at = port(office)
    configure(office, with_relay(office).replace("targets", "relay: off, targets"))
    office.do("systemctl", "reload", DAEMON)
    office.until(lambda: kept(office) == "0", "systemd to let go")
    assert thief(office, at) == FREE
    configure(office, with_relay(office))
    office.do("systemctl", "reload", DAEMON)
    office.until(lambda: kept(office) == "2", "systemd to keep it")
    assert calling(office, port(office)).communicate(timeout=40)[0].startswith("SIP/2.0 503 ")


def test_nor_for_whom_none_is_wanted_since_it_was_here_last(office: Booted):
    at = port(office)
    begin_again(office, "KILL")
    configure(office, kiosk(office))
    office.do("touch", "/run/gate")
    office.until(lambda: kept(office) == "0", "systemd to let go")
    assert thief(office, at) == FREE
