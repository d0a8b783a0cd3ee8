"""What is known of a phone's registration from the messages that passed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from provisioner.core.sip.address import over_websocket, read_name_addr
from provisioner.core.sip.grammar import parameters
from provisioner.core.sip.message import Request, Response
from provisioner.core.sip.query import bindings

_SECONDS = re.compile("[0-9]{1,9}")
_USUAL = 3600
_EXPIRES = re.compile(r";\s*expires\s*=[^;]*", re.IGNORECASE)


class RegistrationState(StrEnum):
    """How a phone stands with the server. DISPLACED: it registered, and another phone has done so since; chan_sip keeps
    one contact, so the calls go there."""

    NONE = "not registered"
    REGISTERED = "registered"
    REFUSED = "refused"
    DISPLACED = "displaced"


@dataclass(frozen=True, slots=True)
class Registration:
    """``request`` is the phone's last REGISTER that wants a binding, to be sent anew over a new connection; ``status``
    the server's last final answer, ``expires`` seconds."""

    state: RegistrationState = RegistrationState.NONE
    request: Request | None = None
    status: int = 0
    expires: int = 0

    def asked(self, request: Request) -> Registration:
        """The phone registers, or leaves."""
        if not request.headers.first("Contact"):
            return self
        return replace(self, request=request if _wanted_seconds(request) else None)

    def answered(self, request: Request, response: Response) -> Registration:
        """The server's final answer to ``request``, which is a REGISTER with Contact. Raises NotSipError."""
        if response.status >= 300:
            refused = RegistrationState.REFUSED if response.status in (401, 403, 404, 407) else RegistrationState.NONE
            return replace(self, state=refused, status=response.status)
        if not _wanted_seconds(request):
            return Registration(status=response.status)
        expires = _granted(request, response)
        return replace(self, state=RegistrationState.REGISTERED, status=response.status, expires=expires)

    def seen(self, response: Response) -> Registration:
        """The server's answer to the question who is registered. Raises NotSipError."""
        there = [_plain(one.uri) for one in bindings(response)]
        if response.status >= 300 or self.request is None or self.state is not RegistrationState.REGISTERED:
            return self
        if not there:
            return replace(self, state=RegistrationState.NONE)
        return self if set(there) & set(_contacts(self.request)) else replace(self, state=RegistrationState.DISPLACED)


def farewell(request: Request) -> Request:
    """What ends the binding that a REGISTER has made."""
    headers = request.headers.changed("Contact", _leaving).with_one("Expires", "0")
    return replace(request, headers=headers, body=b"")


def _leaving(contact: str) -> str:
    address = read_name_addr(contact)
    return str(replace(address, after=f"{_EXPIRES.sub('', address.after)};expires=0"))


class Departure(StrEnum):
    """What the server is to hear of a phone that is gone: nothing, that it is gone, or where another phone of the same
    account is, which has been there all the time (chan_sip keeps one contact: that one would not be called)."""

    NOTHING = "nothing"
    FAREWELL = "farewell"
    HEIR = "heir"


def departure(gone: Registration, others: Iterable[Registration]) -> Departure:
    """``others`` are of the phones that are still there."""
    wanting = [one for one in others if one.request is not None]
    if gone.state is not RegistrationState.REGISTERED or gone.request is None:
        return Departure.NOTHING
    if not wanting:
        return Departure.FAREWELL
    return Departure.HEIR if any(one.state is RegistrationState.REGISTERED for one in wanting) else Departure.NOTHING


def _wanted_seconds(request: Request) -> int:
    """For how long a REGISTER wants its binding; 0 where it ends it. Raises NotSipError."""
    contact = request.headers.first("Contact")
    said = "" if contact.strip() == "*" else parameters(read_name_addr(contact).after).get("expires", "")
    said = said or request.headers.first("Expires")
    return int(said) if _SECONDS.fullmatch(said) else _USUAL


def _granted(request: Request, response: Response) -> int:
    ours = set(_contacts(request))
    said = [one.expires for one in bindings(response) if _plain(one.uri) in ours and one.expires is not None]
    general = response.headers.first("Expires")
    if said:
        return said[0]
    return int(general) if _SECONDS.fullmatch(general) else _wanted_seconds(request)


def _contacts(request: Request) -> list[str]:
    return [_plain(read_name_addr(over_websocket(value)).uri) for value in request.headers.every("Contact")]


def _plain(uri: str) -> str:
    """User, host and port: what two spellings of a contact share."""
    return uri.partition(";")[0].lower()
