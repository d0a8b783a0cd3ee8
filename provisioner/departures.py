"""Sessions that are wanted here no longer: they end without anybody waiting long for the platform."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from provisioner.core.session import Attempt, HeldSession
from provisioner.core.settings import Platform, Settings
from provisioner.edge.store import Store
from provisioner.logins import Logins
from provisioner.seat import Seat
from provisioner.site import Served
from provisioner.waiting import Spawn

# Long for a platform that is well; what others edited waits for one that hangs no longer than this.
PATIENCE = 1.0  # seconds
Strike = Callable[[Callable[[Store], None], str], Awaitable[None]]


class Departures:
    """``strike`` notes in the state that something of an agent is over, ``spawn`` starts a task that somebody else
    watches over."""

    def __init__(self, logins: Logins, strike: Strike, spawn: Spawn) -> None:
        self._logins = logins
        self._strike = strike
        self._spawn = spawn
        self._under_way: set[asyncio.Task[None]] = set()
        # As long as something is done for who left, or waits for its turn.
        self._busy = WeakValueDictionary[str, asyncio.Lock]()
        self._delivering = WeakValueDictionary[str, asyncio.Lock]()
        self._failures: dict[str, Attempt] = {}

    def seat_for(self, served: Served) -> Seat:
        """A new seat; what it does comes after what is still being done for an earlier one of this agent, and who was
        refused then is so still."""
        seat = Seat(served, attempt=self._failures.pop(served.wanted.agent.login, None))
        self._logins.resume(seat)
        seat.busy = self._busy.get(seat.login, seat.busy)
        seat.delivering = self._delivering.get(seat.login, seat.delivering)
        return seat

    async def leave(self, seats: Sequence[Seat], settings: Settings) -> None:
        """End the sessions of ``seats``, which are gone, as the policy of ``settings`` has it."""
        for seat in seats:
            self._busy[seat.login], self._delivering[seat.login] = seat.busy, seat.delivering
            self._remember(seat)
        await self._patiently(self._leave(seat, settings) for seat in seats)

    async def move(self, seats: Iterable[Seat]) -> None:
        """End the sessions of ``seats`` where they were opened; their next logins, elsewhere, come after it."""
        work = []
        for seat in seats:
            if seat.session:
                # With the certificates of that address, which the seat's next settings may not name any more.
                work.append(self._move(seat, seat.session, seat.served.wanted.platform))
                seat.session = None
        await self._patiently(work)

    async def forget(
        self, sessions: Sequence[HeldSession], failures: Mapping[str, Attempt], settings: Settings
    ) -> None:
        """End ``sessions`` of an earlier run, whose agents have no seat; ``failures`` are the last ones of that run, by
        agent."""
        self._failures.update(failures)
        work = []
        for session in sessions:
            self._busy[session.agent] = busy = asyncio.Lock()
            work.append(self._forget(busy, session, settings))
        await self._patiently(work)

    async def finished(self) -> None:
        """Wait until all has ended that is under way."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def _patiently(self, work: Iterable[Coroutine[Any, Any, None]]) -> None:
        tasks = [self._spawn(one) for one in work]
        self._under_way.update(tasks)
        for task in tasks:
            task.add_done_callback(self._under_way.discard)
        if tasks:
            await asyncio.wait(tasks, timeout=PATIENCE)

    def _remember(self, seat: Seat) -> None:
        self._failures.pop(seat.login, None)
        if seat.attempt:
            self._failures[seat.login] = seat.attempt

    async def _leave(self, seat: Seat, settings: Settings) -> None:
        async with seat.busy:  # a login under way is awaited, and what it brought is ended
            session, seat.session = seat.session, None
            if session:
                await self._part(session, settings)
            self._remember(seat)
        if seat.task:
            await asyncio.wait([seat.task])

    async def _move(self, seat: Seat, session: HeldSession, platform: Platform) -> None:
        async with seat.busy:
            if seat.session and seat.session.url == session.url:  # the login that was under way has replaced it
                session, seat.session = seat.session, None
            await self._logins.end(session, platform)

    async def _forget(self, busy: asyncio.Lock, session: HeldSession, settings: Settings) -> None:
        async with busy:
            await self._part(session, settings)

    async def _part(self, session: HeldSession, settings: Settings) -> None:
        if settings.login.log_off_on_removal:
            await self._logins.end(session, settings.platform)
        else:
            await self._strike(partial(Store.drop_session, agent=session.agent), session.agent)
