"""A target is one kind of softphone: a manifest and templates, data only.

The manifest maps our canonical words to the phone's own. A word that is missing is something the phone cannot do; there
is no second list that could disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from provisioner.core.account import DtmfMode, MediaEncryption, Transport

Word = str | int | Mapping[str, str | int]

# What a template may write and a manifest may limit; `fit` makes them all, of `ha1` and `password` what is known.
VALUES = (
    "agent", "name", "user", "domain", "display_name", "display_quoted", "aor", "name_addr", "auth_user", "expires",
    "language", "realm", "ha1", "password", "transport", "server", "port", "elsewhere", "registrar", "websocket_url",
    "websocket_host", "websocket_port", "websocket_path", "outbound_proxy", "outbound_proxy_uri", "stun", "turn",
    "ice_servers", "codecs", "codecs_off", "dtmf", "media_encryption", "options", "folder", "ca_file", "relayed",
)  # fmt: skip

# What an account on WebSocket alone asks of a phone that goes there through the relay, DTLS (`media_encryption`) aside:
# to send every request to one place, and for its calls ICE, RTCP on the port of RTP, and STUN behind NAT.
RELAY_ABILITIES = ("route", "ice", "rtcp-mux", "stun")


@dataclass(frozen=True, slots=True)
class FileSpec:
    """One file of a target. ``source`` is the template's text; ``longest_line`` is in bytes, 0 for no limit.

    ``characters`` and ``refuse`` take the place of the format's own escaping, for formats that core does not know.
    """

    name: str
    template: str
    source: str = field(repr=False)
    format: str = "text"
    mode: int = 0o600
    once: bool = False
    longest_line: int = 0
    characters: tuple[tuple[str, str], ...] = ()
    refuse: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a phone cannot hold in one value: characters, and bytes of UTF-8 beyond ``longest`` (0: no limit)."""

    refuse: str = ""
    longest: int = 0


@dataclass(frozen=True, slots=True)
class Option:
    """Something IT may choose for this target; no ``values`` means any text."""

    default: str
    description: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ShippedReload:
    """How this phone is told that its files changed: argument lists, as ``ReloadPolicy`` has them."""

    command: tuple[str, ...]
    running_command: tuple[str, ...] = ()
    busy_command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of softphone and everything that it can do. ``relay`` are words of ``RELAY_ABILITIES``."""

    name: str
    title: str
    folder: str
    folders: tuple[str, ...]
    credential: tuple[str, ...]
    transports: Mapping[Transport, Word]
    dtmf: Mapping[DtmfMode, Word]
    media_encryption: Mapping[MediaEncryption, Word]
    codecs: Mapping[str, Word]
    limits: Mapping[str, Limit]
    options: Mapping[str, Option]
    files: tuple[FileSpec, ...]
    tried_with: tuple[str, ...] = ()
    every_credential: bool = False
    relay: frozenset[str] = frozenset()
    reload: ShippedReload | None = None
