"""Asterisk 16 with chan_sip, the family of the platform's own server, on loopback."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

from provisioner.demo.platform import SimulatedAgent
from tests.machine import LOOK_AGAIN, PATIENCE
from tests.ports import free_ports
from tests.real import debian11
from tests.real.ami import Manager, Message, manager
from tests.real.asterisk_files import CHAN_SIP, ECHO, FOLDER, SECRET, Driver, Ports, files
from tests.real.certificates import Certificates
from tests.real.processes import Command, Running, running


@dataclass
class Asterisk:
    """The server that runs, with chan_sip. ``realm`` is the one in its challenges."""

    driver: ClassVar[Driver] = CHAN_SIP

    folder: Path
    ports: Ports
    certificates: Certificates
    manager: Manager
    process: Running
    realm: str = "asterisk"
    agents: dict[str, SimulatedAgent] = field(default_factory=dict)

    async def put(self, *agents: SimulatedAgent) -> None:
        """Know these agents from now on, as their rows at the platform are now."""
        self.agents |= {agent.name: agent for agent in agents}
        edition = str(uuid4())
        text = self.driver.written(self.ports, self.realm, self.agents.values(), edition)
        (self.folder / self.driver.file).write_text(text)
        await self.manager.command(self.driver.reload)
        async with asyncio.timeout(PATIENCE):
            while not all([edition in await self._show(one.name) for one in agents]):  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(LOOK_AGAIN)

    async def registered(self, name: str) -> Peer:
        """Wait until this peer registers (anew), and give what the server knows about its phone."""
        while True:
            await self.manager.event("PeerStatus", Peer=f"SIP/{name}", PeerStatus="Registered")
            # A phone may register more than once, so this may be of a registration that is over since.
            if (found := await self.peer(name)).address != "(null)":
                return found

    async def knows(self, name: str) -> None:
        """Wait until this peer is registered, however long it has been so."""
        async with asyncio.timeout(PATIENCE):
            while (await self.peer(name)).address == "(null)":  # noqa: ASYNC110 - the event may be over
                await asyncio.sleep(LOOK_AGAIN)

    async def challenged(self, name: str) -> None:
        """Wait until the server asks somebody who wants to register as this peer for a proof."""
        await self.manager.event("ChallengeSent", AccountID=name, Service="SIP")

    def refusals(self) -> list[tuple[str, str]]:
        """Registrations that were refused: From as it came, and the server's reason."""
        return re.findall(r"Registration from '(.*)' failed for '[^']*' - (.*)", self.process.said())

    async def peer(self, name: str) -> Peer:
        """What the server knows about a peer now."""
        facts = dict(re.findall(r"^\s*(\S[^:]*?)\s*: ?(.*?)\s*$", await self._show(name), re.M))
        used, allowed = facts["Prim.Transp."].lower(), facts["Allowed.Trsp"].lower()
        return Peer(facts["Useragent"], used, allowed, facts["Reg. Contact"], facts["Addr->IP"])

    async def _show(self, name: str) -> str:
        return await self.manager.command(f"sip show peer {name}")

    async def forget(self, name: str) -> None:
        """Drop the registration, so that the next one is a new one."""
        await self.manager.command(f"sip unregister {name}")

    async def call(self, name: str) -> None:
        """Call the phone of this peer; who answers is asked for four digits and hears an echo."""
        await self.manager.action(
            "Originate", Channel=f"{self.driver.technology}/{name}", Context="agents", Exten="heard", Priority="1",
            Async="true", CallerID='"Casa" <601>',
        )  # fmt: skip

    async def rings(self, name: str) -> None:
        """Wait until the phone of this peer has said that it rings."""
        channel = f"{self.driver.technology}/{name}-"
        await self.manager.event("Newstate", lambda it: it["Channel"].startswith(channel), ChannelStateDesc="Ringing")

    async def heard(self, kind: str, name: str) -> Message:
        """The dialplan's next word on a call of this peer: ``Call``, ``Digits`` or ``End``."""
        return await self.manager.event("UserEvent", UserEvent=kind, Peer=name)

    async def audio(self, channel: str) -> tuple[int, int]:
        """Packets of RTP that this call brought and took until now."""
        received, sent = [
            await self.manager.action("Getvar", Channel=channel, Variable=f"CHANNEL({which})")
            for which in (self.driver.received, self.driver.sent)
        ]
        return int(received["Value"] or 0), int(sent["Value"] or 0)

    async def other_end(self, channel: str, number: str) -> None:
        """Somebody else is at the other end of this call now; a peer that wants to know is told by a new INVITE."""
        await self.manager.action("Setvar", Channel=channel, Variable="CONNECTEDLINE(num)", Value=number)

    async def hang_up(self, name: str) -> None:
        """End the calls of this peer."""
        await self.manager.action("Hangup", Channel=f"/^{self.driver.technology}/{name}-.*$/")


@dataclass(frozen=True)
class Peer:
    """What the server says about a phone. ``transport`` is in use, of those ``allowed``; ``address`` is "(null)" when
    none is registered.
    """

    user_agent: str
    transport: str
    allowed: str
    contact: str
    address: str


@asynccontextmanager
async def asterisk(
    folder: Path, certificates: Certificates, kind: type[Asterisk] = Asterisk, *, realm: str = "asterisk"
) -> AsyncIterator[Asterisk]:
    """The server, ready for registrations, while the context lasts."""
    sip, tls, wss, ws, port = free_ports(5)
    ports = Ports(sip, tls, wss, ws, port, rtp=20000)
    _write(folder, files(ports, realm, kind.driver) | {"server.pem": certificates.server.read_text()})
    root = debian11.folder()
    command = Command(
        ["chroot", str(root), "/usr/sbin/asterisk", "-f", "-n", "-C", f"{FOLDER}/asterisk.conf"],
        folder.with_name("asterisk.log"),
        mounts={folder: root / FOLDER[1:], "/dev": root / "dev"},
    )
    async with running(command) as process:
        await process.until(lambda: _listens(port))
        async with manager(port, SECRET) as connection:
            await connection.event("FullyBooted")
            yield kind(folder, ports, certificates, connection, process, realm)


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text)


def _listens(port: int) -> bool:
    """Without a connection, which the server would log."""
    return f"0100007F:{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text()


__all__ = ["ECHO", "Asterisk", "Peer", "asterisk"]
