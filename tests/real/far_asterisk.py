"""Asterisk in a network of its own, as a server that browsers call over wss."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trustme

from tests.real import debian11
from tests.real.ami import manager
from tests.real.asterisk import Asterisk
from tests.real.asterisk_files import FOLDER, SECRET, Ports, files, sip_conf
from tests.real.certificates import Certificates
from tests.real.networks import SERVER, Far
from tests.real.processes import Command, running

# Nobody else is in that network.
PORTS = Ports(sip=5060, tls=5061, wss=8089, ws=8088, manager=5038, rtp=20000)
_MORE = "force_avp=yes\ncallcounter=yes\nmailbox={name}@default\n"


class FarAsterisk(Asterisk):
    """As ``Asterisk``, at its own address; its peers have a mailbox."""

    async def put(self, *agents: object) -> None:
        self.agents |= {agent.name: agent for agent in agents}  # type: ignore[attr-defined]
        (self.folder / "sip.conf").write_text(_sip_conf(self))
        await self.manager.command("sip reload")
        names = [agent.name for agent in agents]  # type: ignore[attr-defined]
        async with asyncio.timeout(20):
            while not all([name in await self._show(name) for name in names]):  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.05)


def _sip_conf(server: Asterisk) -> str:
    text = sip_conf(server.ports, server.realm, server.agents.values())
    for name in server.agents:
        text = text.replace(f"[{name}]\n", f"[{name}]\n{_MORE.format(name=name)}")
    return text.replace("127.0.0.1", SERVER)


@asynccontextmanager
async def far_asterisk(folder: Path, certificates: Certificates, far: Far) -> AsyncIterator[FarAsterisk]:
    """The server, ready for registrations, while the context lasts."""
    texts = files(PORTS, "asterisk") | {"server.pem": certificates.server.read_text()}
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text.replace("127.0.0.1", SERVER))
    plan = folder / "extensions.conf"
    plan.write_text(
        plan.read_text() + "exten => 602,1,Ringing()\n same => n,Wait(60)\nexten => 603,1,Answer()\n same => n,Echo()\n"
    )
    modules = folder / "modules.conf"
    modules.write_text(modules.read_text() + "load=app_transfer.so\nload=res_clioriginate.so\n")
    async with restarted(folder, certificates, far) as one:
        yield one


@asynccontextmanager
async def restarted(folder: Path, certificates: Certificates, far: Far) -> AsyncIterator[FarAsterisk]:
    """The server with the files that are there."""
    root = debian11.folder()
    command = Command(
        far.inside("chroot", str(root), "/usr/sbin/asterisk", "-f", "-n", "-C", f"{FOLDER}/asterisk.conf"),
        folder.with_name("asterisk.log"),
        mounts={folder: root / FOLDER[1:], "/dev": root / "dev"},
    )
    async with running(command) as process:
        await process.until(lambda: _listens(far))
        async with manager(PORTS.manager, SECRET, SERVER) as connection:
            await connection.event("FullyBooted")
            yield FarAsterisk(folder, PORTS, certificates, connection, process)


def _listens(far: Far) -> bool:
    address = "".join(f"{int(part):02X}" for part in reversed(SERVER.split(".")))
    return f"{address}:{PORTS.manager:04X} 00000000:0000 0A" in Path(f"/proc/{far.pid}/net/tcp").read_text()


def certificates_for(folder: Path) -> Certificates:
    """For the platform at localhost and the server at its address."""
    made = Certificates(folder / "authority.pem", folder / "server.pem")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(made.authority))
    authority.issue_cert("localhost", SERVER).private_key_and_cert_chain_pem.write_to_path(str(made.server))
    return made
