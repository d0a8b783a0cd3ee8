"""What the service manager is told (sd_notify(3)), and what the process owes it."""

from __future__ import annotations

import faulthandler
import logging
import os
import resource
import select
import socket
import time
from array import array
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path, PurePosixPath

from provisioner.edge.command import TooLateError, TooMuchError, print_of

log = logging.getLogger(__name__)
_TRIES, _ANSWER_SECONDS, _LONGEST_ANSWER = 3, 15.0, 64 * 1024
# How long a manager may take that has much else to do.
_PATIENCE = 5.0
_FIRST_PASSED = 3  # SD_LISTEN_FDS_START


class Systemd:
    """The service manager, or nobody: without NOTIFY_SOCKET nothing is sent. ``environment`` is that of the process."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        microseconds = environment.get("WATCHDOG_USEC", "")
        self.watchdog_seconds = int(microseconds) / 1e6 if self._address and microseconds.isdecimal() else None

    @property
    def is_there(self) -> bool:
        """Is anybody told?"""
        return bool(self._address)

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

    def keep(self, name: str, sockets: Sequence[socket.socket]) -> bool:
        """Have these kept for whoever is started next, under ``name``; those that are kept already are no more then.

        Blocks for a few seconds at most; False when nobody took them. (sd_notify(3): FDSTORE=, FDPOLL=.)
        """
        files = [one.fileno() for one in sockets]
        return self._send("FDSTORE=1", f"FDNAME={name}", "FDPOLL=0", files=files, seconds=_PATIENCE)

    def forget(self, name: str) -> bool:
        """Have all closed that is kept under ``name``. Blocks, and says whether that is known, as ``keep``."""
        return self._send("FDSTOREREMOVE=1", f"FDNAME={name}", seconds=_PATIENCE)

    def has_done(self) -> bool:
        """Wait until everything is done that the manager was told until now; False when that takes longer than a few
        seconds. Blocks. (sd_notify(3): BARRIER=.)"""
        near, far = os.pipe2(os.O_CLOEXEC)
        try:
            sent = self._send("BARRIER=1", files=[far], seconds=_PATIENCE)
        finally:
            os.close(far)
        try:
            closed = select.poll()
            closed.register(near, 0)
            return sent and bool(closed.poll(_PATIENCE * 1000))
        finally:
            os.close(near)

    def _send(self, *lines: str, files: Sequence[int] = (), seconds: float = 0.0) -> bool:
        if not self._address:
            return False
        # A leading @ is an abstract address. A manager that is gone or deaf keeps nobody from being served.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", files))] if files else []
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                out.settimeout(seconds)
                out.sendmsg(["\n".join(lines).encode()], rights, 0, address)
        except OSError:
            return False
        return True


def passed(environment: MutableMapping[str, str]) -> list[tuple[str, int]]:
    """The files that the service manager has passed to this process, with their names (sd_listen_fds(3)).

    ``environment`` is that of the process, and says so no longer: nothing that this process starts is meant.
    """
    told = [environment.pop(f"LISTEN_{word}", "") for word in ("PID", "FDS", "FDNAMES", "PIDFDID")]
    pid, count, names, _ = told
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    files = range(_FIRST_PASSED, _FIRST_PASSED + int(count))
    return list(zip(names.split(":"), files, strict=False))


def _own_cgroup() -> str:
    """Where the service manager put this process: "/system.slice/x.service"."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return ""
    return next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "")


def forbid_core_dumps() -> None:
    """No core dumps, since they would hold secrets; a traceback when the watchdog ends a process that hangs."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable()
