"""Which users of this machine have a session now: a courier's connection is the session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

from provisioner.core.problem import Problem, ProvisionerError
from provisioner.edge.courier_connection import Connection
from provisioner.edge.people import is_still
from provisioner.hands import CourierHands, Hands, Work
from provisioner.seat import Seat
from provisioner.waiting import Spawn

log = logging.getLogger(__name__)


class Desk(Protocol):
    """What is done when somebody comes or has gone."""

    @property
    def grace(self) -> float:
        """Seconds for which a session that was cut is taken to go on."""

    def seats_of(self, uid: int) -> list[Seat]:
        """The seats whose files belong to this user."""

    async def reload(self, *, asked: bool) -> tuple[Problem, ...]:
        """Read the configuration; ``asked``: also look up anew what it names, such as users."""

    async def came(self, seat: Seat) -> None:
        """A session of the seat's user began."""

    async def went(self, seat: Seat) -> None:
        """The session has been over for the grace time."""


class Couriers:
    """The couriers that are connected. ``own`` are the hands for homes of the user that this runs as."""

    def __init__(self, own: Hands, work: Work, desk: Desk, spawn: Spawn) -> None:
        self.own = own
        self._work = work
        self._desk = desk
        self._spawn = spawn
        self._hands: dict[int, CourierHands] = {}
        self._leaving: dict[int, asyncio.TimerHandle] = {}

    def hands(self, seat: Seat) -> Hands | None:
        """Those that reach the seat's home; None when its user has no session now."""
        return self.own if seat.uid is None else self._hands.get(seat.uid)

    def present(self, seat: Seat) -> bool:
        """Is there a session of the seat's user, or was there one a moment ago?"""
        return seat.uid is None or seat.uid in self._hands or seat.uid in self._leaving

    def expect(self, uids: Iterable[int]) -> None:
        """Take the sessions of these users to go on for the grace time: they were there before this process."""
        for uid in uids:
            if uid not in self._hands:
                self._part_later(uid)

    async def serve(self, connection: Connection) -> None:
        """Be there for one courier until it is gone. Of one user's couriers the first is the one."""
        uid = connection.uid
        if uid in self._hands or not await self._is_known(uid) or uid in self._hands:
            return
        log.info("user %d: session began (courier %s)", uid, connection.hello.version)
        hands = self._hands[uid] = CourierHands(connection, self._work, lambda: self._served(uid))
        if timer := self._leaving.pop(uid, None):
            timer.cancel()
        try:
            await self._clear(uid, hands)
            for seat in self._desk.seats_of(uid):
                await self._desk.came(seat)
            await connection.lost()
        finally:
            del self._hands[uid]
            self._part_later(uid)
            log.info("user %d: session over", uid)

    def stop(self) -> None:
        """Nobody is waited for any more."""
        for timer in self._leaving.values():
            timer.cancel()

    async def _is_known(self, uid: int) -> bool:
        """Make sure that a user gets nothing of whoever had this number before."""
        if await self._is_as_read(uid):
            return True
        log.warning("user %d is not whom the configuration meant when it was read: it is read again", uid)
        await self._desk.reload(asked=True)
        return await self._is_as_read(uid)

    async def _is_as_read(self, uid: int) -> bool:
        users = {seat.served.home.user for seat in self._desk.seats_of(uid) if seat.served.home}
        # A directory may take its time, and nobody else is to wait for it.
        return all([await asyncio.to_thread(is_still, user, uid) for user in users])

    def _served(self, uid: int) -> frozenset[str]:
        return frozenset(seat.login for seat in self._desk.seats_of(uid))

    async def _clear(self, uid: int, hands: CourierHands) -> None:
        """Remove the files of agents who were served here when the courier was here last, and are no longer."""
        try:
            problems = await hands.keep(sorted(self._served(uid)))
        except ProvisionerError as error:
            problems = error.problems
        for problem in problems:
            log.warning("%s", problem)

    def _part_later(self, uid: int) -> None:
        self._leaving[uid] = asyncio.get_running_loop().call_later(self._desk.grace, self._part, uid)

    def _part(self, uid: int) -> None:
        del self._leaving[uid]
        self._spawn(self._all_went(uid))

    async def _all_went(self, uid: int) -> None:
        await asyncio.gather(*(self._desk.went(seat) for seat in self._desk.seats_of(uid)))
