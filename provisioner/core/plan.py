"""Desired × observed → steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath

from provisioner.core.problem import Place, Problem, ProvisionerError


class Kind(StrEnum):
    """What stands at a path."""

    FILE = "file"
    ABSENT = "nothing"
    FOLDER = "folder"
    LINK = "symbolic link"
    OTHER = "special file"


@dataclass(frozen=True, slots=True)
class DesiredFile:
    """A file as it should be; ``path`` is relative to a base folder. With ``once`` it is a seed: made when absent, and
    the phone's own from then on."""

    path: PurePosixPath
    content: bytes = field(repr=False)
    mode: int = 0o600
    once: bool = False

    def __post_init__(self) -> None:
        if self.path.is_absolute() or ".." in self.path.parts or not self.path.name:
            raise ProvisionerError(Problem(Place(str(self.path)), "a file's path must lead down from its base"))


@dataclass(frozen=True, slots=True)
class ObservedFile:
    """A file as it is. ``content`` is None when it is no file, too large, or cannot be read.

    ``owner`` is (uid, gid), ``links`` the number of its names. ``signature`` changes whenever anybody writes, replaces
    or loosens the file. ``leftover`` says that a delivery which was cut short left its new content beside the place.
    """

    path: PurePosixPath
    kind: Kind
    content: bytes | None = field(default=None, repr=False)
    mode: int = 0
    owner: tuple[int, int] = (-1, -1)
    links: int = 1
    signature: bytes | None = None
    leftover: bool = False


@dataclass(frozen=True, slots=True)
class Create:
    """Write a file where there is none."""

    path: PurePosixPath


@dataclass(frozen=True, slots=True)
class Update:
    """Replace a file."""

    path: PurePosixPath


@dataclass(frozen=True, slots=True)
class Chmod:
    """Set the mode of a file whose content is right."""

    path: PurePosixPath
    mode: int


@dataclass(frozen=True, slots=True)
class Keep:
    """Do nothing."""

    path: PurePosixPath


Step = Create | Update | Chmod | Keep


def plan(
    desired: Sequence[DesiredFile], observed: Mapping[PurePosixPath, ObservedFile], owner: tuple[int, int]
) -> tuple[Step, ...]:
    """One step for each desired file, in their order. ``owner`` is the (uid, gid) that files must have.

    Raises ProvisionerError for everything that stands in the way: folders, links and special files in a file's place,
    and desired files that are in each other's way.
    """
    problems = [_in_the_way(observed[file.path]) for file in desired if _blocks(observed[file.path])]
    problems += _clashes([file.path for file in desired])
    if problems:
        raise ProvisionerError(problems)
    return tuple(_step(file, observed[file.path], owner) for file in desired)


def missing_lines(seed: DesiredFile, observed: ObservedFile) -> tuple[str, ...]:
    """The keys of a seed's ``key=value`` lines that a file which was there before does not hold."""
    if observed.content is None:
        return ()
    have = set(observed.content.splitlines())
    wanted = [line for line in seed.content.splitlines() if b"=" in line and not line.lstrip().startswith(b"#")]
    return tuple(line.partition(b"=")[0].decode("utf-8", "replace") for line in wanted if line not in have)


def brake(before: Set[str], after: Set[str]) -> None:
    """Raises ProvisionerError for what looks like an accident: a change that removes more than 30 % of ten or more."""
    gone = len(before - after)
    if len(before) >= 10 and gone * 10 > len(before) * 3:
        what = f"this would remove {gone} of {len(before)} agents"
        fix = "if that is meant: `provisioner reload --force`, or `removal: {brake: false}`"
        raise ProvisionerError(Problem(Place("configuration"), what, fix))


def _step(file: DesiredFile, found: ObservedFile, owner: tuple[int, int]) -> Step:
    if found.kind is Kind.ABSENT:
        return Create(file.path)
    if file.once:
        return Chmod(file.path, found.mode & (file.mode | 0o700)) if _is_loose(file, found, owner) else Keep(file.path)
    if found.content != file.content or found.owner != owner:
        return Update(file.path)
    if found.mode == file.mode:
        return Keep(file.path)
    # A new mode would be that of the file's other names as well.
    return Chmod(file.path, file.mode) if found.links == 1 else Update(file.path)


def _is_loose(seed: DesiredFile, found: ObservedFile, owner: tuple[int, int]) -> bool:
    """May others do with a phone's own file what the seed did not let them do, and is it ours to say?"""
    return bool(found.mode & ~seed.mode & 0o077) and found.owner[0] == owner[0] and found.links == 1


def _clashes(paths: Sequence[PurePosixPath]) -> list[Problem]:
    names = [str(path) for path in paths]
    twice = {name for name in names if names.count(name) > 1}
    folders = {name for name in names if any(other.startswith(f"{name}/") for other in names)}
    fix = "rename one in its manifest"
    return [
        *(Problem(Place(name), "two files of this target have the same name", fix) for name in sorted(twice)),
        *(Problem(Place(name), "another file of this target needs a folder here", fix) for name in sorted(folders)),
    ]


def _blocks(found: ObservedFile) -> bool:
    return found.kind not in (Kind.FILE, Kind.ABSENT)


def _in_the_way(found: ObservedFile) -> Problem:
    return Problem(Place(str(found.path)), f"a {found.kind} stands where a file should be", "move it away")
