"""REGISTER without Contact: asks a registrar who is registered, and changes no binding (RFC 3261 section 10.2.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from provisioner.core.account import Account, Transport
from provisioner.core.sip.address import read_name_addr, sip_user
from provisioner.core.sip.digest import Signed
from provisioner.core.sip.grammar import MAGIC, parameters
from provisioner.core.sip.headers import Header, Headers
from provisioner.core.sip.message import Message, Request, Response

METHOD = "REGISTER"
T1, T2 = 0.5, 4.0  # seconds (RFC 3261 section 17.1.1.1)
_SEQUENCE = re.compile(rf"([0-9]{{1,10}})\s+{METHOD}")
_SECONDS = re.compile("[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Query:
    """One conversation with one registrar: ``aor`` and ``uri`` say whom it is about, ``via`` is protocol and address of
    our end, ``mark`` a random token that tells it from all others."""

    aor: str
    uri: str
    via: str
    mark: str

    def request(self, count: int, credentials: Header | None = None) -> Request:
        """The ``count``-th request of this conversation, from 1; ``credentials`` is the header that signs it."""
        fields = [
            Header("Via", f"SIP/2.0/{self.via};branch={MAGIC}{self.mark}{count};rport"),
            Header("Max-Forwards", "70"),
            Header("From", f"<{self.aor}>;tag={self.mark}"),
            Header("To", f"<{self.aor}>"),
            Header("Call-ID", self.mark),
            Header("CSeq", f"{count} {METHOD}"),
            Header("User-Agent", "softphone-provisioner"),
        ]
        return Request(METHOD, self.uri, Headers((*fields, credentials) if credentials else tuple(fields)))

    def signed(self, cnonce: str) -> Signed:
        """What a signature of its requests is for."""
        return Signed(METHOD, self.uri, cnonce)

    def is_answered_by(self, message: Message, count: int) -> bool:
        """Whether ``message`` answers the ``count``-th request, and not an earlier one or something else."""
        if not isinstance(message, Response) or message.headers.first("Call-ID") != self.mark:
            return False
        sequence = _SEQUENCE.fullmatch(message.headers.first("CSeq"))
        return sequence is not None and int(sequence[1]) == count


def query_for(account: Account, transport: Transport, *, sent_by: str, mark: str) -> Query:
    """The query for ``account`` over ``transport``; ``sent_by`` is our address there as ``host:port`` (a name that does
    not exist over WebSocket, RFC 7118 section 5.2)."""
    uri = f"sip:{account.domain}"
    aor = f"sip:{sip_user(account.name)}@{account.domain}"
    return Query(aor, uri, f"{transport.upper()} {sent_by}", mark)


@dataclass(frozen=True, slots=True)
class Binding:
    """A phone that is registered: its contact address, and for how many seconds more (None: not said)."""

    uri: str
    expires: int | None


def bindings(response: Response) -> Iterator[Binding]:
    """Who is registered, as the registrar's 200 says. Raises NotSipError for a contact that is none."""
    for value in response.headers.every("Contact"):
        contact = read_name_addr(value)
        expires = parameters(contact.after).get("expires", "")
        yield Binding(contact.uri, int(expires) if _SECONDS.fullmatch(expires) else None)


def retransmissions(limit: float) -> Iterator[float]:
    """Seconds to wait for an answer over UDP before each next sending of a request, ``limit`` in all: timer E of
    RFC 3261 section 17.1.2.1."""
    pause, left = T1, limit
    while left > 0:
        yield min(pause, left)
        left -= pause
        pause = min(2 * pause, T2)
