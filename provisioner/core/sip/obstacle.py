"""Why there was no answer in SIP, in one sentence, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.core.account import Transport
from provisioner.core.sip.trial import Address, Failure, Obstacle, Stage

_NAMED = "name the authority that signed it in `platform: {ca_file: …}`"
# OpenSSL's numbers (x509_vfy.h), and what IT does about each.
_NOT_YET, _EXPIRED = 9, 10
OTHER_TIME, OTHER_HOST = (_NOT_YET, _EXPIRED), (62, 64)
SELF_SIGNED, UNKNOWN = (18, 19), (2, 20, 21, 27)


@dataclass(frozen=True, slots=True)
class Occasion:
    """What the words mention: the longest wait in seconds, and this machine's clock (UTC) as text."""

    timeout: float
    clock: str


def in_words(failure: Failure, address: Address, occasion: Occasion) -> tuple[str, str]:
    """What is wrong and what to do."""
    match failure.obstacle:
        case Obstacle.NO_NAME:
            return _no_name(address)
        case Obstacle.REFUSED:
            return f"nothing listens at {address.place} ({_network(address)} refused)", _correct(address)
        case Obstacle.UNREACHABLE:
            said = f": {failure.detail}" if failure.detail else ""
            return f"there is no way to {address.place}{said}", "look at this machine's network, routes and VPN"
        case Obstacle.NO_ANSWER:
            return _silence(failure.at, address, occasion.timeout)
        case Obstacle.CLOSED:
            return _hung_up(failure.at, address)
        case Obstacle.CERTIFICATE:
            return _certificate(failure, address, occasion.clock)
        case Obstacle.NO_TLS:
            return f"what listens at {address.place} does not speak TLS 1.2 or newer", _correct(address)
        case Obstacle.NO_WEBSOCKET:
            return _no_websocket(failure, address)
        case Obstacle.NO_SUBPROTOCOL:
            what = "there is a WebSocket, but it does not speak SIP (it does not agree to the subprotocol `sip`)"
            return what, "correct host or path in `platform: {websocket: …}`: this one belongs to something else"
        case Obstacle.NOT_SIP:
            return f"what answers at {address.place} does not speak SIP", _correct(address)


def _no_name(address: Address) -> tuple[str, str]:
    key = "`platform: {websocket: {host: …}}`" if address.transport.is_websocket else "`account: {server: …}`"
    return (
        f"the name `{address.host}` has no address",
        f"correct it ({key} or `platform: {{domain: …}}`), or look at this machine's DNS",
    )


def _silence(at: Stage, address: Address, timeout: float) -> tuple[str, str]:
    port = f"{_network(address)} port {address.port} of {address.host}"
    within = f"within {timeout:g} s"
    match at:
        case Stage.RESOLVE:
            return f"no DNS server said {within} where `{address.host}` is", "look at this machine's DNS"
        case Stage.ANSWER:
            what = f"the server asked for a password, and did not answer the signed request {within}"
            return what, "ask the platform's administrator: it may have blocked this machine's address (fail2ban)"
        case Stage.TLS:
            return f"it connects, and nothing answers TLS {within}", _correct(address)
        case Stage.WEBSOCKET:
            return f"the WebSocket is not answered {within}", _correct(address)
        case Stage.CHALLENGE if address.transport is not Transport.UDP:
            what = f"it connects, and nothing answers SIP {within}"
            return what, f"{_correct(address)}; or a firewall that rewrites SIP (ALG) swallows it"
    also = "" if address.transport is not Transport.WSS else ", what listens there does not speak TLS,"
    return f"no answer {within}", f"a firewall on the way drops it{also} or the address is wrong: let {port} through"


def _hung_up(at: Stage, address: Address) -> tuple[str, str]:
    match at:
        case Stage.CONNECT | Stage.TLS:
            what = f"{address.place} hangs up before the connection stands"
            return what, "does it speak TLS 1.2 or newer, and does it let this machine in?"
        case Stage.ANSWER:
            what = "the server hangs up on the signed request"
            return what, "ask the platform's administrator what its log says"
    return f"{address.place} hangs up without an answer", _correct(address)


def _certificate(failure: Failure, address: Address, clock: str) -> tuple[str, str]:
    whose, code = f"the certificate of {address.place}", failure.code
    this_clock = f"this machine's clock says {clock}: set it right if that is wrong"
    if code == _EXPIRED:
        return f"{whose} has expired", f"{this_clock}; else ask the platform's administrator to renew it"
    if code == _NOT_YET:
        return f"{whose} is not yet valid", f"{this_clock}; else ask the platform's administrator since when it is"
    if code in OTHER_HOST:
        what = f"{whose} is for another name than `{address.host}`"
        return what, f"use the name in the certificate ({_where(address)}), or have one made for this name"
    if code in SELF_SIGNED:
        return f"{whose} is signed by nobody but itself or its own authority", _NAMED
    if code in UNKNOWN:
        return f"{whose} is signed by an authority that is unknown here", _NAMED
    said = failure.detail or "it is not valid"
    return f"{whose} is not accepted: {said}", "ask the platform's administrator for another certificate"


def _no_websocket(failure: Failure, address: Address) -> tuple[str, str]:
    status, path = failure.code, "`platform: {websocket: {path: …}}`"
    what = f"there is no WebSocket at {address} (HTTP {status})"
    if status == 404:
        return what, f"set {path}; Asterisk's is /ws, with the `prefix` of its http.conf before it"
    if 300 <= status < 400:
        to = f" to {failure.detail}" if failure.detail else ""
        return f"{address} redirects elsewhere{to} (HTTP {status})", f"name the place itself: {_where(address)}"
    if status in (400, 426):
        what = f"{address} does not take the WebSocket for SIP (HTTP {status})"
        return what, "ask the platform's administrator to switch SIP over WebSocket on"
    if status in (401, 403, 407):
        what = f"{address} does not let this machine in (HTTP {status})"
        return what, "look for a web proxy or an access list on the way"
    if status >= 500:
        return (
            f"the web server at {address} is in trouble (HTTP {status})",
            "the server behind it may be down: try later",
        )
    return f"{what}: a web page answers", f"correct {_where(address)} or {path}"


def _network(address: Address) -> str:
    return "UDP" if address.transport is Transport.UDP else "TCP"


def _where(address: Address) -> str:
    if address.transport.is_websocket:
        return "`platform: {websocket: {host: …, port: …}}`"
    return f"`account: {{server: …}}` or `platform: {{ports: {{{address.transport}: …}}}}`"


def _correct(address: Address) -> str:
    return f"correct {_where(address)}, or ask the platform's administrator to switch {address.transport} on"
