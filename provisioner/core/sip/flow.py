"""One phone and its WebSocket: what comes in on one side, and what goes out on either.

A state machine without sockets or clock. In answer mode the phone holds no credential: a challenge is answered here,
once, and the phone hears of it only when the server refuses that answer.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from provisioner.core.sip.address import read_name_addr, read_via, user_of
from provisioner.core.sip.calls import Calls
from provisioner.core.sip.exchange import Author, Exchange, Exchanges
from provisioner.core.sip.grammar import MAGIC
from provisioner.core.sip.headers import Header
from provisioner.core.sip.message import Message, Request, Response
from provisioner.core.sip.registration import Registration, RegistrationState, farewell
from provisioner.core.sip.reply import check_whole, cseq_of, is_in_dialog, reply
from provisioner.core.sip.rewrite import (
    Ways,
    hops_left,
    request_to_phone,
    request_to_server,
    response_to_phone,
    response_to_server,
)
from provisioner.core.sip.sender import Sender
from provisioner.core.sip.sides import Link, Output, Shared, ToPhone, ToServer

RETRY_AFTER = 5  # seconds, told to a phone while the server is away
_MOST_CALLED = 256


class Flow:
    """``now`` is always monotonic seconds. What is no SIP raises NotSipError, and changes nothing."""

    def __init__(self, shared: Shared, ways: Ways, mark: str) -> None:
        self._signer = shared.signer
        self._ways = ways
        self._mark = mark
        self._exchanges = Exchanges()
        self._sender = Sender(shared, ways, self._exchanges)
        self._called: dict[str, None] = {}
        self._numbers = count(1)
        self.link = Link.OPENING
        self.calls = Calls()
        self.registration = Registration()
        self.refusals = 0
        self.ask_at: float | None = None
        self._gone = False

    def from_phone(self, message: Message, now: float) -> list[Output]:
        """A message of the phone."""
        check_whole(message)
        if isinstance(message, Response):
            return self._phone_answers(message)
        if message.method == "ACK":
            return self._acknowledged(message)
        if known := self._exchanges.of_phone(message):
            return [ToPhone(known.answer)] if known.answer else []
        return self._phone_asks(message, now)

    def from_server(self, message: Message, now: float) -> list[Output]:
        """A message that came over the WebSocket."""
        check_whole(message)
        if isinstance(message, Response):
            return self._server_answers(message, now)
        if message.method != "ACK" and hops_left(message) == 0:
            return [ToServer(reply(message, 483, "Too Many Hops"))]
        if self._gone:
            return [] if message.method == "ACK" else [ToServer(_nobody_here(message))]
        via = message.headers.first("Via")
        passed = request_to_phone(message, self._ways, self._sender.branch(read_via(via).branch or via))
        self.calls.asked(message, by_phone=False)
        if not is_in_dialog(message):
            self._called[message.headers.first("Call-ID")] = None
            if len(self._called) > _MOST_CALLED:
                del self._called[next(iter(self._called))]
        return [ToPhone(passed)]

    def up(self, now: float) -> list[Output]:
        """The WebSocket is open (again): what was held goes out, and the registration is asked for anew."""
        self.link = Link.UP
        held = self._exchanges.waiting()
        outputs = [output for one in held for output in self._sender.send(one)]
        if not any(one.method == "REGISTER" for one in held):
            outputs += self.replay(now)
        for dialog in self.calls.dialogs():  # a BYE may have been lost; INFO changes nothing in a call (RFC 2976)
            outputs += self._own(dialog.to_server("INFO"), Author.CALL, now)
        return outputs

    def lost(self, now: float) -> list[Output]:
        """The WebSocket is cut, and a new one opens: answers that were still to come will not come. A registration is
        asked for again."""
        self.link = Link.OPENING
        self.ask_at = None
        self.calls.cut()
        if self.registration.state in (RegistrationState.REGISTERED, RegistrationState.DISPLACED):
            self.registration = replace(self.registration, state=RegistrationState.NONE)
        outputs: list[Output] = []
        for one in self._exchanges.waiting():
            if one.method == "REGISTER" and one.author is Author.PHONE:
                one.tries = 0
            else:
                outputs += self._away(one, now)
        return outputs

    def down(self, now: float) -> list[Output]:
        """No WebSocket could be opened."""
        self.link = Link.AWAY
        return [output for one in self._exchanges.waiting() for output in self._away(one, now)]

    def replay(self, now: float) -> list[Output]:
        """Send the phone's last REGISTER anew, with a credential that may be another one."""
        request = self.registration.request
        return self._own(request, Author.REPLAY, now) if request and not self._gone else []

    def ask(self, now: float) -> list[Output]:
        """Ask the server who is registered: nobody tells a phone that another one has taken its calls. Due at
        ``ask_at``."""
        self.ask_at = None
        request = self.registration.request
        if request is None:
            return []
        headers = request.headers.without("Contact", "Expires").with_one("Call-ID", f"{self._mark}-query")
        return self._own(replace(request, headers=headers, body=b""), Author.QUERY, now)

    def gone(self) -> list[Output]:
        """There is no phone any more: from now on the server is told so when it calls, and of what rings there."""
        self._gone = True
        self.ask_at = None
        return [ToServer(_nobody_here(invite)) for invite in self.calls.ringing()] if self.link is Link.UP else []

    def leave(self, now: float) -> list[Output]:
        """End the registration of the phone that is gone, if the server still has it: another phone's is not to be
        ended. Over when ``has_left``."""
        return self.ask(now)

    @property
    def has_left(self) -> bool:
        """Whether no answer to a registration is to come."""
        waiting = any(one.method == "REGISTER" for one in self._exchanges.waiting())
        return self.link is not Link.UP or not waiting

    def _phone_asks(self, request: Request, now: float) -> list[Output]:
        # All that may raise comes first: a request that is remembered is sent at a moment when nobody can refuse it.
        refusal = self._refusal(request)
        registration = self.registration.asked(request) if request.method == "REGISTER" else self.registration
        request_to_server(request, self._ways, MAGIC)
        exchange = Exchange(request)
        if not self._exchanges.add(exchange, now):
            return [ToPhone(reply(request, 503, "Too Many Requests At Once"))]
        if refusal:
            return self._ended(exchange, refusal, now)
        self.registration = registration
        if self._signer.refused and not is_in_dialog(request) and request.method != "CANCEL":
            return self._ended(exchange, reply(request, 403, "Refused By The Server Before"), now)
        if request.method == "CANCEL":
            return self._cancelled(exchange, now)
        if self.link is Link.AWAY:
            return self._away(exchange, now)
        self.calls.asked(request, by_phone=True)
        return self._sender.send(exchange) if self.link is Link.UP else []

    def _refusal(self, request: Request) -> Response | None:
        """Why this request goes no further."""
        if hops_left(request) == 0:
            return reply(request, 483, "Too Many Hops")
        names = ("From", "To") if request.method == "REGISTER" else ("From",)
        if not is_in_dialog(request) and any(_user(request, name) != self._signer.name for name in names):
            return reply(request, 403, "Not Your Account")
        return None

    def _own(self, request: Request, author: Author, now: float) -> list[Output]:
        if self.link is not Link.UP or self._signer.refused or not self._signer.answers:
            return []
        via = f"SIP/2.0/{self._ways.to_phone};branch={MAGIC}{self._mark}{next(self._numbers)}"
        exchange = Exchange(replace(request, headers=request.headers.without("Via").on_top("Via", via)), author)
        return self._sender.send(exchange) if self._exchanges.add(exchange, now) else []

    def _cancelled(self, exchange: Exchange, now: float) -> list[Output]:
        invite = self._exchanges.of_phone(exchange.request, "INVITE")
        if invite is None or invite.ended_at is not None:
            return self._ended(exchange, reply(exchange.request, 481, "No Such Call"), now)
        if not invite.branch:  # still held
            gone = self._ended(invite, reply(invite.request, 487, "Request Terminated"), now)
            return self._ended(exchange, reply(exchange.request, 200, "OK"), now) + gone
        invite.cancelled = True
        return self._sender.cancel(exchange, invite)

    def _acknowledged(self, ack: Request) -> list[Output]:
        invite = self._exchanges.of_phone(ack, "INVITE")
        if self.link is not Link.UP or (invite and not invite.branch):
            return []
        return self._sender.acknowledge(ack, invite)

    def _phone_answers(self, response: Response) -> list[Output]:
        answer = response_to_server(response, self._ways)
        self.calls.answered(response, cseq_of(response)[1])
        is_ours = not answer.headers.first("Via")  # to a request of our own
        return [ToServer(answer)] if self.link is Link.UP and not is_ours else []

    def _server_answers(self, response: Response, now: float) -> list[Output]:
        branch, method = read_via(response.headers.first("Via")).branch, cseq_of(response)[1]
        exchange = self._exchanges.of_server(branch, method)
        if exchange is None or (exchange.ended_at is not None and not response.is_final):
            return []
        if exchange.tries:
            self._signer.answered(exchange.request, response)
        elif response.status in (401, 407) and exchange.ended_at is None:
            return self._sign(exchange, response, now) or self._passed_on(exchange, response, now)
        return self._passed_on(exchange, response, now)

    def _sign(self, exchange: Exchange, response: Response, now: float) -> list[Output]:
        """Answer a challenge; nothing where it is not to be answered."""
        if not self._may_sign(exchange):
            return []
        credentials = self._signer.sign(
            exchange.request, response, self._sender.branch(f"cnonce {next(self._numbers)}")
        )
        if credentials is None:
            return []
        ack = self._sender.own_ack(exchange, response) if exchange.method == "INVITE" else []
        if exchange.cancelled:
            return ack + self._ended(exchange, reply(exchange.request, 487, "Request Terminated"), now)
        exchange.tries += 1
        return ack + self._sender.send(exchange, credentials)

    def _may_sign(self, exchange: Exchange) -> bool:
        """In a call that the server began, From is what the phone's contact says, which may be another word."""
        return _user(exchange.request, "From") == self._signer.name or exchange.call_id in self._called

    def _passed_on(self, exchange: Exchange, response: Response, now: float) -> list[Output]:
        if response.is_final:
            self._exchanges.ends(exchange, now)
            if exchange.method == "REGISTER":
                self._learn(exchange, response, now)
        match exchange.author:
            case Author.PHONE:
                headers = response.headers.with_one("CSeq", exchange.request.headers.first("CSeq"))
                response = replace(response, headers=headers)
                self.calls.answered(response, exchange.method)
                exchange.answer = response_to_phone(response, self._ways, exchange.method)
                return [ToPhone(exchange.answer)]
            case Author.QUERY if self._gone and 200 <= response.status < 300:
                return self._farewell(now)
            case Author.CALL if response.status == 481:
                return self._hung_up(exchange.call_id)
            case _:
                return []

    def _farewell(self, now: float) -> list[Output]:
        known = self.registration
        if known.request is None or known.state is not RegistrationState.REGISTERED:
            return []
        return self._own(farewell(known.request), Author.FAREWELL, now)

    def _hung_up(self, call_id: str) -> list[Output]:
        """The server knows no such call any more."""
        bye = self.calls.over(call_id)
        branch = self._sender.branch(f"bye {call_id}")
        return [ToPhone(request_to_phone(bye, self._ways, branch))] if bye else []

    def _learn(self, exchange: Exchange, response: Response, now: float) -> None:
        self.refusals += response.status in (401, 403, 404, 407)
        if exchange.author is Author.QUERY:
            self.registration = self.registration.seen(response)
        elif exchange.request.headers.first("Contact"):
            self.registration = self.registration.answered(exchange.request, response)
            registered = self.registration.state is RegistrationState.REGISTERED and not self._gone
            self.ask_at = now + self.registration.expires / 2 if registered else None

    def _away(self, exchange: Exchange, now: float) -> list[Output]:
        answer = reply(exchange.request, 503, "Server Away", Header("Retry-After", str(RETRY_AFTER)))
        return self._ended(exchange, answer, now)

    def _ended(self, exchange: Exchange, answer: Response, now: float) -> list[Output]:
        exchange.answer = answer
        self._exchanges.ends(exchange, now, here=True)
        self.calls.answered(answer, exchange.method)
        return [ToPhone(answer)] if exchange.author is Author.PHONE else []


def _user(request: Request, name: str) -> str:
    return user_of(read_name_addr(request.headers.first(name)).uri)


def _nobody_here(request: Request) -> Response:
    return reply(request, 480, "Temporarily Unavailable")
