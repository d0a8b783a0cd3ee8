"""Logging agents in and off: one task an agent, one login a reason.

A login makes the agent available for calls. So nothing here repeats one that worked, a refusal is final until its
reason is gone, and what is under way is never abandoned half done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from provisioner.core.attempt import LOGGED_OFF, attempt_after, goes_on, next_try
from provisioner.core.peer import peer_of
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.reply import LoggedIn, LoggedOff, LoginOutcome, NotThere, Refused, Trouble
from provisioner.core.secret import Secret
from provisioner.core.session import Attempt, HeldSession
from provisioner.core.settings import LoginPolicy, Platform
from provisioner.edge.platform import PlatformAddress, PlatformClients
from provisioner.edge.store import Store
from provisioner.noting import Keeper, note
from provisioner.seat import Seat
from provisioner.site import Served
from provisioner.telling import tell
from provisioner.waiting import first_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chances:
    """The world's clock (Unix seconds) and dice (from 0 to 1). With ``hurry`` somebody waits for what is begun now:
    there is no splay, what failed in an earlier run is tried at once, unless the platform named a time, and what fails
    now is not tried again."""

    now: Callable[[], float]
    chance: Callable[[], float]
    hurry: bool = False


class Logins:
    """Keeps every seat logged in. ``logged_in`` is awaited after each success; ``keep`` runs a call on the store;
    ``present`` says whether a seat's user has a session now."""

    def __init__(
        self,
        chances: Chances,
        keep: Keeper,
        logged_in: Callable[[Seat], Awaitable[None]],
        present: Callable[[Seat], bool],
    ) -> None:
        self._now = chances.now
        self._chance = chances.chance
        self._hurry = chances.hurry
        self._keep = keep
        self._logged_in = logged_in
        self._present = present
        self._clients = PlatformClients()
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

    async def close(self, seats: Iterable[Seat] = ()) -> None:
        """Close the connections, once nobody logs any of ``seats`` off any more."""
        for seat in seats:
            async with seat.busy:
                pass
        await self._clients.close()

    def delay(self, seat: Seat) -> None:
        """Let a login that is due wait a random part of the splay, so that workstations do not arrive together."""
        if seat.next_at is not None and not self._hurry:
            seat.next_at = max(seat.next_at, self._now() + self._chance() * self.policy.splay)

    def resumed(self, seat: Seat, seconds: float) -> None:
        """The machine was suspended for so long: what came due meanwhile is due now, and so is a login of whom the
        platform has dropped since, unless it refused that before."""
        least = self.policy.again_after
        if least and seconds >= least and seat.holds and seat.next_at is not None:
            seat.renew = True
            seat.forget_failures()
        self.delay(seat)

    def resume(self, seat: Seat) -> None:
        """Go on with the failures that a seat had before a restart or an edit, unless they were of other settings.

        A password that cannot be read just now is no other setting: what was refused stays refused.
        """
        attempt = seat.attempt
        if attempt is None:
            return
        if not goes_on(attempt, seat.identity.password_mark):
            seat.forget_failures()
            return
        # A clock that was ahead then must not put the next try off for as long.
        attempt = replace(attempt, at=min(attempt.at, self._now()))
        seat.next_at = next_try(attempt, self.policy, chance=self._chance())
        if self._hurry and seat.next_at is not None:
            seat.next_at = attempt.at + attempt.retry_after
        # A failure beside the session that is wanted is that of a refresh, which is still due.
        seat.renew = seat.renew or (seat.holds and seat.next_at is not None)

    async def keep_logged_in(self, seat: Seat) -> None:
        """Log the seat in as often as there is reason to; returns when there is nothing more to wait for."""
        while not seat.gone:
            seat.changed.clear()
            _tell(seat)
            if seat.session and seat.session.logged_in_at > self._now():  # by a clock that was ahead
                seat.session = replace(seat.session, logged_in_at=self._now())
            due, now = None if self._hurry and seat.tried.is_set() else self._due(seat), self._now()
            seat.due_at = due if due is not None and due > now else None
            if due is None:
                return
            if due > now:
                await self._wait(seat, due - now)
            else:
                await self._log_in(seat)

    async def log_off(self, seat: Seat, *, stay_off: bool = False) -> Problem | None:
        """End the session of ``seat``, if it has one; with ``stay_off`` nobody logs it in again before a refresh.

        A login under way is awaited first. Gives the problem when the platform did not answer; the session is forgotten
        all the same.
        """
        if stay_off:
            seat.next_at = None  # a login that waits for its turn is not to begin
        async with seat.busy:
            last, session, seat.session = seat.last_attempt(), seat.session, None
            if stay_off:
                seat.attempt = replace(last, kind=LOGGED_OFF, at=self._now(), cause="by command", retry_after=0.0)
                seat.next_at, seat.renew = None, False
                seat.changed.set()
                await self._remember(seat.login, partial(Store.put_attempt, attempt=seat.attempt))
            return await self.end(session, seat.served.wanted.platform) if session else None

    async def end(self, session: HeldSession, platform: Platform) -> Problem | None:
        """Forget ``session`` and tell the platform where it was opened; gives the problem when that did not answer."""
        async with self._slots:
            return await self._end(session, platform)

    def _due(self, seat: Seat) -> float | None:
        if not seat.identity.password_mark or seat.next_at is None or seat.moving:
            return None
        if self.policy.at == "session" and not self._present(seat):
            return None
        if seat.session is None or not seat.holds or seat.renew:
            return seat.next_at
        every = self.policy.refresh_every
        return max(seat.session.logged_in_at + every, seat.next_at) if every else None

    async def _wait(self, seat: Seat, pause: float) -> None:
        """Wait ``pause`` seconds and no longer, though the clock is set back meanwhile, as after a boot with one that
        was ahead; nor for longer than anybody is let wait, when it was set back before."""
        retry_after = seat.attempt.retry_after if seat.attempt else 0.0
        longest = max(retry_after + self.policy.longest_retry, self.policy.splay)
        await first_of(seat.changed, min(pause, longest))
        if not seat.changed.is_set() and seat.next_at is not None:
            seat.next_at = min(seat.next_at, self._now())

    async def _log_in(self, seat: Seat) -> None:
        """One login, if there still is reason for it when its turn comes, and what follows from it."""
        async with seat.busy, self._slots:
            due, password = self._due(seat), seat.served.secrets.password
            if seat.gone or due is None or due > self._now() or password is None:
                return
            served, identity = seat.served, seat.identity
            seat.asking = True
            try:
                outcome = await self._ask(served.wanted.platform, identity.login, password)
                await self._took(seat, served, outcome)
            finally:
                seat.asking = False
        logged_in = isinstance(outcome, LoggedIn)
        if logged_in and seat.holds:
            await self._logged_in(seat)
        # Or another one is wanted since: for new settings, or for a refresh by command.
        if identity == seat.identity and not (logged_in and seat.renew):
            seat.tried.set()

    async def _ask(self, platform: Platform, login: str, password: Secret) -> LoginOutcome:
        try:
            async with self._clients.at(_address(platform, platform.url)) as client:
                return await client.log_in(login, password)
        except ProvisionerError as error:
            return Trouble("; ".join(problem.what for problem in error.problems))

    async def _took(self, seat: Seat, served: Served, outcome: LoginOutcome) -> None:
        identity = served.wanted.identity
        match outcome:
            case LoggedIn(token=token, row=row):
                mark = identity.password_mark
                session = HeldSession(seat.login, identity.url, identity.login, row, token, mark, self._now())
                log.info("agent %s: logged in at %s", seat.login, identity.url)
                await self._hold(seat, session, served.wanted.platform)
            case Refused() | Trouble() | NotThere() as failure if identity == seat.identity:
                await self._failed(seat, failure)
            case _:
                pass  # a failure with settings that are not in force any more says nothing about the new ones

    async def _hold(self, seat: Seat, session: HeldSession, platform: Platform) -> None:
        # First: from here to whoever is told of the login nobody waits, or files were made before the realm is known.
        await self._remember(seat.login, partial(_keep_session, session=session))
        if session.url != seat.identity.url:
            await self._end(session, platform)  # nobody wants it any more
            return
        seat.session = session
        if seat.holds:
            seat.forget_failures()
            seat.renew = False

    async def _failed(self, seat: Seat, failure: Refused | Trouble | NotThere) -> None:
        attempt = attempt_after(failure, seat.last_attempt(), self._now())
        seat.attempt = attempt
        seat.next_at = next_try(attempt, self.policy, chance=self._chance())
        seat.renew = seat.renew and seat.next_at is not None
        await self._remember(seat.login, partial(Store.put_attempt, attempt=attempt))
        log.warning("agent %s: %s", seat.login, describe(attempt, seat.next_at, self._now()))

    async def _end(self, session: HeldSession, platform: Platform) -> Problem | None:
        # Forgotten first: a session that was ended but is still remembered would keep the agent logged off.
        await self._remember(session.agent, partial(Store.drop_session, agent=session.agent))
        where = Place(f"agent {session.agent}")
        name = peer_of(session.row).name
        try:
            async with self._clients.at(_address(platform, session.url)) as client:
                outcome = await client.log_off(session.login, session.token, f"SIP/{name}")
        except ProvisionerError as error:
            outcome = Trouble("; ".join(problem.what for problem in error.problems))
        if isinstance(outcome, LoggedOff):
            log.info("agent %s: logged off", session.agent)
            return None
        problem = Problem(where, f"the log-off failed: {outcome.cause}", "the platform may still send calls")
        log.warning("%s", problem)
        return problem

    async def _remember(self, agent: str, change: Callable[[Store], None]) -> None:
        await note(self._keep, change, f"agent {agent}: what became of the login is not kept across a restart")


def describe(attempt: Attempt, next_at: float | None, now: float) -> str:
    """A failed login in one sentence, with what happens next."""
    if next_at is None:
        return f"login {attempt.kind}: {attempt.cause}; not tried again before its settings change"
    return f"login {attempt.kind}: {attempt.cause}; next try in {max(0.0, next_at - now):.0f} s"


def _tell(seat: Seat) -> None:
    """Log what keeps the agent from being served before anybody is asked, and when it is over, once."""
    told, seat.told = seat.told, seat.served.problems
    tell(told, seat.told, who=f"agent {seat.login}: ")


def _address(platform: Platform, url: str) -> PlatformAddress:
    return PlatformAddress(url, platform.ca_file, platform.connect_timeout, platform.timeout)


def _keep_session(store: Store, session: HeldSession) -> None:
    with store.transaction():
        store.put_session(session)
        store.drop_attempt(session.agent)
