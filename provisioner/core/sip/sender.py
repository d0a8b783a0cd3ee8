"""The phone's requests on their way to the server: the numbers and branches that they have there."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import replace

from provisioner.core.sip.address import read_via
from provisioner.core.sip.exchange import Author, Exchange, Exchanges
from provisioner.core.sip.grammar import MAGIC
from provisioner.core.sip.headers import Header, Headers
from provisioner.core.sip.message import Request, Response
from provisioner.core.sip.reply import cseq_of
from provisioner.core.sip.rewrite import Ways, request_to_server
from provisioner.core.sip.sides import Output, Shared, ToServer
from provisioner.core.sip.signer import CREDENTIALS

_RACK = re.compile(r"([0-9]{1,10})\s+([0-9]{1,10})\s+(\S+)")


class Sender:
    """Passes requests on and remembers by which branch, in ``exchanges``."""

    def __init__(self, shared: Shared, ways: Ways, exchanges: Exchanges) -> None:
        self._shared = shared
        self._ways = ways
        self._exchanges = exchanges

    def send(self, exchange: Exchange, credentials: Header | None = None) -> list[Output]:
        """Pass a request on, for the first time or with the answer to a challenge."""
        exchange.sent = exchange.number
        if self._shared.signer.answers:
            exchange.sent = self._shared.sequences.next(exchange.call_id, exchange.number, exchange.method)
        self._exchanges.travels(exchange, self.branch(f"{exchange.key[0]} {exchange.sent}"))
        request = self._numbered(exchange.request, exchange.sent)
        if exchange.author is not Author.PHONE:
            request = replace(request, headers=request.headers.without("Via"))
        sent = request_to_server(request, self._ways, exchange.branch)
        if credentials:
            sent = replace(sent, headers=sent.headers.at_end(credentials.name, credentials.value))
        return [ToServer(sent)]

    def cancel(self, exchange: Exchange, invite: Exchange) -> list[Output]:
        """Pass a CANCEL on, which has number and branch of its INVITE."""
        exchange.sent = invite.sent
        self._exchanges.travels(exchange, invite.branch)
        request = self._numbered(exchange.request, invite.sent)
        return [ToServer(request_to_server(request, self._ways, invite.branch))]

    def acknowledge(self, ack: Request, invite: Exchange | None) -> list[Output]:
        """Pass an ACK on: of a refusal with the branch of its INVITE, of a call with one of its own."""
        sent = invite.sent if invite else self._known_number(ack, cseq_of(ack)[0])
        branch = invite.branch if invite else self.branch(read_via(ack.headers.first("Via")).branch)
        return [ToServer(request_to_server(self._numbered(ack, sent), self._ways, branch))]

    def own_ack(self, exchange: Exchange, response: Response) -> list[Output]:
        """Acknowledge a challenge, of which the phone does not hear."""
        kept = ("from", "call-id", "route", "max-forwards")
        fields = [one for one in exchange.request.headers.fields if one.key in kept]
        headers = Headers((*fields, Header("To", response.headers.first("To")), Header("CSeq", f"{exchange.sent} ACK")))
        ack = request_to_server(Request("ACK", exchange.request.uri, headers), self._ways, exchange.branch)
        return [ToServer(ack)]

    def branch(self, seed: str) -> str:
        """A branch that nobody else can guess, and the same each time for the same seed."""
        made = hmac.new(self._shared.key, seed.encode("utf-8", "surrogateescape"), hashlib.sha256)
        return MAGIC + made.hexdigest()[:32]

    def _numbered(self, request: Request, number: int) -> Request:
        headers = request.headers.with_one("CSeq", f"{number} {request.method}")
        if rack := _RACK.fullmatch(headers.first("RAck")):
            sent = self._known_number(request, int(rack[2]))
            headers = headers.with_one("RAck", f"{rack[1]} {sent} {rack[3]}")
        return replace(request, headers=headers.without(*CREDENTIALS) if self._shared.signer.answers else headers)

    def _known_number(self, request: Request, number: int) -> int:
        """What the server has for the number of an INVITE before."""
        if not self._shared.signer.answers:
            return number
        return self._shared.sequences.of(request.headers.first("Call-ID"), number)
