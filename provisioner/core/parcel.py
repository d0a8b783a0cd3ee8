"""What is to be on the disk for one agent, and what became of it: values that travel between two processes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from provisioner.core.plan import DesiredFile
from provisioner.core.problem import Problem


@dataclass(frozen=True, slots=True)
class Home:
    """A Unix user of this machine and the folder below which the user's phones look. ``uid`` None is our own user."""

    user: str
    folder: str
    uid: int | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """A target's ``folder`` relative to ``base``, and the ``folders`` that must exist beside it.

    ``base`` is the one folder that is opened by name; below it no symbolic link is followed.
    """

    base: str
    folder: PurePosixPath
    folders: tuple[PurePosixPath, ...]

    @property
    def absolute(self) -> str:
        """The folder as the phone sees it."""
        return f"{self.base.rstrip('/')}/{self.folder}"


@dataclass(frozen=True, slots=True)
class Parcel:
    """One target of an agent. ``files`` are below ``place.base``; without any the last good ones stay. With ``keeps``
    what they hold now is kept, so that it can come back."""

    target: str
    place: Layout | None = None
    files: tuple[DesiredFile, ...] = ()
    keeps: bool = False

    @property
    def folder(self) -> str:
        """Its folder as the phone sees it; empty where nobody knows."""
        return self.place.absolute if self.place else ""


class State(StrEnum):
    """How a target stands."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    KEPT = "last good files kept"
    NEVER = "not written"
    WAITING = "waits for the session"
    PENDING = "pending"
    ROLLED_BACK = "rolled back"


@dataclass(frozen=True, slots=True)
class TargetReport:
    """What became of one target. ``changed`` are the files written or tightened, as absolute paths; ``renewed`` says
    that content changed, so that the phone has something to read anew."""

    target: str
    folder: str
    state: State
    changed: tuple[str, ...]
    problems: tuple[Problem, ...]
    renewed: bool = False


@dataclass(frozen=True, slots=True)
class Brought:
    """What became of an agent's parcels. ``freed`` are agents who were refused a path that nobody has now."""

    targets: tuple[TargetReport, ...]
    problems: tuple[Problem, ...] = ()
    freed: frozenset[str] = frozenset()
