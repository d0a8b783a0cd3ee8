"""What IT wants, as typed values."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from provisioner.core.account import DtmfMode, MediaEncryption, Transport
from provisioner.core.password_source import PasswordSource
from provisioner.core.problem import Place
from provisioner.core.relay_way import RelayPolicy


@dataclass(frozen=True, slots=True)
class TurnServer:
    """A TURN server (RFC 8656) with its long-term credential."""

    server: str
    transport: str
    user: str
    password: PasswordSource


@dataclass(frozen=True, slots=True)
class Platform:
    """The instance. ``None`` means that the login's answer or a default decides. Times are seconds."""

    url: str
    ca_file: str | None
    connect_timeout: float
    timeout: float
    realm: str | None
    realms: tuple[str, ...]
    domain: str | None
    websocket_host: str | None
    websocket_port: int | None
    websocket_path: str
    ports: Mapping[Transport, int]
    stun: tuple[str, ...] | None
    turn: tuple[TurnServer, ...]
    discover_realm: bool = False

    @property
    def host(self) -> str:
        """Host of the instance's address, without port."""
        return re.sub(r":[0-9]+$", "", self.url.partition("://")[2].rstrip("/"))


@dataclass(frozen=True, slots=True)
class LoginPolicy:
    """How agents are logged in. Times are seconds; ``refresh_every`` and ``again_after`` 0 are never.

    ``at`` is ``start``, or ``session``: while the agent's user has a session, which ends ``session_grace`` after its
    courier left.
    """

    at_once: int
    splay: float
    first_retry: float
    longest_retry: float
    refresh_every: float
    log_off_on_stop: bool
    log_off_on_removal: bool
    at: str = "start"
    session_grace: float = 30.0
    again_after: float = 3600.0


@dataclass(frozen=True, slots=True)
class WatchPolicy:
    """How changes are noticed. Times are seconds."""

    method: str
    poll_every: float
    settle: float
    settle_at_most: float
    check_every: float


@dataclass(frozen=True, slots=True)
class Overrides:
    """Values that replace what the platform says; ``None`` replaces nothing."""

    name: str | None = None
    display_name: str | None = None
    domain: str | None = None
    server: str | None = None
    port: int | None = None
    realm: str | None = None
    transport: Transport | None = None
    websocket_url: str | None = None
    codecs: tuple[str, ...] | None = None
    dtmf: DtmfMode | None = None
    media_encryption: MediaEncryption | None = None
    outbound_proxy: str | None = None
    expires: int = 600
    language: str | None = None


@dataclass(frozen=True, slots=True)
class ReloadPolicy:
    """How a phone is told that its files changed. Without ``command`` it is the target's own; times are seconds.

    ``running_command`` and ``busy_command`` ask: exit code 0 says that the phone runs, or that it is in a call. With
    ``rolls_back`` the files from before come back after ``roll_back_after`` failures in a row, or a code of
    ``final_codes``.
    """

    command: tuple[str, ...] = ()
    timeout: float = 30.0
    final_codes: frozenset[int] = frozenset()
    first_retry: float = 5.0
    longest_retry: float = 600.0
    running_command: tuple[str, ...] = ()
    busy_command: tuple[str, ...] = ()
    busy_every: float = 5.0
    busy_limit: float = 600.0
    rolls_back: bool = False
    roll_back_after: int = 3


@dataclass(frozen=True, slots=True)
class TargetChoice:
    """One softphone of one agent. ``path`` None is the target's own folder below the home."""

    target: str
    path: str | None = None
    reload: ReloadPolicy | None = None
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """All that the YAML says of one agent, defaults included. ``user`` None is whoever the daemon runs as."""

    login: str
    password: PasswordSource | None
    user: str | None
    home: str | None
    workstations: tuple[str, ...] | None
    targets: tuple[TargetChoice, ...]
    overrides: Overrides
    place: Place = field(compare=False)
    relay: RelayPolicy = field(default_factory=RelayPolicy)

    def serves(self, workstation: str) -> bool:
        """Does this agent work on the machine with this host name (with or without its domain)?"""
        if self.workstations is None:
            return True
        names = (workstation.lower(), workstation.lower().partition(".")[0])
        return any(fnmatch.fnmatchcase(name, pattern.lower()) for pattern in self.workstations for name in names)


@dataclass(frozen=True, slots=True)
class Settings:
    """A configuration that was checked as a whole: all agents of all files, whatever workstation they are for."""

    platform: Platform
    login: LoginPolicy
    watch: WatchPolicy
    removal_brake: bool
    agents: Mapping[str, AgentSettings]
