"""One agent's files: claim the places, observe, plan, deliver; one target cannot stop another.

Everything here is synchronous and runs in one thread: the daemon's worker, the courier, or the command line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress

from provisioner.core.parcel import Brought, Layout, Parcel, State, TargetReport
from provisioner.core.plan import Chmod, DesiredFile, Keep
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.delivery import Delivered, Signatures, TargetFiles, deliver, said_below, untouched, would_renew
from provisioner.edge import disk
from provisioner.edge.folders import AbsentError, Owner, open_base
from provisioner.edge.store import LedgerEntry, Store
from provisioner.ledger import Ledger


class Cycle:
    """Keeps the files of all agents as they should be. ``owner`` is (uid, gid) of the files."""

    def __init__(self, store: Store, owner: Owner) -> None:
        self._ledger = Ledger(store)
        self._owner = owner
        self._signatures: dict[str, list[tuple[str, Signatures]]] = {}
        self._refused: dict[str, set[str]] = {}
        self._freed: set[str] = set()

    def bring(self, agent: str, parcels: Sequence[Parcel]) -> Brought:
        """Bring one agent's files up to date and remove those that are in no parcel any more."""
        self._begin(agent)
        taken: dict[str, str] = {}
        targets = tuple(self._target(agent, parcel, taken) for parcel in parcels)
        leftovers = self._remove([entry for entry in self._ledger.of(agent) if entry.absolute not in taken])
        return Brought(targets, leftovers)

    def remove(self, agent: str) -> tuple[Problem, ...]:
        """Remove everything that was ever written for ``agent``; gives what could not be removed, and why."""
        self._begin(agent)
        return self._remove(self._ledger.of(agent))

    def keep(self, agents: Collection[str]) -> tuple[Problem, ...]:
        """Remove the files of everybody but ``agents``; gives what could not be removed, and why."""
        gone = sorted(self._ledger.agents().difference(agents))
        return tuple(problem for agent in gone for problem in self.remove(agent))

    def would_renew(self, parcels: Iterable[Parcel]) -> frozenset[str]:
        """The folders of those parcels that would bring new content now. Writes nothing."""
        there = ((parcel.place, parcel.files) for parcel in parcels if parcel.place and parcel.files)
        return frozenset(place.absolute for place, files in there if would_renew(place.base, files, self._owner))

    def previous(self, agent: str, place: Layout, *, back: bool) -> bool:
        """Bring ``back`` what the files below ``place`` held before their last change, or forget it; says whether
        anything came back. Raises ProvisionerError; then the files are as they were."""
        if not back:
            self._ledger.forget_previous(agent, place)
            return False
        kept = self._ledger.previous(agent, place)
        if kept:
            files = tuple(DesiredFile(file.entry.path, file.content, file.mode) for file in kept)
            target = TargetFiles(agent, kept[0].entry.target, place, files)
            delivered = deliver(target, self._ledger, self._owner)
            others = [one for one in self._signatures.get(agent, ()) if not one[1].keys() & delivered.signatures.keys()]
            self._signatures[agent] = [*others, (place.base, delivered.signatures)]
        return bool(kept)

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

    def _target(self, agent: str, parcel: Parcel, taken: dict[str, str]) -> TargetReport:
        """Deliver one target. ``taken`` are the paths of the targets before it, and gets those that it holds."""
        place = parcel.place
        if place is None or not parcel.files:
            return self._failed(agent, parcel, (), taken)
        files = TargetFiles(agent, parcel.target, place, parcel.files, parcel.keeps)
        try:
            self._claim(files, taken)
            delivered = deliver(files, self._ledger, self._owner)
        except ProvisionerError as error:
            return self._failed(agent, parcel, error.problems, taken)
        taken.update(dict.fromkeys(files.absolute, parcel.target))
        self._signatures.setdefault(agent, []).append((place.base, delivered.signatures))
        return _served(files, delivered)

    def _failed(self, agent: str, parcel: Parcel, problems: tuple[Problem, ...], taken: dict[str, str]) -> TargetReport:
        kept = [entry.absolute for entry in self._ledger.of(agent) if entry.target == parcel.target]
        kept = [path for path in kept if path not in taken]
        taken.update(dict.fromkeys(kept, parcel.target))
        return TargetReport(parcel.target, parcel.folder, State.KEPT if kept else State.NEVER, (), problems)

    def _claim(self, files: TargetFiles, taken: Mapping[str, str]) -> None:
        """Raises ProvisionerError where a path belongs to another agent, or to an earlier target of the same one."""
        problems = []
        for entry in (files.entry(file.path) for file in files.files):
            path = entry.absolute
            holder = self._ledger.holder(path)
            if holder and holder.agent != files.agent:
                self._refused.setdefault(path, set()).add(files.agent)
                problems.append(path_taken(entry, holder.agent, holder.target))
            elif path in taken:
                problems.append(path_taken(entry, files.agent, taken[path]))
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


def _served(files: TargetFiles, delivered: Delivered) -> TargetReport:
    steps = [step for step in delivered.steps if not isinstance(step, Keep)]
    changed = tuple(files.entry(step.path).absolute for step in steps)
    # A phone has nothing to read anew where only a mode was tightened.
    renewed = any(not isinstance(step, Chmod) for step in steps)
    state = State.WRITTEN if changed else State.UNCHANGED
    return TargetReport(files.target, files.place.absolute, state, changed, delivered.remarks, renewed)


def path_taken(entry: LedgerEntry, agent: str, target: str) -> Problem:
    """The path of ``entry`` is that of a ``target`` of ``agent`` already."""
    what = f"{entry.absolute} belongs to the target {target} of agent {agent} already"
    return Problem(Place(f"agent {entry.agent}, {entry.target}"), what, "give one of them another `path` or `home`")
