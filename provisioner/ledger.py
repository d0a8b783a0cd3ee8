"""The ledger in memory: who holds which path of this machine. Every change is in the state before it is here.

A path has one holder, an agent's target. Nobody else writes there, and only the holder's files are ever removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from provisioner.core.parcel import Layout
from provisioner.edge.store import LedgerEntry, PreviousFile, Store


class Ledger:
    """The files that we wrote, or were about to write. Read from ``store`` at first use."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, LedgerEntry] | None = None
        self._of: dict[str, dict[str, LedgerEntry]] = {}

    def agents(self) -> frozenset[str]:
        """Everybody who has files on this machine."""
        self._entries()
        return frozenset(self._of)

    def of(self, agent: str) -> tuple[LedgerEntry, ...]:
        """The files of one agent."""
        self._entries()
        return tuple(self._of.get(agent, {}).values())

    def holder(self, path: str) -> LedgerEntry | None:
        """Who has the absolute ``path``."""
        return self._entries().get(path)

    def record(self, entries: Iterable[LedgerEntry]) -> tuple[LedgerEntry, ...]:
        """Note files before they are made; gives those that nobody had before. Costs nothing for what is known."""
        known = self._entries()
        changed = [entry for entry in entries if known.get(entry.absolute) != entry]
        if not changed:
            return ()
        new = tuple(entry for entry in changed if entry.absolute not in known)
        replaced = [known[entry.absolute] for entry in changed if entry.absolute in known]
        with self._store.transaction():
            self._store.forget(replaced)
            self._store.record(changed)
        self._strike(replaced)
        for entry in changed:
            self._add(entry)
        return new

    def keep_previous(self, agent: str, place: Layout, files: Sequence[PreviousFile]) -> None:
        """Keep what the files below ``place`` hold before they are replaced, and nothing else of it."""
        self._store.keep_previous(agent, place, files)

    def previous(self, agent: str, place: Layout) -> tuple[PreviousFile, ...]:
        """What was kept of the files below ``place``."""
        return self._store.previous(agent, place)

    def forget_previous(self, agent: str, place: Layout) -> None:
        """Keep it no longer."""
        self._store.drop_previous(agent, place)

    def forget(self, entries: Sequence[LedgerEntry]) -> None:
        """Strike files that are gone."""
        if entries:
            self._store.forget(entries)
            self._strike(entries)

    def _entries(self) -> dict[str, LedgerEntry]:
        if self._known is None:
            recorded = self._store.recorded()
            self._known = {}
            for entry in recorded:
                self._add(entry)
        return self._known

    def _add(self, entry: LedgerEntry) -> None:
        assert self._known is not None
        self._known[entry.absolute] = entry
        self._of.setdefault(entry.agent, {})[entry.absolute] = entry

    def _strike(self, entries: Iterable[LedgerEntry]) -> None:
        assert self._known is not None
        for entry in entries:
            self._known.pop(entry.absolute, None)
            files = self._of.get(entry.agent, {})
            files.pop(entry.absolute, None)
            if not files:
                self._of.pop(entry.agent, None)
