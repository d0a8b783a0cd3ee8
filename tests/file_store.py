"""What a service manager keeps of a service's while it does not run, for tests: as systemd with FileDescriptorStoreMax=
keeps it, and passes it on (sd_notify(3), sd_listen_fds(3))."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field

_LONGEST, _MOST = 65_536, 253
# Whoever is started has them from the third on, and nothing else.
_FIRST = 3
_TO_ME = "import os\nos.environ['LISTEN_PID'] = str(os.getpid())\n"


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

    def before(self) -> str:
        """Code that is to run first in whoever is passed what is kept."""
        return _TO_ME if self.kept else ""

    def environment(self) -> dict[str, str]:
        """What such a process is told."""
        if not self.kept:
            return {}
        return {"LISTEN_FDS": str(len(self.kept)), "LISTEN_FDNAMES": ":".join(name for name, _ in self.kept)}

    def files(self) -> dict[int, int]:
        """What such a process inherits, by the numbers it has there."""
        return {number: file for number, (_, file) in enumerate(self.kept, _FIRST)}

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
