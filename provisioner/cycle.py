"""One agent's refresh: prepare everything, claim the places, observe, plan, deliver; one target cannot stop another.

Everything here is synchronous and runs in one thread: the daemon's worker, or the command line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import PurePosixPath

from provisioner.core.account import Proof
from provisioner.core.layout import Layout
from provisioner.core.plan import DesiredFile, Keep, ObservedFile, Step, missing_lines
from provisioner.core.prepare import Job, Prepared, PreparedTarget, prepare
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.edge import disk
from provisioner.edge.store import LedgerEntry, Store


class State(StrEnum):
    """How a target stands after a refresh."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    KEPT = "last good files kept"
    NEVER = "not written"


@dataclass(frozen=True, slots=True)
class TargetReport:
    """What became of one target. ``changed`` are the files written, as absolute paths."""

    target: str
    folder: str
    state: State
    changed: tuple[str, ...]
    problems: tuple[Problem, ...]
    reload: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class AgentReport:
    """What became of one agent's targets."""

    agent: str
    proof: Proof | None
    targets: tuple[TargetReport, ...]
    problems: tuple[Problem, ...]

    @property
    def healthy(self) -> bool:
        """Is every target served, remarks aside?"""
        found = [*self.problems, *(problem for target in self.targets for problem in target.problems)]
        return all(problem.remark for problem in found)


class Cycle:
    """Keeps the files of all agents as they should be. ``owner`` is (uid, gid) of the files."""

    def __init__(self, store: Store, owner: tuple[int, int]) -> None:
        self._store = store
        self._owner = owner
        self._claims: dict[str, tuple[str, str]] = {}
        self._claimed: dict[str, list[str]] = {}
        self._signatures: dict[str, dict[tuple[str, PurePosixPath], object]] = {}

    def refresh(self, job: Job) -> AgentReport:
        """Bring one agent's files up to date and remove those it no longer has."""
        prepared = prepare(job)
        login = prepared.agent
        self._release(login)
        self._signatures[login] = {}
        targets = tuple(self._target(login, target) for target in prepared.targets)
        leftovers = self._remove_leftovers(login, prepared) if prepared.account else ()
        proof = prepared.account.credential.proof if prepared.account else None
        return AgentReport(login, proof, targets, prepared.problems + leftovers)

    def remove(self, agent: str) -> tuple[Problem, ...]:
        """Remove everything that was ever written for ``agent``."""
        self._release(agent)
        self._signatures.pop(agent, None)
        return self._remove(self._store.recorded_of(agent))

    def drifted(self, agent: str) -> bool:
        """Did anybody touch a file of this agent since it was delivered? Costs one ``stat`` a file."""
        kept = self._signatures.get(agent, {})
        try:
            return any(_signature(base, path) != signature for (base, path), signature in kept.items())
        except ProvisionerError:
            return True

    def agents(self) -> frozenset[str]:
        """The agents that have files on this machine."""
        return frozenset(entry.agent for entry in self._store.recorded())

    def _target(self, login: str, prepared: PreparedTarget) -> TargetReport:
        name, place = prepared.choice.target, prepared.layout
        if place is None or not prepared.ready:
            return self._failed(login, prepared, prepared.problems)
        files = [_inside(place, rendered.file) for rendered in prepared.files]
        try:
            self._claim(login, name, place, files)
            self._store.record(login, name, place.base, [file.path for file in files])
            with disk.open_base(place.base) as base:
                disk.make_folders(base, place.folders)
                observed = disk.observe(base, [file.path for file in files])
                steps = disk.deliver(base, files, observed, owner=self._owner)
            self._remember(login, place, files)
        except ProvisionerError as error:
            return self._failed(login, prepared, prepared.problems + error.problems)
        remarks = tuple(_seed_remark(place, file, observed[file.path]) for file in files if file.once)
        problems = prepared.problems + tuple(remark for remark in remarks if remark)
        changed = _changed(place, steps)
        state = State.WRITTEN if changed else State.UNCHANGED
        return TargetReport(name, place.absolute, state, changed, problems, prepared.choice.reload)

    def _failed(self, login: str, prepared: PreparedTarget, problems: tuple[Problem, ...]) -> TargetReport:
        name = prepared.choice.target
        before = any(entry.target == name for entry in self._store.recorded_of(login))
        folder = prepared.layout.absolute if prepared.layout else ""
        return TargetReport(name, folder, State.KEPT if before else State.NEVER, (), problems)

    def _claim(self, login: str, target: str, place: Layout, files: Iterable[DesiredFile]) -> None:
        for file in files:
            path = str(PurePosixPath(place.base) / file.path)
            owner = self._claims.setdefault(path, (login, target))
            self._claimed.setdefault(login, []).append(path)
            if owner != (login, target):
                what = f"{path} belongs to the target {owner[1]} of agent {owner[0]} already"
                where = Place(f"agent {login}, {target}")
                raise ProvisionerError(Problem(where, what, "give one of them another `path` or `home`"))

    def _release(self, login: str) -> None:
        for path in self._claimed.pop(login, ()):
            if self._claims.get(path, ("",))[0] == login:
                del self._claims[path]

    def _remember(self, login: str, place: Layout, files: Iterable[DesiredFile]) -> None:
        # A seed is the phone's own: what it does with it is no drift.
        for file in files:
            if not file.once:
                self._signatures[login][place.base, file.path] = _signature(place.base, file.path)

    def _remove_leftovers(self, login: str, prepared: Prepared) -> tuple[Problem, ...]:
        """Files of targets that are not chosen any more, and files that a target no longer has."""
        ready = {target.choice.target for target in prepared.targets if target.ready}
        chosen = {target.choice.target for target in prepared.targets}
        wanted = {
            (target.layout.base, target.layout.folder / rendered.file.path)
            for target in prepared.targets
            if target.layout
            for rendered in target.files
        }
        return self._remove(
            entry
            for entry in self._store.recorded_of(login)
            if (entry.base, entry.path) not in wanted and (entry.target in ready or entry.target not in chosen)
        )

    def _remove(self, entries: Iterable[LedgerEntry]) -> tuple[Problem, ...]:
        by_base: dict[str, list[LedgerEntry]] = {}
        for entry in entries:
            by_base.setdefault(entry.base, []).append(entry)
        problems: list[Problem] = []
        for base, gone in by_base.items():
            try:
                with disk.open_base(base) as folder:
                    disk.remove(folder, [entry.path for entry in gone])
                self._store.forget(gone)
            except ProvisionerError as error:
                problems += error.problems
        return tuple(problems)


def _inside(place: Layout, file: DesiredFile) -> DesiredFile:
    return replace(file, path=place.folder / file.path)


def _signature(base: str, path: PurePosixPath) -> object:
    with disk.open_base(base) as folder:
        return disk.signature(folder, path)


def _changed(place: Layout, steps: Iterable[Step]) -> tuple[str, ...]:
    return tuple(str(PurePosixPath(place.base) / step.path) for step in steps if not isinstance(step, Keep))


def _seed_remark(place: Layout, file: DesiredFile, observed: ObservedFile) -> Problem | None:
    missing = missing_lines(file, observed)
    if not missing:
        return None
    path = PurePosixPath(place.base) / file.path
    what = f"the phone had this file before and it does not hold {', '.join(missing)}: it will not find its settings"
    fix = "close the phone, move the file away, and it is made anew"
    return Problem(Place(str(path)), what, fix, remark=True)
