"""Settings as tests need them: complete, and dull but for what the test is about."""

from dataclasses import replace
from typing import Any

from provisioner.core.account import Transport
from provisioner.core.password_source import FromEnv
from provisioner.core.peer import Peer, peer_from_row
from provisioner.core.problem import Place
from provisioner.core.reason import Identity, Wanted
from provisioner.core.settings import AgentSettings, LoginPolicy, Overrides, Platform, TargetChoice

# Characters: what takes their square does not come to an end before a test's time limit.
MANY = 1_000_000
PLATFORM = Platform(
    url="https://acme.example",
    ca_file=None,
    connect_timeout=5.0,
    timeout=20.0,
    realm=None,
    realms=(),
    domain=None,
    websocket_host=None,
    websocket_port=None,
    websocket_path="/ws",
    ports={Transport.UDP: 5060, Transport.TCP: 5060, Transport.TLS: 5061},
    stun=None,
    turn=(),
)
POLICY = LoginPolicy(
    at_once=8,
    splay=0.0,
    first_retry=1.0,
    longest_retry=60.0,
    refresh_every=0.0,
    log_off_on_stop=True,
    log_off_on_removal=True,
)
AGENT = AgentSettings(
    login="marta",
    password=FromEnv("MARTA"),
    user=None,
    home="~",
    workstations=None,
    targets=(TargetChoice("json"),),
    overrides=Overrides(),
    place=Place("agents.d/marta.yaml", 3, 5),
)


def agent(login: str = "marta", **overrides: Any) -> AgentSettings:
    """An agent with these values of ``account:``."""
    return replace(AGENT, login=login, overrides=Overrides(**overrides))


def peer(**row: object) -> Peer:
    """The peer of an ordinary answer, but for ``row``."""
    ordinary = {"name": "1997", "host": "sip.acme.example", "disallow": "all", "allow": "alaw;ulaw", "transport": "wss"}
    return peer_from_row({**ordinary, "secret": "pw", "encryption": "yes", "dtmfmode": "rfc2833", **row})


def wanted(login: str = "marta", mark: str = "mark", platform: Platform = PLATFORM) -> Wanted:
    """What the files of an ordinary agent depend on."""
    return Wanted(Identity(platform.url, login, mark), replace(AGENT, login=login), platform, {"json": None})
