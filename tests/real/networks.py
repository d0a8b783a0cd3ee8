"""Two networks with a cable between them: phones, platform and the program in one, the SIP server in the other.

In one network a DTLS call fails for reasons of the test: the server would name its loopback address for audio.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from tests.real.network import new_network

DESK, SERVER = "10.77.0.1", "10.77.0.2"
DESK_SIX, SERVER_SIX = "fd00:77::1", "fd00:77::2"
_MASQUERADE = "add table ip nat; add chain ip nat out { type nat hook postrouting priority 100 ; }; "
_MASQUERADE += f"add rule ip nat out ip daddr {SERVER} masquerade"


@dataclass(frozen=True)
class Far:
    """The server's network; ``pid`` is of a process in it."""

    pid: int

    def inside(self, *command: str) -> list[str]:
        """The command, to be run there."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", *command]

    def run(self, *command: str) -> None:
        """Run it there, to its end."""
        subprocess.run(self.inside(*command), check=True)

    def ip(self, words: str) -> None:
        """Run `ip` there."""
        self.run("ip", *words.split())


@asynccontextmanager
async def two_networks(*, nat: bool = False, six: bool = False) -> AsyncIterator[Far]:
    """This process, and what it starts, is in a network of its own while the context lasts; the far end is a cable
    away, with ``six`` one of IPv6 too, or with ``nat`` a router that lends its address."""
    async with AsyncExitStack() as stack:
        stack.enter_context(new_network())
        far = await stack.enter_async_context(_network())
        near = Far(os.getpid())
        for one in (near, far):
            one.ip("link set lo up")
        if not nat:
            _cable(near, f"{DESK}/24", far, f"{SERVER}/24")
            # Linphone without a default route takes the network for down.
            near.ip(f"route add default via {SERVER}")
            if six:
                near.ip(f"addr add {DESK_SIX}/64 dev to-{far.pid} nodad")
                far.ip(f"addr add {SERVER_SIX}/64 dev to-{near.pid} nodad")
                near.ip(f"route add default via {SERVER_SIX}")
        else:
            router = await stack.enter_async_context(_network())
            _cable(near, "10.78.0.1/24", router, "10.78.0.254/24")
            _cable(router, f"{DESK}/24", far, f"{SERVER}/24")
            near.ip("route add default via 10.78.0.254")
            router.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
            router.run("nft", _MASQUERADE)
        yield far


@asynccontextmanager
async def _network() -> AsyncIterator[Far]:
    holder = await asyncio.create_subprocess_exec(
        "setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sh", "-c", "echo; exec cat",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        await holder.stdout.readline()
        yield Far(holder.pid)
    finally:
        holder.kill()
        await holder.wait()


def _cable(one: Far, its: str, other: Far, others: str) -> None:
    name = f"to-{other.pid}"
    one.ip(f"link add {name} type veth peer name to-{one.pid} netns {other.pid}")
    for end, address, device in ((one, its, name), (other, others, f"to-{one.pid}")):
        end.ip(f"addr add {address} dev {device}")
        end.ip(f"link set {device} up")
