"""Where a phone sends its SIP, in the names that templates know: to the server itself, or to the relay."""

from __future__ import annotations

from typing import Any

from provisioner.core.account import Account, Transport
from provisioner.core.address import ice_servers, websocket_parts
from provisioner.core.relay_way import RelayWay
from provisioner.core.target import Target


def directly(account: Account, target: Target, transport: Transport) -> dict[str, Any]:
    """Names for a phone that goes to the server over ``transport`` by itself."""
    url = account.websocket_urls.get(transport, "")
    port = account.ports.get(transport, 0)
    registrar = f"sip:{account.domain}"
    if not transport.is_websocket:
        registrar = f"sip:{account.server}:{port};transport={transport}"
    # Over a WebSocket its server gets every request.
    proxy = "" if transport.is_websocket else account.outbound_proxy
    return {
        "transport": target.transports.get(transport, ""),
        "server": account.server,
        "port": port,
        "elsewhere": account.server != account.domain,
        "registrar": registrar,
        "websocket_url": url,
        **websocket_parts(url),
        "outbound_proxy": proxy,
        "outbound_proxy_uri": f"sip:{proxy};transport={transport};lr" if proxy else "",
        "relayed": False,
        **_servers(account),
    }


def through_relay(account: Account, target: Target, transport: Transport, way: RelayWay) -> dict[str, Any]:
    """Names for a phone that goes to the relay at ``way`` over ``transport``; its domain stays the server's.

    The relay is a server elsewhere: a phone sends every request there, or the calls after the registration get lost.
    """
    return {
        "transport": target.transports[transport],
        "server": way.host,
        "port": way.port,
        "elsewhere": True,
        "registrar": f"sip:{way.address};transport={transport}",
        "websocket_url": "",
        **websocket_parts(""),
        "outbound_proxy": "",
        "outbound_proxy_uri": "",
        "relayed": True,
        # Who would tell an address found by STUN to the relay, but not in ICE, would only be reached worse.
        **(_servers(account) if "stun" in target.relay else {"stun": [], "turn": [], "ice_servers": []}),
    }


def _servers(account: Account) -> dict[str, Any]:
    turn = [
        {"server": turn.server, "transport": turn.transport, "user": turn.user, "password": turn.password}
        for turn in account.turn
    ]
    return {"stun": list(account.stun), "turn": turn, "ice_servers": ice_servers(account)}
