"""Two networks with a cable between them: phones, platform and the program in one, the SIP server in the other.

In one network a DTLS call fails for reasons of the test: the server would name its loopback address for audio.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

DESK, SERVER = "10.77.0.1", "10.77.0.2"
_NEW_NETWORK = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Far:
    """The server's network; ``pid`` is of a process in it."""

    pid: int

    def inside(self, *command: str) -> list[str]:
        """The command, to be run there."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", *command]


@asynccontextmanager
async def two_networks() -> AsyncIterator[Far]:
    """This process, and what it starts, is in a network of its own while the context lasts; the far end is a cable
    away."""
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    _checked(_LIBC.unshare(_NEW_NETWORK))
    holder = await asyncio.create_subprocess_exec(
        "setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sh", "-c", "echo; exec cat",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        await holder.stdout.readline()
        far = Far(holder.pid)
        _ip("link", "set", "lo", "up")
        _ip("link", "add", "desk", "type", "veth", "peer", "name", "server", "netns", str(holder.pid))
        _ip("addr", "add", f"{DESK}/24", "dev", "desk")
        _ip("link", "set", "desk", "up")
        # Linphone without a default route takes the network for down.
        _ip("route", "add", "default", "via", SERVER)
        for words in (("link", "set", "lo", "up"), ("addr", "add", f"{SERVER}/24", "dev", "server"),
                      ("link", "set", "server", "up"), ("route", "add", "default", "via", DESK)):  # fmt: skip
            _run(*far.inside("ip", *words))
        yield far
    finally:
        holder.kill()
        await holder.wait()
        _checked(_LIBC.setns(before, _NEW_NETWORK))
        os.close(before)


def _ip(*words: str) -> None:
    _run("ip", *words)


def _run(*words: str) -> None:
    subprocess.run(words, check=True)


def _checked(failed: int) -> None:
    if failed:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
