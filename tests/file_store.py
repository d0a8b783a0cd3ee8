"""What a service manager keeps of a service's while it does not run, for tests: as systemd with FileDescriptorStoreMax=
keeps it, and passes it on (sd_notify(3), sd_listen_fds(3))."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass, field

_LONGEST, _MOST = 65_536, 253
# Whoever is started has them from the third on, and nothing else.
_PASS = """
import fcntl, os, sys
files, *command = sys.argv[1:]
files = [int(one) for one in files.split(",")]
moved = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 100) for one in files]
for one in files:
    os.set_inheritable(one, False)
for at, one in enumerate(moved):
    os.dup2(one, 3 + at)
os.execve(command[0], command, {**os.environ, "LISTEN_PID": str(os.getpid())})
"""


@dataclass
class FileStore:
    """``most`` is how many are kept, ``kept`` are they, with their names."""

    most: int = 0
    kept: list[tuple[str, int]] = field(default_factory=list)

    def hear(self, notify: socket.socket) -> str:
        """Take one message of the service's at ``notify``, and do what it says."""
        told, files, _, _ = socket.recv_fds(notify, _LONGEST, _MOST)
        lines = told.decode().splitlines()
        name = next((line.removeprefix("FDNAME=") for line in lines if line.startswith("FDNAME=")), "stored")
        for file in files:
            if "FDSTORE=1" in lines and len(self.kept) < self.most and not self._has(file):
                self.kept.append((name, file))
            else:
                os.close(file)
        if "FDSTOREREMOVE=1" in lines:
            self._remove(name)
        return told.decode()

    def launcher(self) -> list[str]:
        """What a command is to begin with, to be passed what is kept."""
        if not self.kept:
            return []
        return [sys.executable, "-c", _PASS, ",".join(str(file) for _, file in self.kept)]

    def environment(self) -> dict[str, str]:
        """What such a command is told."""
        if not self.kept:
            return {}
        return {"LISTEN_FDS": str(len(self.kept)), "LISTEN_FDNAMES": ":".join(name for name, _ in self.kept)}

    def files(self) -> list[int]:
        """What such a command inherits."""
        return [file for _, file in self.kept]

    def close(self) -> None:
        """As when the service is stopped, and not to be started again."""
        for _, file in self.kept:
            os.close(file)
        self.kept.clear()

    def _has(self, file: int) -> bool:
        return any(os.path.samestat(os.fstat(file), os.fstat(other)) for _, other in self.kept)

    def _remove(self, name: str) -> None:
        for one in [one for one in self.kept if one[0] == name]:
            self.kept.remove(one)
            os.close(one[1])
