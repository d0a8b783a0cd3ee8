"""The files of one seat, brought up to date from the session at hand, and the phone told about it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any

from provisioner.core.errand import Ran
from provisioner.core.parcel import State
from provisioner.core.prepare import Job
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.hands import Hands, Work, waiting
from provisioner.refresh import AgentReport
from provisioner.seat import Seat, is_served
from provisioner.waiting import Spawn

log = logging.getLogger(__name__)
RELOAD_SECONDS = 30.0
_SWEEP = 200
# Long for a courier, short for those who come after it.
PATIENCE = 1.0  # seconds


class Phones:
    """``hands`` gives those that reach a seat's home now, or None; ``work`` runs a call in the worker thread.

    How long a courier takes is up to its user. Nobody waits for it longer than ``PATIENCE``: then what it was asked
    for goes on by itself, in a task of ``spawn``.
    """

    def __init__(self, hands: Callable[[Seat], Hands | None], work: Work, spawn: Spawn) -> None:
        self._hands = hands
        self._work = work
        self._spawn = spawn
        self._late: Counter[int] = Counter()
        self._freed: set[str] = set()

    async def bring(self, seat: Seat, job_of: Callable[[Seat], Job | None]) -> None:
        """Make the files of ``seat`` what its job asks for, and run the reload command of each target that changed."""
        await self._patiently(seat.uid, self._bring(seat, job_of))

    async def remove(self, seat: Seat) -> None:
        """Remove all files of ``seat``. Where its home is out of reach the courier does it when it comes."""
        if hands := self._hands(seat):
            await self._patiently(seat.uid, self._remove(hands, seat.login))

    async def mend(self, seats: Iterable[Seat], job_of: Callable[[Seat], Job | None]) -> None:
        """Bring the files anew that somebody deleted, edited or loosened since they were written, or that lack
        something."""
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

    async def _bring(self, seat: Seat, job_of: Callable[[Seat], Job | None]) -> None:
        async with seat.delivering:
            job = job_of(seat)
            if job is None:
                return
            served, before = seat.served, seat.report
            seat.report = await self._deliver(seat, job)
            seat.rendered = served
            _tell(seat.report, before)
            reloads = {choice.target: choice.reload for choice in job.wanted.agent.targets}
            for target in seat.report.targets:
                if command := target.renewed and reloads.get(target.target):
                    await self._reload(seat, target.target, command)

    async def _remove(self, hands: Hands, login: str) -> None:
        try:
            problems, freed = await hands.remove(login)
        except ProvisionerError as error:
            problems, freed = error.problems, frozenset()
        self._freed |= freed
        for problem in problems:
            log.warning("%s", problem)

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
            report, freed = await hands.bring(job)
        except ProvisionerError as error:  # the state cannot be written: tried again at the next reason
            return AgentReport(seat.login, None, (), error.problems)
        self._freed |= freed
        return report

    async def _reload(self, seat: Seat, target: str, command: tuple[str, ...]) -> None:
        hands = self._hands(seat)
        if hands is None:
            return
        try:
            ran = await hands.run(command, RELOAD_SECONDS)
        except ProvisionerError as error:  # the session ended meanwhile
            ran = Ran(None, f"was cut short: {error.problems[0].what}")
        seat.reloads.pop(target, None)
        if ran.code != 0:
            cause = ran.cause or f"failed with exit code {ran.code}"
            what = f"the reload command {command[0]} {cause}"
            seat.reloads[target] = Problem(Place(f"agent {seat.login}, {target}"), what, "run it by hand")
            log.warning("%s", seat.reloads[target])


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
    known = set(_problems(before)) if before else set()
    for problem in _problems(report):
        if problem not in known:
            log.log(logging.INFO if problem.remark else logging.WARNING, "%s", problem)


def _problems(report: AgentReport) -> list[Problem]:
    return [*report.problems, *(problem for target in report.targets for problem in target.problems)]
