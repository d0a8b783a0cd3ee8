"""What a relay between a phone and a WebSocket changes in a message, and nothing else.

Towards the server: an own Via, Contact over WebSocket, no Route of ours. Towards the phone: an own Via in requests,
ours taken out of responses, an own Record-Route so that the phone answers here and not at an address out of its reach,
and the name of DTLS-SRTP in the session description. Request-URI, From, To and Call-ID are never touched.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from provisioner.core.sip.address import over_websocket, read_name_addr, read_via
from provisioner.core.sip.grammar import NotSipError
from provisioner.core.sip.headers import Headers
from provisioner.core.sip.message import Request, Response
from provisioner.core.sip.sdp import is_sdp, named_for_dtls

M = TypeVar("M", Request, Response)
# Requests that may begin a dialog (RFC 3261, 6665, 3515).
_FORMING = {"INVITE", "SUBSCRIBE", "REFER"}
_MOST_HOPS = 70


@dataclass(frozen=True, slots=True)
class Ways:
    """The relay's own addresses on one flow: ``to_server`` and ``to_phone`` are transport and host as Via has them,
    ``here`` is host and port of the relay's socket and ``transport`` how the phone comes to it (udp or tcp)."""

    to_server: str
    to_phone: str
    here: str
    transport: str

    @property
    def route(self) -> str:
        """The value of our Record-Route."""
        return f"<sip:{self.here};transport={self.transport};lr>"


def request_to_server(request: Request, ways: Ways, branch: str) -> Request:
    """The phone's request as the server gets it. Raises NotSipError."""
    headers = _hop(request.headers).changed("Contact", over_websocket)
    headers = _without_us(headers, ways, "Route").on_top("Via", f"SIP/2.0/{ways.to_server};branch={branch}")
    return replace(request, headers=headers)


def response_to_phone(response: Response, ways: Ways, method: str) -> Response:
    """The server's response to the phone's request, which was ``method``; our Via was its first."""
    headers = response.headers.without_first("Via")
    if method in _FORMING and 101 <= response.status < 300:
        headers = headers.at_end("Record-Route", ways.route)
    return _for_the_phone(replace(response, headers=headers))


def request_to_phone(request: Request, ways: Ways, branch: str) -> Request:
    """The server's request as the phone gets it. Raises NotSipError."""
    headers = _hop(request.headers)
    if request.method in _FORMING | {"NOTIFY"}:
        headers = headers.on_top("Record-Route", ways.route)
    headers = headers.on_top("Via", f"SIP/2.0/{ways.to_phone};branch={branch};rport")
    return _for_the_phone(replace(request, headers=headers))


def response_to_server(response: Response, ways: Ways) -> Response:
    """The phone's response as the server gets it. Raises NotSipError for one that did not come by us."""
    if read_via(response.headers.first("Via")).sent != ways.to_phone:
        raise NotSipError("a response has come that is for somebody else")
    headers = _without_us(response.headers.without_first("Via"), ways, "Record-Route")
    return replace(response, headers=headers.changed("Contact", over_websocket))


def hops_left(request: Request) -> int:
    """How often it may still be passed on (Max-Forwards); 70 where it does not say. Raises NotSipError."""
    said = request.headers.first("Max-Forwards")
    if not said:
        return _MOST_HOPS
    if not (said.isascii() and said.isdecimal() and len(said) < 10):
        raise NotSipError("Max-Forwards is no number")
    return int(said)


def _hop(headers: Headers) -> Headers:
    left = hops_left(Request("", "", headers))
    return headers.with_one("Max-Forwards", str(max(left - 1, 0)))


def _without_us(headers: Headers, ways: Ways, name: str) -> Headers:
    return headers.changed(name, lambda value: None if _is_us(value, ways) else value)


def _is_us(value: str, ways: Ways) -> bool:
    host = read_name_addr(value).uri.partition(":")[2].partition(";")[0]
    return host.rpartition("@")[2] == ways.here


def _for_the_phone(message: M) -> M:
    if message.body and is_sdp(message.headers):
        return replace(message, body=named_for_dtls(message.body))
    return message
