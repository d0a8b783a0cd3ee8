"""Files below a folder: observed, delivered, removed, always by directory descriptor and never through a link.

Nothing here knows whose folder it is: a process that may write there calls it as it is.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import PurePosixPath

from provisioner.core.plan import Chmod, Create, DesiredFile, Keep, Kind, ObservedFile, Step, Update, plan
from provisioner.core.problem import Place, Problem, ProvisionerError

LARGEST = 1024 * 1024
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_IN_FOLDER = _FOLDER | os.O_NOFOLLOW
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CURES = {
    errno.ENOSPC: ("the disk is full", "make room; the last good files stay"),
    errno.EDQUOT: ("the disk quota is used up", "make room; the last good files stay"),
    errno.EFBIG: ("the file would be larger than this process may write", "raise the limit of file sizes"),
    errno.EROFS: ("the file system is read-only", "mount it writable"),
    errno.EACCES: ("permission is denied", "check owner and mode of the folders above"),
    errno.EPERM: ("the operation is not permitted", "check owner, mode and attributes"),
    errno.ENOENT: ("there is no such folder", "create it, or correct `home:` or `path:`"),
    errno.ENOTDIR: ("something that is no folder stands in the way", "move it away"),
    errno.ELOOP: ("this is a symbolic link, which is not followed", "put a folder there, or write the real path"),
}


class DiskError(ProvisionerError):
    """Something that the disk would not do; what was there before is there still."""


@contextmanager
def open_base(path: str) -> Iterator[int]:
    """A descriptor of the folder ``path``, the administrator's own choice: links in this one path are followed."""
    try:
        base = os.open(path, _FOLDER)
    except OSError as error:
        raise _problem(path, error) from None
    try:
        yield base
    finally:
        os.close(base)


def observe(base: int, paths: Iterable[PurePosixPath]) -> dict[PurePosixPath, ObservedFile]:
    """What stands at each of ``paths`` below ``base``. Reads files of up to 1 MiB and never waits for a FIFO.

    Raises DiskError where a folder on the way is a link or no folder.
    """
    return {path: _observe(base, path) for path in paths}


def make_folders(base: int, paths: Iterable[PurePosixPath]) -> None:
    """Make each of ``paths`` and what is above it, mode 0700, where they are missing."""
    for path in paths:
        with _folder(base, path, make=True):
            pass


def deliver(
    base: int,
    desired: Sequence[DesiredFile],
    observed: Mapping[PurePosixPath, ObservedFile],
    *,
    owner: tuple[int, int],
) -> tuple[Step, ...]:
    """Make ``desired`` true, all files or none; gives the steps taken. ``owner`` is (uid, gid).

    New content is written beside its place, mode and owner first, and renamed only when all of it is on the disk.
    Raises DiskError; then the old files are untouched.
    """
    steps = plan(desired, observed, owner[0])
    todo = [(file, step) for file, step in zip(desired, steps, strict=True) if not isinstance(step, Keep)]
    with ExitStack() as stack:
        folders = {file.path.parent: -1 for file, _ in todo}
        for parent in folders:
            folders[parent] = stack.enter_context(_folder(base, parent, make=True))
        writes = [file for file, step in todo if isinstance(step, Create | Update)]
        _stage(folders, writes, owner)
        for file, step in todo:
            if isinstance(step, Chmod):
                _chmod(folders[file.path.parent], file)
        _switch(folders, writes)
    return steps


def remove(base: int, paths: Iterable[PurePosixPath]) -> None:
    """Remove files (a link itself, never what it leads to) and whatever was staged for them; absent is fine.

    Folders that are empty afterwards and were made by us stay: the phone may keep its own things there.
    """
    for path in paths:
        with suppress(_Absent), _folder(base, path.parent, make=False) as folder:
            for name in (path.name, _staged(path.name)):
                with _reported(path), suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)


def signature(base: int, path: PurePosixPath) -> tuple[int, ...] | None:
    """Changes whenever anybody writes, replaces or loosens the file; None when there is none."""
    try:
        with _folder(base, path.parent, make=False) as folder:
            status = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
    except (_Absent, FileNotFoundError):
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode, status.st_uid)


class _Absent(DiskError):
    """A folder on the way is not there."""


@contextmanager
def _folder(base: int, path: PurePosixPath, *, make: bool) -> Iterator[int]:
    """A descriptor of the folder ``path`` below ``base``, walked step by step without following a link."""
    current = os.dup(base)
    try:
        for depth, name in enumerate(path.parts, 1):
            above, current = current, _step_into(current, name, PurePosixPath(*path.parts[:depth]), make=make)
            os.close(above)
        yield current
    finally:
        os.close(current)


def _step_into(folder: int, name: str, path: PurePosixPath, *, make: bool) -> int:
    try:
        return os.open(name, _IN_FOLDER, dir_fd=folder)
    except FileNotFoundError as error:
        if not make:
            raise _Absent(_problem(str(path), error).problems) from None
    except OSError as error:
        raise _problem(str(path), _link_or(error, folder, name)) from None
    with _reported(path):
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=folder)
        os.fsync(folder)
        return os.open(name, _IN_FOLDER, dir_fd=folder)


def _link_or(error: OSError, folder: int, name: str) -> OSError:
    # O_DIRECTORY makes the kernel say ENOTDIR of a link; people need to know that it is one.
    with suppress(OSError):
        if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return OSError(errno.ELOOP, "link")
    return error


def _observe(base: int, path: PurePosixPath) -> ObservedFile:
    try:
        with _folder(base, path.parent, make=False) as folder:
            status = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
            kind = _kind(status.st_mode)
            content = _content(folder, path.name) if kind is Kind.FILE and status.st_size <= LARGEST else None
    except (_Absent, FileNotFoundError):
        return ObservedFile(path, Kind.ABSENT)
    except OSError as error:
        raise _problem(str(path), error) from None
    return ObservedFile(path, kind, content, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)


def _content(folder: int, name: str) -> bytes | None:
    """The file's content; None when it cannot be read, which counts as different."""
    try:
        file = os.open(name, _READ, dir_fd=folder)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        content = b""
        while len(content) <= LARGEST and (piece := os.read(file, LARGEST)):
            content += piece
        return content
    finally:
        os.close(file)


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return Kind.FILE
    if stat.S_ISDIR(mode):
        return Kind.FOLDER
    return Kind.LINK if stat.S_ISLNK(mode) else Kind.OTHER


def _staged(name: str) -> str:
    """The name beside a file's place; always the same, so that a crash leaves nothing that the next run cannot find."""
    return f".{name[:200]}.provisioner-new"


def _stage(folders: Mapping[PurePosixPath, int], files: Sequence[DesiredFile], owner: tuple[int, int]) -> None:
    done: list[DesiredFile] = []
    try:
        for file in files:
            done.append(file)
            with _reported(file.path):
                _write(folders[file.path.parent], file, owner)
    except BaseException:
        for file in done:
            with suppress(OSError):
                os.unlink(_staged(file.path.name), dir_fd=folders[file.path.parent])
        raise


def _write(folder: int, file: DesiredFile, owner: tuple[int, int]) -> None:
    name = _staged(file.path.name)
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
    descriptor = os.open(name, _NEW, 0o600, dir_fd=folder)
    try:
        status = os.fstat(descriptor)
        if (status.st_uid, status.st_gid) != owner:
            os.fchown(descriptor, *owner)
        os.fchmod(descriptor, file.mode)
        rest = memoryview(file.content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _switch(folders: Mapping[PurePosixPath, int], files: Sequence[DesiredFile]) -> None:
    for file in files:
        folder = folders[file.path.parent]
        with _reported(file.path):
            os.rename(_staged(file.path.name), file.path.name, src_dir_fd=folder, dst_dir_fd=folder)
    for parent in dict.fromkeys(file.path.parent for file in files):
        with _reported(parent):
            os.fsync(folders[parent])


def _chmod(folder: int, file: DesiredFile) -> None:
    with _reported(file.path):
        descriptor = os.open(file.path.name, _READ, dir_fd=folder)
        try:
            os.fchmod(descriptor, file.mode)
        finally:
            os.close(descriptor)


@contextmanager
def _reported(path: PurePosixPath) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _problem(str(path), error) from None


def _problem(path: str, error: OSError) -> DiskError:
    what, fix = _CURES.get(error.errno or 0, (error.strerror or "this failed", ""))
    return DiskError(Problem(Place(path), what, fix))
