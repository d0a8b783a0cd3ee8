"""What the tests of the targets share: the shipped targets, a platform, an agent, a login's answer, an account."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any

from provisioner.core.account import Account, Transport
from provisioner.core.derive import Secrets, account_of
from provisioner.core.fit import Choice, Fit, fit
from provisioner.core.peer import peer_from_row
from provisioner.core.problem import Place
from provisioner.core.relay_way import RelayWay
from provisioner.core.render import Rendered, render
from provisioner.core.secret import Secret
from provisioner.core.settings import AgentSettings, Overrides, Platform, TargetChoice
from provisioner.core.target import Target
from provisioner.edge.catalog import Catalog, CatalogReader, shipped

PASSWORD = "agent-password"
FOLDER = "/home/victor/phone"
PLATFORM = Platform(
    url="https://acme.ucontactcloud.com", ca_file=None, connect_timeout=5, timeout=20, realm=None, realms=(),
    domain=None, websocket_host=None, websocket_port=None, websocket_path="/ws",
    ports={Transport.UDP: 5060, Transport.TCP: 5060, Transport.TLS: 5061}, stun=None, turn=(),
)  # fmt: skip


@cache
def catalog() -> Catalog:
    """The targets that come with the program."""
    return CatalogReader([shipped()]).read()


def target(name: str) -> Target:
    """A shipped target."""
    return catalog().targets[name]


PAIRS = [(name, transport) for name, one in sorted(catalog().targets.items()) for transport in one.transports]


def ha1(user: str = "1997", realm: str = "asterisk", password: str = PASSWORD) -> str:
    """MD5(user:realm:password), worked out here and not by the program."""
    return hashlib.md5(f"{user}:{realm}:{password}".encode()).hexdigest()


def row(transport: str = "wss", **changes: object) -> dict[str, object]:
    """The answer of a platform of today; websockets and TLS ask for encrypted audio."""
    encrypted = {"wss", "ws", "tls"} & set(transport.split(","))
    answer: dict[str, object] = {
        "id": 4, "name": "1997", "host": "acme.ucontactcloud.com", "accountcode": "Vcisneros", "callerid": "1997",
        "dtmfmode": "rfc2833", "language": "es", "md5secret": ha1(), "secret": "", "disallow": "all",
        "allow": "alaw;ulaw", "transport": transport, "encryption": "yes" if encrypted else "no",
        "fullname": "Victor Cisneros",
    }  # fmt: skip
    return answer | changes


def agent(overrides: Overrides | None = None, *targets: TargetChoice) -> AgentSettings:
    """An agent called vcisneros."""
    return AgentSettings(
        login="vcisneros", password=None, user=None, home=None, workstations=None, targets=targets,
        overrides=overrides or Overrides(), place=Place("agents.yaml", 1, 1),
    )  # fmt: skip


def account(answer: Mapping[str, object], *, password: str | None = PASSWORD, **overrides: Any) -> Account:
    """The account that the program makes of a login's answer."""
    secrets = Secrets(Secret(password) if password else None)
    return account_of(peer_from_row(answer), agent(Overrides(**overrides)), PLATFORM, secrets)[0]


def relayed(name: str, one: Account, relay: RelayWay = RelayWay(25060)) -> Fit:  # noqa: B008
    """``one`` fitted to a shipped target that may go through a relay."""
    return fit(one, target(name), Choice(FOLDER, {}, relay=relay))


def fitted(name: str, one: Account, **options: str) -> Fit:
    """``one`` fitted to a shipped target."""
    return fit(one, target(name), Choice(FOLDER, options))


def files(name: str, one: Account, **options: str) -> dict[str, str]:
    """The texts that a shipped target makes of ``one``, by file name."""
    return {str(made.file.path): made.file.content.decode() for made in rendered(name, one, **options)}


def rendered(name: str, one: Account, **options: str) -> tuple[Rendered, ...]:
    """The files that a shipped target makes of ``one``."""
    return render(target(name), fitted(name, one, **options))
