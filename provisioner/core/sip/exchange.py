"""The phone's requests that the server has not answered yet, or answered just now."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from provisioner.core.sip.address import read_via
from provisioner.core.sip.grammar import MAGIC
from provisioner.core.sip.message import Request, Response
from provisioner.core.sip.reply import cseq_of

# Seconds, 64 × T1: until then a packet may come again (RFC 3261 section 17.1.1.2).
LINGERS = 32.0
MOST = 512


class Author(StrEnum):
    """Whose request it is: the phone's, or the relay's own. REPLAY is the phone's last REGISTER over a new connection,
    QUERY the question who is registered, FAREWELL ends the registration of a phone that is gone, CALL asks whether the
    server still knows a call."""

    PHONE = "phone"
    REPLAY = "replay"
    QUERY = "query"
    FAREWELL = "farewell"
    CALL = "call"


@dataclass(slots=True)
class Exchange:
    """``request`` is as it came. At the server it has the number ``sent`` and came by ``branch``, which is empty when
    it was not passed on. ``answer`` is what the phone heard last, ``ended_at`` when that was final (monotonic
    seconds)."""

    request: Request
    author: Author = Author.PHONE
    sent: int = 0
    branch: str = ""
    tries: int = 0
    cancelled: bool = False
    answer: Response | None = None
    ended_at: float | None = None
    key: tuple[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.key = _phone_key(self.request)

    @property
    def method(self) -> str:
        """Its method."""
        return self.request.method

    @property
    def number(self) -> int:
        """Its number as the phone knows it."""
        return cseq_of(self.request)[0]

    @property
    def call_id(self) -> str:
        """Its Call-ID."""
        return self.request.headers.first("Call-ID")


def _phone_key(request: Request, method: str = "") -> tuple[str, str]:
    """What tells a request of the phone from all others, and what a copy of it shares (RFC 3261 section 17.2.3);
    ``method`` looks for another request with the same branch. Raises NotSipError."""
    via = request.headers.first("Via")
    branch = read_via(via).branch
    if not branch.startswith(MAGIC):
        branch = f"{via} {request.headers.first('Call-ID')} {cseq_of(request)[0]} {request.headers.first('From')}"
    return branch, method or request.method


class Exchanges:
    """At most MOST, found by what the phone and by what the server knows of them."""

    def __init__(self) -> None:
        self._by_phone: dict[tuple[str, str], Exchange] = {}
        self._by_branch: dict[tuple[str, str], Exchange] = {}
        self._ended: deque[Exchange] = deque()

    def waiting(self) -> list[Exchange]:
        """Those without a final answer."""
        return [one for one in self._by_phone.values() if one.ended_at is None]

    def add(self, exchange: Exchange, now: float) -> bool:
        """Remember one; False when there are too many without an answer."""
        while self._ended and (now - (self._ended[0].ended_at or 0) > LINGERS or len(self._by_phone) >= MOST):
            self._forget(self._ended.popleft())
        if len(self._by_phone) >= MOST:
            return False
        self._by_phone[exchange.key] = exchange
        return True

    def travels(self, exchange: Exchange, branch: str) -> None:
        """It goes to the server by ``branch`` from now on."""
        self._by_branch.pop((exchange.branch, exchange.method), None)
        exchange.branch = branch
        self._by_branch[branch, exchange.method] = exchange

    def ends(self, exchange: Exchange, now: float, *, here: bool = False) -> None:
        """It has its final answer; ``here`` says that it is not the server's, who then hears no more of it."""
        if here:
            self._by_branch.pop((exchange.branch, exchange.method), None)
            exchange.branch = ""
        if exchange.ended_at is None:
            exchange.ended_at = now
            self._ended.append(exchange)

    def of_phone(self, request: Request, method: str = "") -> Exchange | None:
        """The exchange of which ``request`` is a copy, or, of ``method``, which it shares the branch with."""
        return self._by_phone.get(_phone_key(request, method))

    def of_server(self, branch: str, method: str) -> Exchange | None:
        """The exchange that a response is for."""
        return self._by_branch.get((branch, method))

    def _forget(self, one: Exchange) -> None:
        if self._by_phone.get(one.key) is one:
            del self._by_phone[one.key]
        self._by_branch.pop((one.branch, one.method), None)
