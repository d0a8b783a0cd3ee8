"""The folders of targets: those that come with the program and the site's own, which win."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from provisioner.core.document import read_document
from provisioner.core.manifest import CHECKER, MANIFEST, target_from
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.target import FileSpec, Target
from provisioner.core.template import check_templates
from provisioner.edge.signature import Signature, is_settled, signatures_in

MANIFEST_NAME = "manifest.yaml"
_LARGEST = 1024 * 1024
_PACKAGE = Path(__file__).resolve().parent.parent
# Inside the package, or beside it in a checkout.
_PACKAGED, _BESIDE = _PACKAGE / "_templates", _PACKAGE.parent / "templates"


@dataclass(frozen=True)
class Catalog:
    """Targets by name, and what is wrong with those that cannot be used, or with whole folders of them, by path."""

    targets: Mapping[str, Target] = field(default_factory=dict)
    broken: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """What agents may name: the broken ones exist too."""
        return frozenset({*self.targets, *(name for name in self.broken if "/" not in name)})

    @property
    def unreadable(self) -> tuple[Problem, ...]:
        """What is wrong with whole folders: nobody knows which targets they hold."""
        return tuple(problem for name, found in self.broken.items() if "/" in name for problem in found)


def shipped() -> Path:
    """Folder of the targets that come with the program."""
    return _PACKAGED if _PACKAGED.is_dir() else _BESIDE


@dataclass(frozen=True)
class _Read:
    """A target as it was read last. ``settled`` says that the ``signatures`` would show any later change."""

    signatures: Mapping[str, Signature]
    settled: bool
    texts: Mapping[str, str]
    target: Target


class CatalogReader:
    """Reads folders of targets again and again; a target whose files did not change is not made anew.

    ``now`` gives Unix seconds; it is compared with the files' own times.
    """

    def __init__(self, folders: Iterable[Path], now: Callable[[], float] = time.time) -> None:
        self._folders = tuple(folders)
        self._now = now
        self._known: dict[Path, _Read] = {}

    def read(self) -> Catalog:
        """All targets; a later folder's target replaces an earlier one of the same name.

        A target that cannot be read is in ``broken`` and takes nobody else's place or use away.
        """
        CHECKER.begin()
        targets: dict[str, Target] = {}
        broken: dict[str, tuple[Problem, ...]] = {}
        found = list(self._listed(broken))
        self._known = {path: self._known[path] for path in found if path in self._known}
        for path in found:
            targets.pop(path.name, None)
            broken.pop(path.name, None)
            try:
                targets[path.name] = self._load(path)
            except ProvisionerError as error:
                broken[path.name] = error.problems
        return Catalog(targets, broken)

    def _listed(self, broken: dict[str, tuple[Problem, ...]]) -> Iterator[Path]:
        for folder in self._folders:
            try:
                yield from _folders_in(folder)
            except OSError as error:
                broken[str(folder)] = (_unreadable(folder, error),)
                yield from sorted(path for path in self._known if path.parent == folder)

    def _load(self, folder: Path) -> Target:
        known, looked_at, signatures = self._known.get(folder), self._now(), _signatures(folder)
        if known and known.settled and known.signatures == signatures:
            return known.target
        texts = {name: _text(folder / name) for name in (MANIFEST_NAME, *sorted({*signatures} - {MANIFEST_NAME}))}
        target = known.target if known and known.texts == texts else _made(folder, texts)
        settled = all(seen and is_settled(seen, looked_at) for seen in signatures.values())
        self._known[folder] = _Read(signatures, settled, texts, target)
        return target


def _signatures(folder: Path) -> dict[str, Signature]:
    """The files of a target, manifest and templates, each with its signature."""
    try:
        found = signatures_in(str(folder))
    except OSError as error:
        raise ProvisionerError(_unreadable(folder, error)) from None
    return {name: seen for name, seen in found.items() if name == MANIFEST_NAME or name.endswith(".j2")}


def _folders_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _made(folder: Path, texts: Mapping[str, str]) -> Target:
    manifest = read_document(str(folder / MANIFEST_NAME), texts[MANIFEST_NAME], MANIFEST)
    try:
        target = target_from(folder.name, manifest, texts)
    except ProvisionerError as error:
        # JSON holds all that any format holds: what is told now is wrong whatever the manifest will say.
        specs = [FileSpec(name, name, text, "json") for name, text in texts.items() if name != MANIFEST_NAME]
        raise ProvisionerError([*error.problems, *_in_templates(folder, specs)]) from None
    # Those that ship are checked by the tests; a start need not wait for templates that nobody uses.
    problems = () if folder.parent in (_PACKAGED, _BESIDE) else _in_templates(folder, target.files, target.options)
    if problems:
        raise ProvisionerError(problems)
    return target


def _in_templates(
    folder: Path, specs: Iterable[FileSpec], options: Collection[str] | None = None
) -> tuple[Problem, ...]:
    """What is wrong with templates; core names them ``target/template``, and people look for the file."""
    found = check_templates(folder.name, specs, options)
    places = (replace(problem.where, subject=str(folder.parent / problem.where.subject)) for problem in found)
    return tuple(replace(problem, where=where) for problem, where in zip(found, places, strict=True))


def _text(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
            raw = file.read(_LARGEST + 1) if is_file else b""
        text = raw.decode("utf-8-sig")
    except FileNotFoundError:
        raise ProvisionerError(Problem(Place(str(path)), "there is no such file", "every target has one")) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ProvisionerError(_unreadable(path, error)) from None
    if not is_file or len(raw) > _LARGEST:
        what = "this is larger than any file of a phone" if is_file else "this is not a file"
        raise ProvisionerError(Problem(Place(str(path)), what, "move it away"))
    return text


def _unreadable(path: Path, error: Exception) -> Problem:
    why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
    return Problem(Place(str(path)), f"this cannot be read: {why}", "correct it, or move it away")
