"""Addresses in an account: are they any, and their parts as phones ask for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from provisioner.core.account import Account, Transport, Turn
from provisioner.core.schema_words import HOST

_HOST = re.compile(HOST)
_HOST_PORT = re.compile(HOST[:-1] + r"(:[0-9]{1,5})?$")
_URL = re.compile(r"wss?://[!-~]+")


def wrong_addresses(account: Account, transport: Transport) -> Iterator[tuple[str, str]]:
    """What is no address, as (its role, its text): nothing else may become a part of a URI, whatever the phone."""
    url = account.websocket_urls.get(transport, "")
    for role, pattern, texts in (
        ("domain", _HOST, (account.domain,)),
        ("server", _HOST, (account.server,)),
        ("outbound proxy", _HOST_PORT, (account.outbound_proxy,) if account.outbound_proxy else ()),
        ("STUN server", _HOST_PORT, account.stun),
        ("TURN server", _HOST_PORT, tuple(turn.server for turn in account.turn)),
        ("WebSocket", _URL, (url,) if url else ()),
    ):
        yield from ((role, text) for text in texts if not pattern.fullmatch(text))


def ice_servers(account: Account) -> list[dict[str, Any]]:
    """STUN and TURN servers as a browser takes them: RTCIceServer with URIs of RFC 7064 and RFC 7065."""
    stun = [{"urls": f"stun:{server}"} for server in account.stun]
    return [
        *stun,
        *({"urls": _turn_uri(turn), "username": turn.user, "credential": turn.password} for turn in account.turn),
    ]


def _turn_uri(turn: Turn) -> str:
    secure = turn.transport == "tls"
    return f"{'turns' if secure else 'turn'}:{turn.server}?transport={'tcp' if secure else turn.transport}"


def websocket_parts(url: str) -> dict[str, Any]:
    """Host, port and path of a WebSocket's URL."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = authority, "443" if scheme == "wss" else "80"
    return {
        "websocket_host": host,
        "websocket_port": int(port) if port.isdecimal() else 0,
        "websocket_path": slash + path,
    }
