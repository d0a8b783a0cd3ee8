"""The files of one seat, brought up to date from the session at hand, and the phone told about it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from provisioner.core.parcel import State
from provisioner.core.prepare import Job
from provisioner.core.problem import Problem, ProvisionerError
from provisioner.hands import Hands, Work
from provisioner.refresh import AgentReport, Order, order_of, report_of, waiting
from provisioner.reloads import Reloads
from provisioner.seat import Seat, is_served
from provisioner.telling import tell
from provisioner.waiting import Spawn

log = logging.getLogger(__name__)
_SWEEP = 200
# Long for a courier, short for those who come after it.
PATIENCE = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class _Removal:
    """Files of ``agent``, who is not served any more where ``hands`` reach, and the ``problems`` that they are still
    there for. ``delivering`` is held by whoever brings files of that agent."""

    agent: str
    hands: Hands
    delivering: asyncio.Lock
    problems: tuple[Problem, ...] = ()


class Phones:
    """``hands`` gives those that reach a seat's home now, or None; ``work`` runs a call in the worker thread.

    How long a courier takes is up to its user. Nobody waits for it longer than ``PATIENCE``: then what it was asked
    for goes on by itself, in a task. ``reloads`` tells the phones.
    """

    def __init__(self, hands: Callable[[Seat], Hands | None], work: Work, spawn: Spawn, reloads: Reloads) -> None:
        self._hands = hands
        self._work = work
        self._spawn = spawn
        self._reloads = reloads
        self._late: Counter[int] = Counter()
        self._freed: set[str] = set()
        self._left: dict[tuple[int | None, str], _Removal] = {}

    async def bring(self, seat: Seat, job_of: Callable[[Seat], Job | None]) -> None:
        """Make the files of ``seat`` what its job asks for, and have the phones told whose content changed."""
        await self._patiently(seat.uid, self.bring_at_any_rate(seat, job_of))

    async def remove(self, seat: Seat) -> None:
        """Remove all files of ``seat``. Where its home is out of reach the courier does it when it comes."""
        await self._reloads.remove(seat)
        if hands := self._hands(seat):
            removal = _Removal(seat.login, hands, seat.delivering)
            await self._patiently(seat.uid, self._remove(seat.uid, removal, seat))

    async def remove_left(self, agents: Iterable[str], hands: Hands) -> None:
        """Remove the files of ``agents`` whom only an earlier run has served, and that our own ``hands`` reach."""
        for agent in sorted(agents):
            await self._take_away(None, _Removal(agent, hands, asyncio.Lock()))

    def left(self) -> tuple[Problem, ...]:
        """Why files are still there of agents who are not served any more."""
        return tuple(problem for removal in self._left.values() for problem in removal.problems)

    async def mend(self, seats: Iterable[Seat], job_of: Callable[[Seat], Job | None]) -> None:
        """Bring the files anew that somebody deleted, edited or loosened since they were written, or that lack
        something, and remove those that could not be removed before."""
        for (uid, _), removal in list(self._left.items()):
            await self._patiently(uid, self._remove(uid, removal))
        by_uid: dict[int | None, list[Seat]] = {None: []}
        for seat in seats:
            by_uid.setdefault(seat.uid, []).append(seat)
        for uid, some in by_uid.items():
            await self._patiently(uid, self._mend(some, job_of))

    async def _patiently(self, uid: int | None, work: Coroutine[Any, Any, None]) -> None:
        if uid is None:
            await work
            return
        task = self._spawn(work)
        # Whoever made us wait already does so only once.
        if not self._late[uid]:
            await asyncio.wait([task], timeout=PATIENCE)
        if not task.done():
            self._late[uid] += 1
            task.add_done_callback(lambda _: self._in_time(uid))

    def _in_time(self, uid: int) -> None:
        self._late[uid] -= 1

    async def bring_at_any_rate(self, seat: Seat, job_of: Callable[[Seat], Job | None]) -> None:
        """As ``bring``, and wait until it is done, however long that takes."""
        async with seat.delivering:
            job = job_of(seat)
            if job is None:
                self._reloads.wake(seat)
                return
            self._left.pop((seat.uid, seat.login), None)
            # From here on: an edit that is taken back while a courier takes its time has to be delivered too.
            seat.rendered, before = seat.served, seat.report
            seat.report = await self._deliver(seat, job)
            _tell(seat.report, before)
            self._reloads.wake(seat)

    async def _remove(self, uid: int | None, removal: _Removal, seat: Seat | None = None) -> None:
        async with removal.delivering:  # what is being brought just now is removed after it
            if seat:
                await self._reloads.remove(seat)
            elif (uid, removal.agent) not in self._left:
                return
            await self._take_away(uid, removal)

    async def _take_away(self, uid: int | None, removal: _Removal) -> None:
        agent, lost = removal.agent, False
        try:
            problems, freed = await removal.hands.remove(agent)
        except ProvisionerError as error:
            problems, freed = error.problems, frozenset()
            lost = uid is not None  # that courier does it when it comes again
        self._freed |= freed
        tell(removal.problems, problems)
        self._left.pop((uid, agent), None)
        if not problems:
            log.info("agent %s: files removed", agent)
        elif not lost:
            self._left[uid, agent] = replace(removal, problems=problems)

    async def _mend(self, seats: list[Seat], job_of: Callable[[Seat], Job | None]) -> None:
        for start in range(0, len(seats), _SWEEP):
            some = seats[start : start + _SWEEP]
            hands = self._hands(some[0])
            for seat in await _touched(hands, some) if hands else ():
                await self.bring(seat, job_of)

    def freed(self) -> frozenset[str]:
        """Agents who were refused a path that another one has given up since; each is told once."""
        freed, self._freed = frozenset(self._freed), set()
        return freed

    async def _deliver(self, seat: Seat, job: Job) -> AgentReport:
        hands = self._hands(seat)
        if hands is None:
            return await self._work(partial(waiting, job))
        try:
            return await self._bring(seat, hands, await self._work(partial(order_of, job)))
        except ProvisionerError as error:  # the state cannot be written: tried again at the next reason
            return AgentReport(seat.login, None, (), error.problems)

    async def _bring(self, seat: Seat, hands: Hands, order: Order) -> AgentReport:
        decided = await self._reloads.memory.decide(seat, hands, order.parcels)
        brought = await hands.bring(seat.login, decided.parcels)
        await self._reloads.memory.delivered(seat, decided, brought.targets)
        self._freed |= brought.freed
        return report_of(order.prepared, brought).with_states(decided.held)


async def _touched(hands: Hands, seats: list[Seat]) -> list[Seat]:
    lacking = [seat for seat in seats if not is_served(seat)]
    try:
        touched = await hands.touched([seat.login for seat in seats if is_served(seat)])
    except ProvisionerError:
        return []
    return [*lacking, *(seat for seat in seats if seat.login in touched)]


def _tell(report: AgentReport, before: AgentReport | None) -> None:
    """Log what was written, and the problems that were not there ``before``."""
    for target in report.targets:
        if target.state is State.WRITTEN:
            log.info("agent %s: %s written: %s", report.agent, target.target, ", ".join(target.changed))
    known, found = _problems(before) if before else [], _problems(report)
    if report.waiting or not report.targets:  # nobody has looked
        found = [*known, *found]
    tell(known, found)


def _problems(report: AgentReport) -> list[Problem]:
    return [*report.problems, *(problem for target in report.targets for problem in target.problems)]
