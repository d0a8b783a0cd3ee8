"""One agent's refresh, from the session at hand to files on the disk: prepare everything, then deliver it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from provisioner.core.account import Proof
from provisioner.core.parcel import Brought, Parcel, State, TargetReport
from provisioner.core.prepare import Job, Prepared, PreparedTarget, prepare
from provisioner.core.problem import Problem
from provisioner.core.relay_way import Way
from provisioner.cycle import Cycle


@dataclass(frozen=True, slots=True)
class AgentReport:
    """What became of one agent's targets. ``ways`` are how their phones come to the server, by target.

    ``healthy`` says that every target is served, remarks aside; ``waiting`` that files wait for a courier.
    """

    agent: str
    proof: Proof | None
    targets: tuple[TargetReport, ...]
    problems: tuple[Problem, ...]
    ways: Mapping[str, Way] = field(default_factory=dict)
    healthy: bool = field(init=False)
    waiting: bool = field(init=False)

    def __post_init__(self) -> None:
        # Worked out once: they are asked for of every agent after every edit.
        found = [*self.problems, *(problem for target in self.targets for problem in target.problems)]
        object.__setattr__(self, "healthy", all(problem.remark for problem in found))
        object.__setattr__(self, "waiting", any(target.state is State.WAITING for target in self.targets))


def refresh(cycle: Cycle, job: Job) -> AgentReport:
    """Bring one agent's files up to date and remove those that it no longer has."""
    prepared = prepare(job)
    return report_of(prepared, cycle.bring(prepared.agent, parcels_of(prepared, job)))


def parcels_of(prepared: Prepared, job: Job) -> tuple[Parcel, ...]:
    """What is to be delivered. Without an account nothing can be made, and the last good files stay."""
    if not prepared.targets:
        return tuple(Parcel(choice.target) for choice in job.wanted.agent.targets)
    return tuple(map(_parcel, prepared.targets))


def report_of(prepared: Prepared, brought: Brought) -> AgentReport:
    """What was found out before the delivery and in it."""
    found = [target.problems for target in prepared.targets] or [()] * len(brought.targets)
    targets = tuple(map(_with, brought.targets, found))
    proof = prepared.account.credential.proof if prepared.account else None
    ways = {target.choice.target: target.way for target in prepared.targets if target.way}
    return AgentReport(prepared.agent, proof, targets, prepared.problems + brought.problems, ways)


def _parcel(prepared: PreparedTarget) -> Parcel:
    name, place = prepared.choice.target, prepared.layout
    if place is None or not prepared.ready:
        return Parcel(name, place)
    below = (replace(made.file, path=place.folder / made.file.path) for made in prepared.files)
    return Parcel(name, place, tuple(below))


def _with(report: TargetReport, problems: tuple[Problem, ...]) -> TargetReport:
    return replace(report, problems=problems + report.problems) if problems else report
