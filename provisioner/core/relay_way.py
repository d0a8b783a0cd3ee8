"""The way through the relay: how a native phone reaches an account that the platform serves over WebSocket only.

The relay listens at this machine, takes the phone's SIP over TCP or UDP, and carries it over the platform's verified
WebSocket. This module says which phones go that way; it carries nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from provisioner.core.account import Account, MediaEncryption, Transport
from provisioner.core.target import Target

# How a phone reaches the relay, best first: of a connection the relay learns at once that it is gone, and whose it is.
_TO_RELAY = (Transport.TCP, Transport.UDP)


class RelayMode(StrEnum):
    """Who answers the server's challenge: the relay, so that the phone's file holds no secret, or the phone."""

    ANSWER = "answer"
    PASS = "pass"


@dataclass(frozen=True, slots=True)
class RelayPolicy:
    """What IT wants of the relay for one agent. ``port`` None: the program chooses one, once, and keeps it."""

    use: bool = True
    mode: RelayMode = RelayMode.ANSWER
    port: int | None = None


@dataclass(frozen=True, slots=True)
class RelayWay:
    """Where the relay of one account listens, TCP and UDP on the same ``port`` (0: not chosen yet), and what it does
    there.

    Whoever makes one promises that the listener is, or will be, at ``host``:``port`` for the uid of the phone's user.
    """

    port: int
    mode: RelayMode = RelayMode.ANSWER
    host: str = "127.0.0.1"

    @property
    def address(self) -> str:
        """``host:port``, for people where no port is chosen yet."""
        return f"{self.host}:{self.port or 'PORT'}"


@dataclass(frozen=True, slots=True)
class Way:
    """How a phone comes to the server: the transport that arrives there, and the relay on the way, if any."""

    transport: Transport
    relay: RelayWay | None = None

    def __str__(self) -> str:
        return f"over {self.transport}" + (f" through the relay at {self.relay.address}" if self.relay else "")


def way_as_json(way: Way | None) -> dict[str, str | None]:
    """``{"transport", "via", "relay"}``: ``via`` is ``direct`` or ``relay``, all are None where there is no way."""
    if way is None:
        return {"transport": None, "via": None, "relay": None}
    via, relay = ("relay", way.relay.address) if way.relay else ("direct", None)
    return {"transport": str(way.transport), "via": via, "relay": relay}


def knows_relay(target: Target) -> bool:
    """Whether ``target`` can be told of a relay at all, whatever the account is."""
    return "route" in target.relay and any(transport in target.transports for transport in _TO_RELAY)


def relay_transport(account: Account, target: Target) -> Transport | None:
    """How ``target`` would reach a relay for ``account``; None where it goes there by itself, or cannot at all.

    Only wss will do towards the platform: the relay signs nothing on a line that it cannot verify.
    """
    by_itself = any(transport in target.transports for transport in account.transports)
    if by_itself or Transport.WSS not in account.transports or not knows_relay(target):
        return None
    return next((transport for transport in _TO_RELAY if transport in target.transports), None)


def needs_relay(account: Account, targets: Iterable[Target]) -> bool:
    """Would one of ``targets`` go through a relay, were there one? Who could only register there does not, unless IT
    insists that audio is not encrypted."""
    insists = account.media_encryption is MediaEncryption.NONE
    return any(relay_transport(account, one) and (insists or not call_lacks(one)) for one in targets)


def call_lacks(target: Target) -> tuple[str, ...]:
    """What ``target`` does not have, and a call to a server that expects browsers needs (RFC 8827 section 6.5).

    Without DTLS the server answers 488; without ICE, or without RTCP on the port of RTP, a call may stay silent.
    """
    has = {"DTLS-SRTP": MediaEncryption.DTLS in target.media_encryption}
    has |= {"ICE": "ice" in target.relay, "rtcp-mux": "rtcp-mux" in target.relay}
    return tuple(name for name, able in has.items() if not able)
