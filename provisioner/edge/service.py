"""What the service manager is told (sd_notify(3)), and what the process owes it."""

from __future__ import annotations

import faulthandler
import logging
import resource
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from provisioner.edge.command import TooLateError, TooMuchError, print_of
from provisioner.edge.kept_sockets import KeptSockets

log = logging.getLogger(__name__)
_TRIES, _ANSWER_SECONDS, _LONGEST_ANSWER = 3, 15.0, 64 * 1024


class ServiceManager:
    """systemd, or nobody: without NOTIFY_SOCKET nothing is sent. ``environment`` is that of the process."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self.sockets = KeptSockets(environment)
        microseconds = environment.get("WATCHDOG_USEC", "")
        self.watchdog_seconds = int(microseconds) / 1e6 if self._address and microseconds.isdecimal() else None

    def ready(self, status: str) -> None:
        """The start or the reload is done."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """A reload has begun."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def status(self, status: str) -> None:
        """One line for ``systemctl status``."""
        self._send(f"STATUS={status}")

    def alive(self) -> None:
        """The event loop turns."""
        if self.watchdog_seconds is not None:
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The stop has begun."""
        self._send("STOPPING=1")

    def restarts(self) -> bool:
        """Is a stop that has begun the first half of a restart (as after an upgrade)? Not so where nobody can say."""
        unit = PurePosixPath(_own_cgroup())
        if not self._address or unit.suffix != ".service":
            return False
        scope = "--user" if "/user.slice/" in str(unit) else "--system"
        argv = ["systemctl", scope, "list-jobs", "--plain", "--no-legend", unit.name]
        try:
            # Whoever stops this process may hit the command as well.
            for _ in range(_TRIES):
                told = print_of(argv, _ANSWER_SECONDS, _LONGEST_ANSWER)
                if told.code == 0:
                    return not {b"restart", b"try-restart"}.isdisjoint(told.output.split())
        except (OSError, ValueError, TooLateError, TooMuchError):
            pass
        log.warning("systemctl does not say whether this is a restart: taken for a stop")
        return False

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        # A leading @ is an abstract address. A manager that is gone or deaf keeps nobody from being served.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        with suppress(OSError), socket.socket(socket.AF_UNIX, kind) as out:
            out.sendto("\n".join(lines).encode(), address)


def _own_cgroup() -> str:
    """Where the service manager put this process: "/system.slice/x.service"."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return ""
    return next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "")


def guard_process() -> None:
    """No core dumps, since they would hold secrets; a traceback when the watchdog ends a process that hangs."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable()
