"""One agent's refresh, from the session at hand to what is to be delivered, and the report of what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from provisioner.core.account import Proof
from provisioner.core.parcel import Brought, Parcel, State, TargetReport
from provisioner.core.prepare import Job, Prepared, PreparedTarget, prepare
from provisioner.core.problem import Place, Problem
from provisioner.core.relay_way import Way


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

    def with_states(self, states: Mapping[str, State]) -> AgentReport:
        """The same with other states of the targets in these folders."""
        if not states:
            return self
        return replace(
            self, targets=tuple(replace(one, state=states.get(one.folder, one.state)) for one in self.targets)
        )


@dataclass(frozen=True, slots=True)
class Order:
    """One agent's files as they are to be: what was worked out, and what is to be delivered of it."""

    prepared: Prepared
    parcels: tuple[Parcel, ...]


def order_of(job: Job) -> Order:
    """Work out everything; delivers nothing."""
    prepared = prepare(job)
    return Order(prepared, _parcels_of(prepared, job))


def _parcels_of(prepared: Prepared, job: Job) -> tuple[Parcel, ...]:
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
    return Parcel(prepared.choice.target, prepared.layout, prepared.desired)


def _with(report: TargetReport, problems: tuple[Problem, ...]) -> TargetReport:
    return replace(report, problems=problems + report.problems) if problems else report


def waiting(job: Job) -> AgentReport:
    """The report of an agent whose user has no session now: everything is found out that can be before."""
    order = order_of(job)
    what = f"the files wait for a session of {job.home.user}"
    remark = Problem(Place(f"agent {order.prepared.agent}"), what, "they are delivered when it begins", remark=True)
    wait = (TargetReport(parcel.target, parcel.folder, State.WAITING, (), ()) for parcel in order.parcels)
    report = report_of(order.prepared, Brought(tuple(wait)))
    return replace(report, problems=(*report.problems, remark))
