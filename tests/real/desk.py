"""A desk: platform, server and workstation that belong together, and agents who sit down at it.

An agent's phone sees the workstation's ``/home`` as its own, and the agent's folder there as home of the user it runs
as: so it finds the files where it looks by itself, at the paths that stand in them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from provisioner.demo.platform import SimulatedAgent, SimulatedPlatform
from tests.machine import Machine, until
from tests.real.asterisk import Asterisk
from tests.real.processes import Command, Running, running

Value = object


@dataclass
class Desk:
    """Everything on this machine. ``folder`` is for what is nobody's; all phones get ``environment``."""

    folder: Path
    platform: SimulatedPlatform
    machine: Machine
    server: Asterisk
    environment: dict[str, str] = field(default_factory=dict)

    async def employ(self, agent: SimulatedAgent, target: Value, **account: Value) -> None:
        """Let platform, server and settings know an agent with one softphone; ``account`` is as in the YAML."""
        self.platform.put(agent)
        await self.server.put(agent)
        self.settle(agent, target, **account)

    def settle(self, agent: SimulatedAgent, target: Value, **account: Value) -> None:
        """Write the agent's YAML, anew if it is there."""
        lines = [f"  targets: {json.dumps([target])}", f"  account: {json.dumps(account)}"]
        self.machine.agent(agent.login, *lines, password=agent.password)

    def home(self, login: str) -> Path:
        """The agent's home, as this process sees it."""
        return self.machine.home(login)

    async def written(self, login: str, text: str) -> None:
        """Wait until a file that the program writes for this agent holds ``text``."""
        files = [*self.home(login).rglob("provisioning.xml"), *self.home(login).rglob("account*")]
        await until(lambda: any(text in path.read_text() for path in files))

    @asynccontextmanager
    async def phone(self, login: str, *arguments: str, farewell: str = "") -> AsyncIterator[Running]:
        """A program that the agent runs; ``farewell`` is what ends it at its prompt."""
        passwd = self.folder / f"passwd-{login}"
        passwd.write_text(_passwd(f"/home/{login}"))
        # Debian's gives `localhost` an IPv6 address too, where no server listens; Linphone over UDP would try no other.
        hosts = self.folder / "hosts"
        hosts.write_text("127.0.0.1 localhost\n")
        command = Command(
            arguments,
            self.folder / f"{login}-{Path(arguments[0]).name}.log",
            {
                "HOME": f"/home/{login}",
                "LOGNAME": "root",
                "USER": "root",
                "LC_ALL": "C.UTF-8",
                "XDG_RUNTIME_DIR": str(self.folder),
                "TMPDIR": str(self.folder),
            }
            | self.environment,
            {self.machine.root / "home": "/home", passwd: "/etc/passwd", hosts: "/etc/hosts"},
            farewell,
        )
        async with running(command) as one:
            yield one


def rotated(agent: SimulatedAgent) -> SimulatedAgent:
    """The agent with another SIP password, and the same one at the platform."""
    secret = hashlib.md5(f"{agent.name}:{agent.realm}:another".encode(), usedforsecurity=False).hexdigest()
    return replace(agent, row={**agent.row, "md5secret": secret})


def settings(server: Asterisk, url: str) -> str:
    """provisioner.yaml for this server."""
    ports = server.ports
    values: Mapping[str, Value] = {
        "platform": {
            "url": url, "ca_file": str(server.certificates.authority), "domain": "localhost",
            "ports": {"udp": ports.sip, "tcp": ports.sip, "tls": ports.tls},
            "websocket": {"host": "localhost", "port": ports.wss},
        },
        "login": {"splay": "0s", "first_retry": "1s"},
        "watch": {"settle": "50ms"},
    }  # fmt: skip
    return json.dumps(values)


def _passwd(home: str) -> str:
    """The machine's users, but the one that runs the phones has this home."""
    lines = Path("/etc/passwd").read_text().splitlines()
    rest = [line for line in lines if line.split(":")[2] != "0"]
    return "\n".join([f"root:x:0:0:root:{home}:/bin/sh", *rest, ""])
