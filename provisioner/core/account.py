"""What a phone must be told, in canonical words."""

from __future__ import annotations

from enum import StrEnum


class Transport(StrEnum):
    """How SIP travels (RFC 3261 section 18; ws and wss: RFC 7118)."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"
    WS = "ws"
    WSS = "wss"


class DtmfMode(StrEnum):
    """How digits travel: RTP events (RFC 4733), SIP INFO (RFC 6086), tones in the audio, or whatever the call offers."""

    RFC4733 = "rfc4733"
    INFO = "info"
    INBAND = "inband"
    AUTO = "auto"


class MediaEncryption(StrEnum):
    """How SRTP keys are agreed: not at all, in the SDP (RFC 4568), or by DTLS (RFC 5764)."""

    NONE = "none"
    SDES = "sdes"
    DTLS = "dtls"
