"""One agent's refresh: prepare everything, claim the places, observe, plan, deliver; one target cannot stop another.

Everything here is synchronous and runs in one thread: the daemon's worker, or the command line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from provisioner.core.account import Proof
from provisioner.core.plan import Chmod, Keep
from provisioner.core.prepare import Job, PreparedTarget, prepare
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.delivery import Delivered, Signatures, TargetFiles, deliver, said_below, untouched
from provisioner.edge import disk
from provisioner.edge.folders import AbsentError, Owner, open_base
from provisioner.edge.store import LedgerEntry, Store
from provisioner.ledger import Ledger


class State(StrEnum):
    """How a target stands after a refresh."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    KEPT = "last good files kept"
    NEVER = "not written"


@dataclass(frozen=True, slots=True)
class TargetReport:
    """What became of one target. ``changed`` are the files written or tightened, as absolute paths; ``reload`` is the
    command that the phone's user wants to be run now, None when no content changed."""

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

    def __init__(self, store: Store, owner: Owner) -> None:
        self._ledger = Ledger(store)
        self._owner = owner
        self._signatures: dict[str, list[tuple[str, Signatures]]] = {}
        self._refused: dict[str, set[str]] = {}
        self._freed: set[str] = set()

    def refresh(self, job: Job) -> AgentReport:
        """Bring one agent's files up to date and remove those that it no longer has."""
        prepared = prepare(job)
        login = prepared.agent
        self._begin(login)
        # Without an account nothing can be made, and the last good files stay.
        choices = prepared.targets or tuple(PreparedTarget(choice, None, (), ()) for choice in job.wanted.agent.targets)
        taken: dict[str, str] = {}
        targets = tuple(self._target(login, target, taken) for target in choices)
        leftovers = self._remove([entry for entry in self._ledger.of(login) if entry.absolute not in taken])
        proof = prepared.account.credential.proof if prepared.account else None
        return AgentReport(login, proof, targets, prepared.problems + leftovers)

    def remove(self, agent: str) -> tuple[Problem, ...]:
        """Remove everything that was ever written for ``agent``; gives what could not be removed, and why."""
        self._begin(agent)
        return self._remove(self._ledger.of(agent))

    def drifted(self, agent: str) -> bool:
        """Did anybody touch a file of this agent since it was delivered? Costs one ``stat`` a file."""
        try:
            return not all(untouched(base, signatures) for base, signatures in self._signatures.get(agent, ()))
        except ProvisionerError:
            return True

    def freed(self) -> frozenset[str]:
        """Agents who were refused a path that another one has given up since; each is told once."""
        freed, self._freed = frozenset(self._freed), set()
        return freed

    def agents(self) -> frozenset[str]:
        """The agents that have files on this machine."""
        return self._ledger.agents()

    def _target(self, login: str, prepared: PreparedTarget, taken: dict[str, str]) -> TargetReport:
        """Deliver one target. ``taken`` are the paths of the targets before it, and gets those that it holds."""
        name, place = prepared.choice.target, prepared.layout
        if place is None or not prepared.ready:
            return self._failed(login, prepared, prepared.problems, taken)
        below = tuple(replace(made.file, path=place.folder / made.file.path) for made in prepared.files)
        files = TargetFiles(login, name, place, below)
        try:
            self._claim(files, taken)
            delivered = deliver(files, self._ledger, self._owner)
        except ProvisionerError as error:
            return self._failed(login, prepared, prepared.problems + error.problems, taken)
        taken.update(dict.fromkeys(files.absolute, name))
        self._signatures.setdefault(login, []).append((place.base, delivered.signatures))
        return _served(prepared, files, delivered)

    def _failed(
        self, login: str, prepared: PreparedTarget, problems: tuple[Problem, ...], taken: dict[str, str]
    ) -> TargetReport:
        name = prepared.choice.target
        kept = [entry.absolute for entry in self._ledger.of(login) if entry.target == name]
        kept = [path for path in kept if path not in taken]
        taken.update(dict.fromkeys(kept, name))
        folder = prepared.layout.absolute if prepared.layout else ""
        return TargetReport(name, folder, State.KEPT if kept else State.NEVER, (), problems)

    def _claim(self, files: TargetFiles, taken: Mapping[str, str]) -> None:
        """Raises ProvisionerError where a path belongs to another agent, or to an earlier target of the same one."""
        problems = []
        for path in files.absolute:
            holder = self._ledger.holder(path)
            if holder and holder.agent != files.agent:
                self._refused.setdefault(path, set()).add(files.agent)
                problems.append(_belongs(files, path, holder.agent, holder.target))
            elif path in taken:
                problems.append(_belongs(files, path, files.agent, taken[path]))
        if problems:
            raise ProvisionerError(problems)

    def _remove(self, entries: Iterable[LedgerEntry]) -> tuple[Problem, ...]:
        by_base: dict[str, list[LedgerEntry]] = {}
        for entry in entries:
            by_base.setdefault(entry.base, []).append(entry)
        problems: list[Problem] = []
        for base, gone in by_base.items():
            try:
                # A home that is gone took its files along.
                with said_below(base), suppress(AbsentError), open_base(base) as folder:
                    disk.remove(folder, [entry.path for entry in gone])
                self._forget(gone)
            except ProvisionerError as error:
                problems += error.problems
        return tuple(problems)

    def _forget(self, entries: Sequence[LedgerEntry]) -> None:
        self._ledger.forget(entries)
        for entry in entries:
            self._freed |= self._refused.pop(entry.absolute, set())

    def _begin(self, login: str) -> None:
        """Whatever is known of this agent's files is found out anew."""
        self._signatures.pop(login, None)
        self._freed.discard(login)
        for waiting in self._refused.values():
            waiting.discard(login)


def _served(prepared: PreparedTarget, files: TargetFiles, delivered: Delivered) -> TargetReport:
    steps = [step for step in delivered.steps if not isinstance(step, Keep)]
    changed = tuple(files.entry(step.path).absolute for step in steps)
    # A phone has nothing to read anew where only a mode was tightened.
    reload = prepared.choice.reload if any(not isinstance(step, Chmod) for step in steps) else None
    state = State.WRITTEN if changed else State.UNCHANGED
    problems = prepared.problems + delivered.remarks
    return TargetReport(files.target, files.place.absolute, state, changed, problems, reload)


def _belongs(files: TargetFiles, path: str, agent: str, target: str) -> Problem:
    what = f"{path} belongs to the target {target} of agent {agent} already"
    return Problem(Place(f"agent {files.agent}, {files.target}"), what, "give one of them another `path` or `home`")
