"""What a phone must be told, in canonical words: the phone's view of a peer.

A ``Peer`` says how the *server* treats the phone. Its ``port``, ``nat``, ``qualify``, ``insecure`` and
``outboundproxy`` are not the phone's business and do not get past this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from provisioner.core.secret import Secret


class Transport(StrEnum):
    """How SIP travels (RFC 3261 section 18; ws and wss: RFC 7118)."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"
    WS = "ws"
    WSS = "wss"

    @property
    def is_websocket(self) -> bool:
        """SIP in WebSocket frames, as browsers do it."""
        return self in (Transport.WS, Transport.WSS)


class DtmfMode(StrEnum):
    """How digits travel: RTP events (RFC 4733), SIP INFO (RFC 6086), tones in the audio, or what the call offers."""

    RFC4733 = "rfc4733"
    INFO = "info"
    INBAND = "inband"
    AUTO = "auto"


class MediaEncryption(StrEnum):
    """How SRTP keys are agreed: not at all, in the SDP (RFC 4568), or by DTLS (RFC 5764)."""

    NONE = "none"
    SDES = "sdes"
    DTLS = "dtls"


class Proof(StrEnum):
    """What is known of a credential."""

    PROVEN = "password and realm proven"
    ASSUMED = "HA1 only, realm assumed"
    SEEN = "HA1 only, realm seen at the server"
    PASSWORD = "password only"


@dataclass(frozen=True, slots=True)
class Credential:
    """What answers a digest challenge (RFC 2617 3.2.2): ``ha1`` is MD5(user:realm:password), for that ``realm`` only.

    A ``password`` is here only when it is known to be the SIP password.
    """

    user: str
    realm: str
    ha1: Secret | None
    password: Secret | None
    proof: Proof


@dataclass(frozen=True, slots=True)
class Turn:
    """A TURN server as a phone needs it."""

    server: str
    transport: str
    user: str
    password: Secret


@dataclass(frozen=True, slots=True)
class Account:
    """One SIP account in canonical words.

    ``transports`` are those that the server lets this peer use, most wanted first. ``server`` and ``ports`` are for
    udp, tcp and tls, ``websocket_urls`` for ws and wss. ``codecs`` are canonical names in order. ``encrypted`` says
    that the server demands SRTP; ``media_encryption`` is set only when IT chose one. ``expires`` is in seconds.
    """

    agent: str
    name: str
    display_name: str
    domain: str
    credential: Credential
    transports: tuple[Transport, ...]
    server: str
    ports: Mapping[Transport, int]
    websocket_urls: Mapping[Transport, str]
    outbound_proxy: str
    codecs: tuple[str, ...]
    dtmf: DtmfMode
    encrypted: bool
    media_encryption: MediaEncryption | None
    stun: tuple[str, ...]
    turn: tuple[Turn, ...]
    expires: int
    language: str
