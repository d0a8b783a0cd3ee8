"""The files of one seat, brought up to date from the session at hand, and the phone told about it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial

from provisioner.core.prepare import Job
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.cycle import AgentReport, Cycle, State
from provisioner.edge.command import run_command
from provisioner.seat import Seat

log = logging.getLogger(__name__)
RELOAD_SECONDS = 30.0


class Phones:
    """``work`` runs a call in the thread in which ``cycle`` is used."""

    def __init__(self, cycle: Cycle, work: Callable[[Callable[[], AgentReport]], Awaitable[AgentReport]]) -> None:
        self._cycle = cycle
        self._work = work

    async def bring(self, seat: Seat, job: Job) -> None:
        """Make the files of ``seat`` what ``job`` asks for, and run the reload command of each target that changed."""
        served, before = seat.served, seat.report
        try:
            seat.report = await self._work(partial(self._cycle.refresh, job))
        except ProvisionerError as error:  # the state cannot be written: tried again at the next reason
            seat.report = AgentReport(seat.login, None, (), error.problems)
        seat.rendered = served
        _tell(seat.report, before)
        for target in seat.report.targets:
            if target.state is State.WRITTEN and target.reload:
                await self._reload(seat, target.target, target.reload)

    async def _reload(self, seat: Seat, target: str, command: tuple[str, ...]) -> None:
        problem = await run_command(command, RELOAD_SECONDS, Place(f"agent {seat.login}, {target}"))
        seat.reloads.pop(target, None)
        if problem:
            seat.reloads[target] = problem
            log.warning("%s", problem)


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
