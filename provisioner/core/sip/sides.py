"""The two sides of a relay: what goes out to either, and what is known of the way to the server."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from provisioner.core.sip.message import Message
from provisioner.core.sip.sequences import Sequences
from provisioner.core.sip.signer import Signer


@dataclass(frozen=True, slots=True)
class ToServer:
    """Goes out over the WebSocket."""

    message: Message


@dataclass(frozen=True, slots=True)
class ToPhone:
    """Goes to the phone."""

    message: Message


Output = ToServer | ToPhone


class Link(StrEnum):
    """The WebSocket: what it cannot carry is held while it opens, and refused while it is away."""

    OPENING = "opening"
    UP = "up"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class Shared:
    """What all flows of one account have in common. ``key`` makes branches that nobody else can guess."""

    signer: Signer
    sequences: Sequences
    key: bytes = field(repr=False)
