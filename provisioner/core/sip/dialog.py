"""What both ends of a call know of each other, so that the relay can speak to the one for the other (RFC 3261 section
12)."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.core.sip.address import read_name_addr
from provisioner.core.sip.grammar import NotSipError, is_uri
from provisioner.core.sip.headers import Header, Headers
from provisioner.core.sip.message import Request, Response
from provisioner.core.sip.reply import cseq_of


@dataclass(frozen=True, slots=True)
class End:
    """One of the two: ``name`` is its From or To, with its tag, ``contact`` the URI that it is asked at."""

    name: str
    contact: str


@dataclass(frozen=True, slots=True)
class Dialog:
    """``routes`` lead to the server; ``number`` is one that the phone's requests have reached."""

    call_id: str
    phone: End
    server: End
    routes: tuple[str, ...]
    number: int

    def to_server(self, method: str) -> Request:
        """A request in the phone's name, without a Via."""
        request = self._request(method, self.phone, self.server, self.number)
        routes = tuple(Header("Route", route) for route in self.routes)
        return Request(method, request.uri, Headers((*routes, *request.headers.fields)))

    def to_phone(self, method: str, number: int) -> Request:
        """A request in the server's name, without a Via; ``number`` is above all that the server's had."""
        return self._request(method, self.server, self.phone, number)

    def _request(self, method: str, by: End, to: End, number: int) -> Request:
        fields = (
            Header("Max-Forwards", "70"),
            Header("From", by.name),
            Header("To", to.name),
            Header("Call-ID", self.call_id),
            Header("CSeq", f"{number} {method}"),
        )
        return Request(method, to.contact, Headers(fields))


def dialog_of(invite: Request, response: Response, *, by_phone: bool) -> Dialog | None:
    """The dialog that a 2xx to an INVITE makes; None where nobody could be asked in it: one of the two has no Contact,
    or one that is no URI, or there is a route that is none."""
    route = tuple((response if by_phone else invite).headers.every("Record-Route"))
    try:
        contacts = [read_name_addr(one.headers.first("Contact")).uri for one in (invite, response)]
        stops = [read_name_addr(one).uri for one in route]
    except NotSipError:
        return None
    if not all(map(is_uri, (*contacts, *stops))):
        return None
    caller = End(invite.headers.first("From"), contacts[0])
    called = End(response.headers.first("To"), contacts[1])
    call_id = response.headers.first("Call-ID")
    if by_phone:
        return Dialog(call_id, caller, called, route[::-1], cseq_of(invite)[0])
    return Dialog(call_id, called, caller, route, 1)
