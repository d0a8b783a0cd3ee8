"""Asterisk in a network of its own, as a server that browsers call over wss."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import trustme

from provisioner.demo.platform import SimulatedAgent
from tests.real import debian11
from tests.real.ami import manager
from tests.real.asterisk import Asterisk
from tests.real.asterisk_files import CHAN_SIP, FOLDER, SECRET, Driver, Ports, files
from tests.real.certificates import Certificates
from tests.real.networks import SERVER, SERVER_SIX, Far
from tests.real.pjsip import Pjsip
from tests.real.processes import Command, running

# Nobody else is in that network.
PORTS = Ports(sip=5060, tls=5061, wss=8089, ws=8088, manager=5038, rtp=20000)
# It begins session timers, and tells changes of who is at the other end of a call, by new INVITEs in the call.
_MORE = "force_avp=yes\ncallcounter=yes\nmailbox={name}@default\n"
_MORE += "session-timers=originate\nsession-expires=90\nsendrpid=pai\nrpid_update=yes\n"


def _driver(address: str) -> Driver:
    def written(ports: Ports, realm: str, agents: Iterable[SimulatedAgent], edition: str) -> str:
        text = CHAN_SIP.written(ports, realm, known := list(agents), edition)
        for agent in known:
            text = text.replace(f"[{agent.name}]\n", f"[{agent.name}]\n{_MORE.format(name=agent.name)}")
        return text.replace("127.0.0.1", address)

    return replace(CHAN_SIP, written=written)


class FarAsterisk(Asterisk):
    """As ``Asterisk``, at its own ``address``; its peers have a mailbox."""

    driver: ClassVar[Driver] = _driver(SERVER)
    address: ClassVar[str] = SERVER


class FarSix(FarAsterisk):
    """The same, reached by IPv6."""

    driver: ClassVar[Driver] = _driver(f"[{SERVER_SIX}]")
    address: ClassVar[str] = f"[{SERVER_SIX}]"


def _written_for_pjsip(*what: object) -> str:
    text = Pjsip.driver.written(*what).replace("127.0.0.1", SERVER)  # type: ignore[arg-type]
    # It would name loopback for audio, as the machine's name has no address.
    return text.replace("direct_media=no", f"direct_media=no\nmedia_address={SERVER}\nbind_rtp_to_media_address=yes")


class FarPjsip(Pjsip):
    """The same with chan_pjsip."""

    driver: ClassVar[Driver] = replace(Pjsip.driver, written=_written_for_pjsip)
    address: ClassVar[str] = SERVER


Kind = type[FarAsterisk] | type[FarPjsip]


@asynccontextmanager
async def far_asterisk(folder: Path, certificates: Certificates, far: Far, kind: Kind) -> AsyncIterator[Asterisk]:
    """The server, ready for registrations, while the context lasts."""
    texts = files(PORTS, "asterisk", kind.driver) | {"server.pem": certificates.server.read_text()}
    folder.mkdir()
    for name, text in texts.items():
        address = kind.address if name == "http.conf" else SERVER
        (folder / name).write_text(text.replace("127.0.0.1", address))
    plan = folder / "extensions.conf"
    plan.write_text(
        plan.read_text() + "exten => 602,1,Ringing()\n same => n,Wait(60)\nexten => 603,1,Answer()\n same => n,Echo()\n"
    )
    modules = folder / "modules.conf"
    modules.write_text(modules.read_text() + "load=app_transfer.so\nload=res_clioriginate.so\n")
    async with restarted(folder, certificates, far, kind) as one:
        yield one


@asynccontextmanager
async def restarted(folder: Path, certificates: Certificates, far: Far, kind: Kind) -> AsyncIterator[Asterisk]:
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
            yield kind(folder, PORTS, certificates, connection, process)


def _listens(far: Far) -> bool:
    address = "".join(f"{int(part):02X}" for part in reversed(SERVER.split(".")))
    return f"{address}:{PORTS.manager:04X} 00000000:0000 0A" in Path(f"/proc/{far.pid}/net/tcp").read_text()


def certificates_for(folder: Path) -> Certificates:
    """For the platform at localhost and the server at its address."""
    made = Certificates(folder / "authority.pem", folder / "server.pem")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(made.authority))
    authority.issue_cert("localhost", SERVER, SERVER_SIX).private_key_and_cert_chain_pem.write_to_path(str(made.server))
    return made
