"""Folders below a base folder, walked by directory descriptor and never through a link; and what the disk refuses."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from provisioner.core.problem import Place, Problem, ProvisionerError

Owner = tuple[int, int]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_IN_FOLDER = _FOLDER | os.O_NOFOLLOW
_CURES = {
    errno.ENOSPC: ("the disk is full", "make room; the last good files stay"),
    errno.EDQUOT: ("the disk quota is used up", "make room; the last good files stay"),
    errno.EFBIG: ("the file would be larger than this process may write", "raise the limit of file sizes"),
    # So it also looks to the service, whose unit names the folders that it may write.
    errno.EROFS: ("the file system is read-only", "mount it writable, or add it to the unit's `ReadWritePaths=`"),
    errno.EACCES: ("permission is denied", "check owner and mode of the folders above"),
    errno.EPERM: ("the operation is not permitted", "check owner, mode and attributes"),
    errno.ENOENT: ("there is no such folder", "create it, or correct `home:` or `path:`"),
    errno.ENOTDIR: ("something that is no folder stands in the way", "move it away"),
    errno.EISDIR: ("a folder stands in the way", "move it away"),
    errno.ELOOP: ("this is a symbolic link, which is not followed", "put a folder there, or write the real path"),
    errno.ENAMETOOLONG: ("this name is too long for the file system", "choose a shorter one"),
}


@dataclass(frozen=True, slots=True)
class Making:
    """Whose the folders will be that are made on a way, and ``within``: the folders that got one, until ``settle``."""

    owner: Owner
    within: set[PurePosixPath] = field(default_factory=set)


class DiskError(ProvisionerError):
    """Something that the disk would not do; what was there before is there still."""


class AbsentError(DiskError):
    """A folder on the way is not there."""


@contextmanager
def open_base(path: str) -> Iterator[int]:
    """A descriptor of the folder ``path``, the administrator's own choice: links in this one path are followed.

    Raises AbsentError when there is no such folder, DiskError when it cannot be opened.
    """
    try:
        base = os.open(path, _FOLDER)
    except FileNotFoundError as error:
        raise AbsentError(trouble(path, error).problems) from None
    except OSError as error:
        raise trouble(path, error) from None
    try:
        yield base
    finally:
        os.close(base)


@contextmanager
def open_folder(base: int, path: PurePosixPath, make: Making | None = None) -> Iterator[int]:
    """A descriptor of the folder ``path`` below ``base``; with ``make`` what is missing is made, mode 0700, and may be
    lost in a power cut before it is settled.

    Raises AbsentError when something is missing and may not be made, DiskError for a link or a file on the way.
    """
    current = os.dup(base)
    try:
        for depth in range(len(path.parts)):
            above, current = current, _step_into(current, path, depth, make)
            os.close(above)
        yield current
    finally:
        os.close(current)


def make_folders(base: int, paths: Iterable[PurePosixPath], owner: Owner) -> None:
    """Make each of ``paths`` and what is above it, mode 0700, where they are missing."""
    making = Making(owner)
    for path in paths:
        with open_folder(base, path, making):
            pass
    settle(base, making)


def settle(base: int, making: Making) -> None:
    """Bring the folders that were made below ``base`` to the disk: all at once, for each wait is a commit of its
    journal."""
    for path in sorted(making.within, reverse=True):
        with open_folder(base, path) as folder, reported(path):
            os.fsync(folder)


@contextmanager
def reported(path: PurePosixPath | str) -> Iterator[None]:
    """What goes wrong inside, said of ``path``: raises DiskError."""
    try:
        yield
    except OSError as error:
        raise trouble(str(path), error) from None


def trouble(path: str, error: OSError) -> DiskError:
    """``error`` in words, with what to do."""
    what, fix = _CURES.get(error.errno or 0, (error.strerror or "this failed", "see the system's journal"))
    return DiskError(Problem(Place(path), what, fix))


def _step_into(folder: int, path: PurePosixPath, depth: int, make: Making | None) -> int:
    """The folder whose name is the part of ``path`` at ``depth``, below ``folder``, which is above it."""
    name = path.parts[depth]
    try:
        return os.open(name, _IN_FOLDER, dir_fd=folder)
    except FileNotFoundError as error:
        if make is None:
            raise AbsentError(trouble(_until(path, depth), error).problems) from None
    except OSError as error:
        raise trouble(_until(path, depth), _link_or(error, folder, name)) from None
    with reported(_until(path, depth)):
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=folder)
        made = os.open(name, _IN_FOLDER, dir_fd=folder)
        try:
            _give(made, make.owner)
        except BaseException:
            os.close(made)
            raise
    make.within.add(PurePosixPath(*path.parts[:depth]))
    return made


def _until(path: PurePosixPath, depth: int) -> str:
    return str(PurePosixPath(*path.parts[: depth + 1]))


def _give(folder: int, owner: Owner) -> None:
    status = os.fstat(folder)
    if (status.st_uid, status.st_gid) != owner:
        os.fchown(folder, *owner)


def _link_or(error: OSError, folder: int, name: str) -> OSError:
    # O_DIRECTORY makes the kernel say ENOTDIR of a link; people need to know that it is one.
    with suppress(OSError):
        if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return OSError(errno.ELOOP, "link")
    return error
