"""The folder that IT edits: provisioner.yaml and agents.d/*.yaml."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any

from provisioner.core.document import Document, without_garbage_collection
from provisioner.core.options import wrong_options_in
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.read_settings import CHECKER, agents_of, settings_from, shared_defaults
from provisioner.core.rules import MAIN_ONLY, doubled, target_names, unknown_targets
from provisioner.core.settings import AgentSettings, Settings
from provisioner.edge.catalog import Catalog
from provisioner.edge.settings_file import SettingsFile, reread, unreadable
from provisioner.edge.signature import Signature, signature_of, signatures_in

MAIN = "provisioner.yaml"
AGENTS = "agents.d"
_ENDINGS = (".yaml", ".yml")
_NOTHING: Mapping[str, Any] = {}
_PROBLEMS, _AGENTS, _IDLE, _TARGETS = map(attrgetter, ("problems", "agents", "idle", "targets"))


@dataclass(frozen=True)
class Loaded:
    """A configuration without mistakes, and remarks on what was odd."""

    settings: Settings
    remarks: tuple[Problem, ...] = ()


@dataclass(slots=True)
class _Read:
    """One file as it was read last, and what it says together with the ``shared`` defaults; ``idle`` are the agents
    without a softphone."""

    file: SettingsFile
    shared: Mapping[str, Any] | None = field(default=None, repr=False)
    agents: tuple[AgentSettings, ...] = ()
    problems: tuple[Problem, ...] = ()
    targets: frozenset[str] = field(default_factory=frozenset)
    idle: tuple[AgentSettings, ...] = ()

    @property
    def document(self) -> Document:
        return self.file.document

    def interpret(self, shared: Mapping[str, Any], *, main: bool = False) -> None:
        """Work out what the file says with these defaults. ``main`` is provisioner.yaml, which holds them itself."""
        self.agents, self.problems = agents_of(self.document, shared, main=main)
        self.targets = frozenset(name for name, _ in target_names(self.document))
        self.idle = tuple(agent for agent in self.agents if not agent.targets)
        self.shared = shared


class Configuration:
    """Reads the folder; a file that did not change since the last time costs one look at it, and hardly a word more:
    somebody waits for what one of a thousand says.

    ``now`` gives Unix seconds; it is compared with the files' own times.
    """

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        self._folder = str(folder)
        self._main = os.path.join(self._folder, MAIN)  # noqa: PTH118 - a thousand paths, as text ten times cheaper
        self._now = now
        self._files: dict[str, _Read] = {}
        self._shared: Mapping[str, Any] = {}
        self._last: tuple[Document, Settings] | None = None
        self._names: tuple[str, ...] = ()
        self._paths: dict[str, str] = {}
        self._misnamed: list[str] = []
        self._order: dict[str, int] = {}
        self._unread: list[Problem] = []

    def look(self) -> None:
        """Read what changed since the last look."""
        with without_garbage_collection():
            CHECKER.begin()
            self._unread = []
            seen = self._seen(self._unread)
            self._order = {path: number for number, path in enumerate(seen)}
            self._read(seen, self._unread)

    def forget(self) -> None:
        """Read every file at the next look: who may read it is not in its signature, where a group counts."""
        for read in self._files.values():
            read.file = replace(read.file, settled=False)

    def load(self, targets: Collection[str] | None = None, *, look: bool = True) -> Loaded:
        """The whole configuration; without ``look`` as it was at the last look. ``targets`` are the names that agents
        may choose from; None: any.

        Raises ProvisionerError with every mistake of every file: then nothing of it may be used.
        """
        if look:
            self.look()
        with without_garbage_collection():
            problems = [*self._unread]
            reads = self._files.values()
            problems += chain.from_iterable(map(_PROBLEMS, reads))
            found = list(chain.from_iterable(map(_AGENTS, reads)))
            agents = {agent.login: agent for agent in found}
            # A mistake hides agents.
            if problems or len(agents) < len(found):
                problems += doubled(self.documents())
            problems += self._unknown(targets)
            if problems or self._main not in self._files:
                raise ProvisionerError(sorted(problems, key=lambda problem: _order(problem, self._order)))
            return Loaded(self._settings(agents), tuple(self._remarks()))

    def documents(self) -> list[Document]:
        """The files as they were read last, provisioner.yaml first."""
        return [read.document for read in self._files.values()]

    def place(self, *path: str | int) -> Place:
        """Where the value at ``path`` of provisioner.yaml stands, as it was read last."""
        return self._files[self._main].document.place(path)

    def with_source(self, place: Place) -> Place:
        """``place`` with the text of its line, when it is in one of these files."""
        read = self._files.get(place.subject)
        return read.document.with_source(place) if read else place

    def _seen(self, problems: list[Problem]) -> dict[str, Signature]:
        """The files to read, each with its signature."""
        folder = f"{self._folder}/{AGENTS}"
        found: Mapping[str, Signature] = {}
        try:
            found = signatures_in(folder)
        except FileNotFoundError:
            pass
        except OSError as error:
            if os.path.isfile(self._folder):  # noqa: PTH113
                fix = "name the folder that it is in"
                problems.append(Problem(Place(self._folder), "this is a file, not a folder of settings", fix))
                return {}
            problems.append(unreadable(folder, error))
        names = tuple(found)
        if names != self._names:
            visible = sorted(name for name in names if name[0] not in ".#")
            self._paths = {f"{folder}/{name}": name for name in visible if name.endswith(".yaml")}
            self._misnamed = [f"{folder}/{name}" for name in visible if not name.endswith(".yaml")]
            self._names = names
        return {self._main: signature_of(self._main), **{path: found[name] for path, name in self._paths.items()}}

    def _read(self, seen: Mapping[str, Signature], problems: list[Problem]) -> None:
        reads: dict[str, _Read] = {}
        for path, signature in seen.items():
            known = self._files.get(path)
            if known is not None and known.file.shows(signature):
                reads[path] = known
            elif read := self._read_again(path, known, problems):
                reads[path] = read
        self._files = reads
        main = reads.get(self._main)
        if main:
            self._share(main)
        for read in reads.values():
            if read is not main and read.shared is not self._shared:
                read.interpret(self._shared)

    def _share(self, main: _Read) -> None:
        if main.shared is None:
            main.interpret(_NOTHING, main=True)
        # Defaults with mistakes are no values; nothing is used before they are mended.
        if main.problems:
            return
        shared = shared_defaults(main.document)
        # The same object as before when nothing changed in it, so that comparing costs nothing.
        self._shared = self._shared if shared == self._shared else shared

    def _read_again(self, path: str, known: _Read | None, problems: list[Problem]) -> _Read | None:
        try:
            file = reread(path, known.file if known else None, self._now)
        except FileNotFoundError:
            problems.append(self._missing(path))
        except OSError as error:
            problems.append(unreadable(path, error))
        except ProvisionerError as error:
            problems += error.problems
        else:
            if known is None or known.document is not file.document:
                return _Read(file)
            known.file = file
            return known
        return None

    def _unknown(self, targets: Collection[str] | None) -> Iterator[Problem]:
        """The targets that agents name and that are not among ``targets``."""
        reads = self._files.values()
        if targets is None or frozenset().union(*map(_TARGETS, reads)).issubset(targets):
            return
        for read in reads:
            yield from unknown_targets(read.document, targets)

    def _settings(self, agents: Mapping[str, AgentSettings]) -> Settings:
        main = self._files[self._main].document
        if self._last and self._last[0] is main:
            settings = replace(self._last[1], agents=agents)
        else:
            settings = settings_from(main, agents.values())
        self._last = (main, settings)
        return settings

    def _missing(self, path: str) -> Problem:
        place = Place(path)
        if path != self._main:
            leads_nowhere = os.path.islink(path)  # noqa: PTH114
            what = "this link leads to no file" if leads_nowhere else "the file vanished while it was read"
            return Problem(place, what, "remove the link" if leads_nowhere else "save it again")
        other = f"{self._folder}/provisioner.yml"
        if os.path.exists(other):  # noqa: PTH110
            return Problem(place, "there is no such file", f"rename {other}")
        return Problem(place, "there is no such file", "`provisioner init` writes a commented sample")

    def _remarks(self) -> Iterable[Problem]:
        for path in self._misnamed:
            yield from _passed_over(path)
        for agent in chain.from_iterable(map(_IDLE, self._files.values())):
            what = f"agent `{agent.login}` has no softphone to configure"
            yield Problem(self.with_source(agent.place), what, "add `targets:`", remark=True)


def _passed_over(path: str) -> Iterable[Problem]:
    """The remark on what was plainly meant to be read, and is not: a file of another ending, a folder with files."""
    folder, name = os.path.split(path)
    stem, ending = os.path.splitext(name)  # noqa: PTH122
    if ending.lower() in _ENDINGS:
        taken = os.path.lexists(f"{folder}/{stem}.yaml")
        fix = f"put it into {stem}.yaml, which is there too" if taken else f"rename it to {stem}.yaml"
        yield Problem(Place(path), "this file is not read", fix, remark=True)
        return
    try:
        inside = [one for one in os.listdir(path) if one[0] not in ".#" and one.lower().endswith(_ENDINGS)]  # noqa: PTH208
    except OSError:
        return
    if inside:
        yield Problem(Place(path), "what is in this folder is not read", f"move its files to {folder}", remark=True)


def mistakes_in(path: Path, catalog: Catalog) -> tuple[Problem, ...]:
    """All that is wrong with one file, looked at alone: a copy, whatever its name; agents choose from ``catalog``."""
    try:
        document = reread(str(path), None, time.time).document
    except OSError as error:
        return (unreadable(str(path), error),)
    except ProvisionerError as error:
        return error.problems
    value = document.value
    main = isinstance(value, dict) and not value.keys().isdisjoint(MAIN_ONLY)
    _, problems = agents_of(document, _NOTHING, main=main)
    found = [*problems, *doubled([document]), *unknown_targets(document, catalog.names)]
    found += wrong_options_in(document, catalog.targets)
    return tuple(sorted(found, key=lambda problem: _order(problem, {})))


def _order(problem: Problem, files: Mapping[str, int]) -> tuple[int, int, int]:
    place = problem.where
    return files.get(place.subject, len(files)), place.line, place.column
