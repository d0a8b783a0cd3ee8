"""Asking a registrar who is registered, over each transport of an account: connect, query, one signed try.

Nothing here touches a line: no request has a Contact, so none changes a binding.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from provisioner.core.account import Account, Transport
from provisioner.core.peer import peer_of
from provisioner.core.prepare import Job
from provisioner.core.problem import Place, Problem
from provisioner.core.secret import Secret
from provisioner.core.sip.digest import CannotAnswerError, Challenge, answer, challenges_in, choose
from provisioner.core.sip.grammar import NotSipError
from provisioner.core.sip.headers import Header
from provisioner.core.sip.message import Response, print_message
from provisioner.core.sip.query import T2, Query, query_for, retransmissions
from provisioner.core.sip.trial import Address, Failure, Obstacle, Stage, Trial, address_of, to_sign_with
from provisioner.edge.probe import Line, ProbeError, open_line, resolve
from provisioner.edge.websocket import open_websocket


@dataclass(frozen=True, slots=True)
class Enquirer:
    """Who asks: for ``account``, with ``passwords`` that may prove a realm, trusting what ``tls`` trusts, and waiting
    ``timeout`` seconds at most for each stage."""

    account: Account
    passwords: tuple[Secret, ...] = field(repr=False)
    tls: ssl.SSLContext
    timeout: float


async def enquire(who: Enquirer, transports: Iterable[Transport]) -> tuple[Trial, ...]:
    """One trial for each of ``transports``, one after the other. Once the server has refused the agent for good, the
    others are tried up to the challenge only."""
    trials: list[Trial] = []
    for transport in transports:
        spare = any(trial.is_over for trial in trials)
        trials.append(await _Attempt(who, address_of(who.account, transport), spare=spare).trial())
    return tuple(trials)


def passwords_of(job: Job) -> tuple[Secret, ...]:
    """What may turn out to be the SIP password: what the platform sent, and what the agent logs in with."""
    given = (peer_of(job.row).secret, job.secrets.password)
    return tuple(password for password in given if password)


class _Attempt:
    """One transport. ``spare`` keeps it from signing."""

    def __init__(self, who: Enquirer, address: Address, *, spare: bool) -> None:
        self._who = who
        self._address = address
        self._spare = spare
        self._watch = _Watch()

    async def trial(self) -> Trial:
        if not self._address.host:
            what = f"there is no {self._address.transport} address, `websocket_url` has another scheme"
            return Trial(self._address, cannot=Problem(Place("account"), what, "correct `websocket_url`"))
        try:
            self._watch.begin(Stage.RESOLVE)
            async with self._limited():
                found = await resolve(self._address.host, self._address.port)
        except ProbeError as error:
            return self._failed(error)
        resolved = self._watch.ended()
        trials: list[Trial] = []
        for ip in found:
            self._watch = _Watch(list(resolved))
            trials.append(await self._at(ip))
            if not _may_be_elsewhere(trials[-1]):
                return trials[-1]
        return max(trials, key=_tells)

    async def _at(self, ip: str) -> Trial:
        try:
            self._watch.begin(Stage.CONNECT)
            async with AsyncExitStack() as stack:
                async with self._limited():
                    line = await stack.enter_async_context(self._opening(ip))
                return await self._converse(line)
        except (ProbeError, NotSipError) as error:
            return self._failed(error)

    def _opening(self, ip: str) -> AbstractAsyncContextManager[Line]:
        if self._address.transport.is_websocket:
            return open_websocket(self._address, ip, self._who.tls, self._watch.begin)
        return open_line(self._address, ip, self._who.tls, self._watch.begin)

    async def _converse(self, line: Line) -> Trial:
        mark = secrets.token_hex(12)
        query = query_for(self._who.account, self._address.transport, sent_by=line.sent_by, mark=mark)
        self._watch.begin(Stage.CHALLENGE)
        response = await self._ask(line, query, 1)
        trial = Trial(self._address, challenge=self._challenge(response), response=response)
        if trial.challenge and self._spare:
            trial = replace(trial, spared=True)
        elif trial.challenge:
            trial = await self._sign(line, query, trial, 2)
            # One more only where nothing but the age of the nonce was wrong.
            if trial.was_stale:
                trial = await self._sign(line, query, trial, 3)
        return replace(trial, stages=self._watch.ended())

    async def _sign(self, line: Line, query: Query, trial: Trial, count: int) -> Trial:
        """The ``count``-th request, which answers the last challenge of ``trial``."""
        challenge, unsigned = trial.challenge, trial.response
        assert challenge is not None and unsigned is not None
        credential, transport = self._who.account.credential, self._address.transport
        try:
            credential = to_sign_with(challenge, credential, transport, self._who.passwords)
            signature = answer(challenge, credential, query.signed(secrets.token_hex(8)))
        except CannotAnswerError as error:
            return replace(trial, cannot=error.problems[0])
        if count == 2:
            self._watch.begin(Stage.ANSWER)
        name = "Proxy-Authorization" if unsigned.status == 407 else "Authorization"
        response = await self._ask(line, query, count, Header(name, signature))
        return replace(trial, challenge=self._challenge(response) or challenge, signed=True, response=response)

    def _challenge(self, response: Response) -> Challenge | None:
        return choose(challenges_in(response), self._who.account.credential)

    async def _ask(self, line: Line, query: Query, count: int, credentials: Header | None = None) -> Response:
        """The final response to the ``count``-th request, which is sent again where packets may be lost."""
        packet = print_message(query.request(count, credentials))
        limit = self._who.timeout
        heard = _Heard()
        for number, pause in enumerate(retransmissions(limit) if line.repeats else [limit]):
            if number == 0 or not heard.provisional or pause >= T2:
                await line.send(packet)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    return await _final(line, query, count, heard)
        raise ProbeError(Failure(Obstacle.NOT_SIP if line.heard else Obstacle.NO_ANSWER, self._watch.at))

    @asynccontextmanager
    async def _limited(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._who.timeout):
                yield
        except TimeoutError:
            raise ProbeError(Failure(Obstacle.NO_ANSWER, self._watch.at)) from None

    def _failed(self, error: ProbeError | NotSipError) -> Trial:
        at = self._watch.at
        failure = Failure(Obstacle.NOT_SIP, at) if isinstance(error, NotSipError) else replace(error.failure, at=at)
        return Trial(self._address, tuple(self._watch.stages), failure=failure)


@dataclass
class _Heard:
    provisional: bool = False


async def _final(line: Line, query: Query, count: int, heard: _Heard) -> Response:
    while True:
        message = await line.receive()
        if not isinstance(message, Response) or not query.is_answered_by(message, count):
            continue  # the answer to an earlier sending, or a request: neither is for us
        if message.is_final:
            return message
        heard.provisional = True


def _may_be_elsewhere(trial: Trial) -> bool:
    failure = trial.failure
    return failure is not None and (failure.at in (Stage.CONNECT, Stage.TLS) or failure.obstacle is Obstacle.REFUSED)


def _tells(trial: Trial) -> int:
    """How much a failure says of the server: where an address has nobody, another may have one with a fault."""
    nobody = (Obstacle.UNREACHABLE, Obstacle.REFUSED, Obstacle.NO_ANSWER)
    obstacle = trial.failure and trial.failure.obstacle
    return nobody.index(obstacle) if obstacle in nobody else len(nobody)


class _Watch:
    """Measures the stages of one trial: one begins where the last one ends."""

    def __init__(self, stages: list[tuple[Stage, float]] | None = None) -> None:
        self._now = asyncio.get_running_loop().time
        self._began = 0.0
        self._running = False
        self.stages = stages or []
        self.at = Stage.RESOLVE

    def begin(self, stage: Stage) -> None:
        self.ended()
        self.at, self._began, self._running = stage, self._now(), True

    def ended(self) -> tuple[tuple[Stage, float], ...]:
        """All stages, the one under way included, which is thereby over."""
        if self._running:
            self.stages.append((self.at, self._now() - self._began))
        self._running = False
        return tuple(self.stages)
