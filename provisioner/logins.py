"""Logging agents in and off: one task an agent, one login a reason.

A login makes the agent available for calls. So nothing here repeats one that worked, a refusal is final until its
reason is gone, and what is under way is never abandoned half done.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial

from provisioner.core.attempt import LOGGED_OFF, attempt_after, next_try
from provisioner.core.peer import peer_from_row
from provisioner.core.problem import Place, Problem
from provisioner.core.reason import Identity
from provisioner.core.reply import LoggedIn, NotThere, Outcome, Refused, Trouble
from provisioner.core.session import Attempt, HeldSession
from provisioner.core.settings import LoginPolicy, Platform
from provisioner.edge.platform import LoggedOff, PlatformAddress, PlatformClient, open_platform
from provisioner.edge.store import Store
from provisioner.seat import Seat

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chances:
    """The world's clock (Unix seconds) and dice (from 0 to 1)."""

    now: Callable[[], float]
    chance: Callable[[], float]


class Logins:
    """Keeps every seat logged in. ``logged_in`` is awaited after each success; ``keep`` runs a call on the store."""

    def __init__(
        self,
        chances: Chances,
        keep: Callable[[Callable[[Store], None]], Awaitable[None]],
        logged_in: Callable[[Seat], Awaitable[None]],
    ) -> None:
        self._now = chances.now
        self._chance = chances.chance
        self._keep = keep
        self._logged_in = logged_in
        self._clients: dict[PlatformAddress, PlatformClient] = {}
        self._open = AsyncExitStack()
        self._slots = asyncio.Semaphore(1)
        self._policy: LoginPolicy | None = None

    @property
    def policy(self) -> LoginPolicy:
        """The policy in force."""
        assert self._policy is not None
        return self._policy

    def use(self, policy: LoginPolicy) -> None:
        """Follow ``policy`` from now on; logins under way finish under the one that they began with."""
        if self._policy is None or policy.at_once != self._policy.at_once:
            self._slots = asyncio.Semaphore(policy.at_once)
        self._policy = policy

    async def close(self) -> None:
        """Close the connections."""
        await self._open.aclose()

    def delay(self, seat: Seat) -> None:
        """Let the first login of this seat wait a random part of the splay."""
        if seat.attempt is None and not seat.holds:
            seat.next_at = self._now() + self._chance() * self.policy.splay

    def resume(self, seat: Seat) -> None:
        """Go on with the failures that a seat had before a restart, unless its settings changed since."""
        if seat.attempt is not None and seat.attempt.password_mark != seat.identity.password_mark:
            seat.forget_failures()
        elif seat.attempt is not None:
            seat.next_at = next_try(seat.attempt, self.policy, chance=self._chance())

    async def keep_logged_in(self, seat: Seat) -> None:
        """Log the seat in as often as there is reason to; returns when there is nothing more to wait for."""
        while not seat.gone:
            seat.changed.clear()
            due = self._due(seat)
            if due is None:
                return
            pause = due - self._now()
            if pause > 0:
                await _first_of(seat.changed, pause)
                continue
            async with self._slots:
                if not seat.gone and self._due(seat) == due:
                    await self._log_in(seat)

    def _due(self, seat: Seat) -> float | None:
        if not seat.identity.password_mark or seat.next_at is None:
            return None
        if seat.session is None or not seat.holds or seat.renew:
            return seat.next_at
        every = self.policy.refresh_every
        return max(seat.session.logged_in_at + every, seat.next_at) if every else None

    async def _log_in(self, seat: Seat) -> None:
        served, identity = seat.served, seat.identity
        if served.secrets.password is None:
            return
        client = await self._client(served.wanted.platform)
        outcome = await client.log_in(identity.login, served.secrets.password)
        await self._took(seat, identity, outcome)
        seat.tried.set()

    async def _took(self, seat: Seat, identity: Identity, outcome: Outcome) -> None:
        match outcome:
            case LoggedIn(token=token, row=row):
                mark = identity.password_mark
                session = HeldSession(seat.login, identity.url, identity.login, row, token, mark, self._now())
                seat.session, seat.renew = session, False
                seat.forget_failures()
                await self._keep(partial(_keep_session, session=session))
                log.info("agent %s: logged in at %s", seat.login, identity.url)
                await self._logged_in(seat)
            case Refused() | Trouble() | NotThere() as failure:
                await self._failed(seat, identity, failure)

    async def _failed(self, seat: Seat, identity: Identity, failure: Refused | Trouble | NotThere) -> None:
        if identity != seat.identity:
            return  # the settings changed meanwhile: this says nothing about the new ones
        retry_after = failure.retry_after if isinstance(failure, Trouble) else None
        attempt = attempt_after(failure, seat.last_attempt(), self._now())
        seat.attempt = attempt
        seat.next_at = next_try(attempt, self.policy, chance=self._chance(), retry_after=retry_after)
        seat.renew = seat.renew and seat.next_at is not None
        await self._keep(partial(Store.put_attempt, attempt=attempt))
        log.warning("agent %s: %s", seat.login, describe(attempt, seat.next_at, self._now()))

    async def log_off(self, seat: Seat, *, stay_off: bool = False) -> Problem | None:
        """End the session of ``seat``, if it has one; with ``stay_off`` nobody logs it in again before a refresh.

        Gives the problem when the platform did not answer; the session is forgotten all the same.
        """
        session, seat.session = seat.session, None
        if stay_off:
            seat.attempt = replace(seat.last_attempt(), kind=LOGGED_OFF, at=self._now(), cause="by command")
            seat.next_at = None
            await self._keep(partial(Store.put_attempt, attempt=seat.attempt))
        return await self.end(session, seat.served.wanted.platform) if session else None

    async def end(self, session: HeldSession, platform: Platform) -> Problem | None:
        """Forget ``session`` and tell the platform where it was opened; gives the problem when that did not answer."""
        await self._keep(partial(Store.drop_session, agent=session.agent))
        client = await self._client(platform, session.url)
        name = peer_from_row(json.loads(session.row.reveal())).name
        outcome = await client.log_off(session.login, session.token, f"SIP/{name}")
        if isinstance(outcome, LoggedOff):
            log.info("agent %s: logged off", session.agent)
            return None
        problem = Problem(Place(f"agent {session.agent}"), f"the log-off failed: {outcome.cause}", "see the platform")
        log.warning("%s", problem)
        return problem

    async def _client(self, platform: Platform, url: str | None = None) -> PlatformClient:
        address = PlatformAddress(url or platform.url, platform.ca_file, platform.connect_timeout, platform.timeout)
        if address not in self._clients:
            self._clients[address] = await self._open.enter_async_context(open_platform(address))
        return self._clients[address]


def describe(attempt: Attempt, next_at: float | None, now: float) -> str:
    """A failed login in one sentence, with what happens next."""
    if next_at is None:
        return f"login {attempt.kind}: {attempt.cause}; not tried again before its settings change"
    return f"login: {attempt.kind}: {attempt.cause}; next try in {max(0.0, next_at - now):.0f} s"


def _keep_session(store: Store, session: HeldSession) -> None:
    with store.transaction():
        store.put_session(session)
        store.drop_attempt(session.agent)


async def _first_of(event: asyncio.Event, seconds: float) -> None:
    """Wait for ``event``, but no longer than ``seconds``."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
