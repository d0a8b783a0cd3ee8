"""The one line of a session description that is changed on its way to a phone; all else is opaque."""

from __future__ import annotations

import re

from provisioner.core.sip.headers import Headers

_MEDIA = re.compile(rb"^(m=[^\r\n ]+ [^\r\n ]+ )(RTP/SAVPF?)(?= )", re.MULTILINE)
_FINGERPRINT = re.compile(rb"^a=fingerprint:", re.MULTILINE)
_CRYPTO = re.compile(rb"^a=crypto:", re.MULTILINE)


def is_sdp(headers: Headers) -> bool:
    """Whether the body is a session description, as Content-Type says, and nothing is packed."""
    kind = headers.first("Content-Type").partition(";")[0].strip().lower()
    return kind == "application/sdp" and not headers.first("Content-Encoding")


def named_for_dtls(body: bytes) -> bytes:
    """A session description whose SRTP is keyed by DTLS says so in its profile (RFC 5764 section 8).

    chan_sip with ``force_avp`` writes ``RTP/SAVPF`` for it, which Linphone reads as SRTP keyed in the description.
    """
    if b"RTP/SAVP" not in body or not _FINGERPRINT.search(body) or _CRYPTO.search(body):
        return body
    return _MEDIA.sub(rb"\1UDP/TLS/\2", body)
