"""The folder that IT edits: provisioner.yaml and agents.d/*.yaml."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provisioner.core.document import Document, read_document
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.read_settings import agents_of, misplaced, settings_from, shared_defaults
from provisioner.core.schema import SETTINGS
from provisioner.core.settings import AgentSettings, Settings

MAIN = "provisioner.yaml"
AGENTS = "agents.d"
LARGEST = 64 * 1024 * 1024
# A file changed this short a time before it was read may change again without its time stamp moving.
_RACY_SECONDS = 2.0


@dataclass(frozen=True)
class Loaded:
    """A configuration without mistakes, and remarks on what was odd."""

    settings: Settings
    remarks: tuple[Problem, ...] = ()


@dataclass
class _Read:
    """One file as it was read last."""

    signature: tuple[int, ...]
    read_at: float
    raw: bytes = field(repr=False)
    document: Document
    shared: Mapping[str, Any] | None = None
    agents: tuple[AgentSettings, ...] = ()
    problems: tuple[Problem, ...] = ()


class Configuration:
    """Reads the folder; a file that did not change since the last time costs one ``stat``.

    ``now`` gives Unix seconds; it is compared with the files' own times.
    """

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._now = now
        self._files: dict[Path, _Read] = {}

    def load(self) -> Loaded:
        """The whole configuration.

        Raises ProvisionerError with every mistake of every file: then nothing of it may be used.
        """
        paths = [self._folder / MAIN, *self._agent_files()]
        problems: list[Problem] = []
        reads = {path: read for path in paths if (read := self._read(path, problems))}
        self._files = reads
        main = reads.get(self._folder / MAIN)
        shared = shared_defaults(main.document) if main else {}
        agents: list[AgentSettings] = []
        for read in reads.values():
            self._interpret(read, shared)
            if read is not main:
                problems += misplaced(read.document)
            problems += read.problems
            agents += read.agents
        return self._whole(main, agents, problems)

    def _whole(self, main: _Read | None, agents: list[AgentSettings], problems: list[Problem]) -> Loaded:
        settings = None
        if main and isinstance(main.document.value, dict | None):
            try:
                settings = settings_from(main.document, agents) if not main.problems else None
            except ProvisionerError as error:
                problems += error.problems
        if problems or settings is None:
            raise ProvisionerError(problems)
        return Loaded(settings, tuple(self._misnamed()))

    def _agent_files(self) -> list[Path]:
        return sorted(path for path in self._listed() if path.suffix == ".yaml")

    def _misnamed(self) -> Iterator[Problem]:
        for path in sorted(self._listed()):
            if path.suffix == ".yml":
                yield Problem(Place(str(path)), "this file is not read", f"rename it to {path.stem}.yaml", remark=True)

    def _listed(self) -> list[Path]:
        try:
            with os.scandir(self._folder / AGENTS) as entries:
                return [Path(entry.path) for entry in entries if not entry.name.startswith((".", "#"))]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _unreadable(self._folder / AGENTS, error) from None

    def _read(self, path: Path, problems: list[Problem]) -> _Read | None:
        known = self._files.get(path)
        try:
            with open(path, "rb", opener=_nonblocking) as file:
                status = os.fstat(file.fileno())
                signature = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode)
                if known and known.signature == signature and known.read_at - status.st_mtime > _RACY_SECONDS:
                    return known
                if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
                    raise ProvisionerError(Problem(Place(str(path)), "this is not a file of settings", "remove it"))
                raw = file.read(LARGEST + 1)
        except ProvisionerError as error:
            problems += error.problems
            return None
        except FileNotFoundError:
            problems.append(_missing(path))
            return None
        except OSError as error:
            problems += _unreadable(path, error).problems
            return None
        if known and known.signature == signature and known.raw == raw:
            known.read_at = self._now()
            return known
        return self._parse(path, raw, signature)

    def _parse(self, path: Path, raw: bytes, signature: tuple[int, ...]) -> _Read:
        private = not signature[-1] & 0o077
        text = raw.decode("utf-8-sig", "replace")
        document = read_document(str(path), text, SETTINGS, private=private)
        if "\ufffd" in text:
            line = text[: text.index("\ufffd")].count("\n") + 1
            problem = Problem(Place(str(path), line, 1), "there are bytes here that are not UTF-8", "save it as UTF-8")
            document = Document(str(path), text, private, problems=(problem,))
        return _Read(signature, self._now(), raw, document)

    def _interpret(self, read: _Read, shared: Mapping[str, Any]) -> None:
        # provisioner.yaml holds the shared defaults itself: agents_of finds them there.
        above = {} if read.document.name.endswith(f"/{MAIN}") else shared
        if read.shared != above:
            read.agents, read.problems = agents_of(read.document, above)
            read.shared = above


def _nonblocking(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _missing(path: Path) -> Problem:
    if path.name == MAIN:
        return Problem(Place(str(path)), "there is no such file", "`provisioner init` writes a commented sample")
    return Problem(Place(str(path)), "the file vanished while it was read", "save it again")


def _unreadable(path: Path, error: OSError) -> ProvisionerError:
    fix = "check its owner and mode" if isinstance(error, PermissionError) else ""
    return ProvisionerError(Problem(Place(str(path)), f"this cannot be read: {error.strerror}", fix))
