"""Files below a folder: observed, delivered, put aside, removed; by directory descriptor and never through a link.

Nothing here knows whose folder it is: a process that may write there calls it as it is.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import lru_cache
from pathlib import PurePosixPath

from provisioner.core.plan import Chmod, Create, DesiredFile, Keep, Kind, ObservedFile, Step, Update, plan
from provisioner.core.problem import Place, Problem
from provisioner.edge.folders import AbsentError, DiskError, Making, Owner, open_folder, reported, settle, trouble
from provisioner.edge.signature import Signature, signature

LARGEST = 1024 * 1024
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ASIDE = 9


def observe(base: int, paths: Iterable[PurePosixPath]) -> dict[PurePosixPath, ObservedFile]:
    """What stands at each of ``paths`` below ``base``. Reads files of up to 1 MiB and never waits for a FIFO.

    Raises DiskError where a folder on the way is a link or no folder.
    """
    found: dict[PurePosixPath, ObservedFile] = {}
    for parent, those in _by_folder(paths).items():
        try:
            with open_folder(base, parent) as folder:
                found.update({path: _observe(folder, path) for path in those})
        except AbsentError:
            found.update({path: ObservedFile(path, Kind.ABSENT) for path in those})
    return found


def deliver(
    base: int,
    desired: Sequence[DesiredFile],
    observed: Mapping[PurePosixPath, ObservedFile],
    *,
    owner: Owner,
) -> tuple[Step, ...]:
    """Make ``desired`` true, all files or none; gives the steps taken. ``owner`` is (uid, gid).

    New content is written beside its place, mode and owner first, and renamed only when all of it is on the disk.
    Raises ProvisionerError; then the old files are untouched and nothing new is left beside them. Only where a name
    itself cannot be changed (an immutable file, another user's in a sticky folder), those before it are new already.
    """
    steps = plan(desired, observed, owner)
    pairs = list(zip(desired, steps, strict=True))
    writes = [file for file, step in pairs if isinstance(step, Create | Update)]
    leftovers = [file for file, step in pairs if isinstance(step, Keep | Chmod) and observed[file.path].leftover]
    touched = {file.path.parent for file, step in pairs if not isinstance(step, Keep) or file in leftovers}
    making = Making(owner)
    with ExitStack() as stack:
        folders = {parent: stack.enter_context(open_folder(base, parent, making)) for parent in sorted(touched)}
        try:
            for file in writes:
                _write(folders[file.path.parent], file, owner)
            for step in steps:
                if isinstance(step, Chmod):
                    _chmod(folders[step.path.parent], step)
            _switch(folders, writes)
            settle(base, making)
        finally:
            # After a switch these names are gone; what is found under them was never finished.
            for file in (*writes, *leftovers):
                _discard(folders[file.path.parent], file.path)
    return steps


def put_aside(base: int, path: PurePosixPath) -> PurePosixPath:
    """Give the file at ``path`` a second name beside it, under which it stays when the first is replaced.

    A file that was put aside before keeps that name. Raises DiskError when the file system cannot do so.
    """
    with open_folder(base, path.parent) as folder, reported(path):
        status = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
        for number in range(1, _ASIDE + 1):
            name = path.with_name(f"{path.name}.before-provisioner{f'-{number}' if number > 1 else ''}")
            try:
                os.link(path.name, name.name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            except FileExistsError:
                known = os.stat(name.name, dir_fd=folder, follow_symlinks=False)
                if (known.st_dev, known.st_ino) != (status.st_dev, status.st_ino):
                    continue
            os.fsync(folder)
            return name
    what = f"{_ASIDE} files that were here before are kept already"
    raise DiskError(Problem(Place(str(path)), what, "move this file and them away"))


def make_private(base: int, path: PurePosixPath) -> None:
    """Let nobody but its owner read the file at ``path``, unless it has other names."""
    with open_folder(base, path.parent) as folder, reported(path):
        descriptor = os.open(path.name, _READ, dir_fd=folder)
        try:
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_mode & 0o077:
                os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)


def remove(base: int, paths: Iterable[PurePosixPath]) -> None:
    """Remove files (a link itself, never what it leads to) and whatever was staged for them; absent is fine.

    A folder in a file's place is somebody else's and stays. Folders that are empty afterwards and were made by us
    stay too: the phone may keep its own things there.
    """
    for parent, those in _by_folder(paths).items():
        with suppress(AbsentError), open_folder(base, parent) as folder:
            for path in those:
                with reported(path), suppress(FileNotFoundError, IsADirectoryError):
                    os.unlink(path.name, dir_fd=folder)
                _discard(folder, path)
            with reported(parent):
                os.fsync(folder)


def signatures(base: int, paths: Iterable[PurePosixPath]) -> dict[PurePosixPath, Signature | None]:
    """Of each file what changes whenever anybody writes, replaces or loosens it; None where there is none."""
    found: dict[PurePosixPath, Signature | None] = {}
    for parent, those in _by_folder(paths).items():
        found.update(dict.fromkeys(those))
        with suppress(AbsentError), open_folder(base, parent) as folder:
            found.update({path: _signature(folder, path.name) for path in those})
    return found


@lru_cache(maxsize=256)
def staged_name(name: str) -> str:
    """The name beside a file's place; always the same, so that a crash leaves nothing that the next run cannot find."""
    if len(name.encode(errors="replace")) > 200:
        import hashlib  # brings OpenSSL along, which a light process does without

        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return f".{name}.provisioner-new"


def _by_folder(paths: Iterable[PurePosixPath]) -> dict[PurePosixPath, list[PurePosixPath]]:
    found: dict[PurePosixPath, list[PurePosixPath]] = {}
    for path in paths:
        found.setdefault(path.parent, []).append(path)
    return found


def _signature(folder: int, name: str) -> Signature | None:
    try:
        return signature(os.stat(name, dir_fd=folder, follow_symlinks=False))
    except FileNotFoundError:
        return None


def _observe(folder: int, path: PurePosixPath) -> ObservedFile:
    leftover = _exists(folder, staged_name(path.name))
    try:
        status = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return ObservedFile(path, Kind.ABSENT, leftover=leftover)
    except OSError as error:
        raise trouble(str(path), error) from None
    kind = _kind(status.st_mode)
    content = _content(folder, path.name) if kind is Kind.FILE and status.st_size <= LARGEST else None
    return ObservedFile(
        path,
        kind,
        content,
        stat.S_IMODE(status.st_mode),
        owner=(status.st_uid, status.st_gid),
        links=status.st_nlink,
        signature=signature(status),
        leftover=leftover,
    )


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True


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
    except OSError:
        return None
    finally:
        os.close(file)


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return Kind.FILE
    if stat.S_ISDIR(mode):
        return Kind.FOLDER
    return Kind.LINK if stat.S_ISLNK(mode) else Kind.OTHER


def _write(folder: int, file: DesiredFile, owner: Owner) -> None:
    name = staged_name(file.path.name)
    with reported(file.path):
        _clear(folder, file.path.with_name(name))
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


def _clear(folder: int, path: PurePosixPath) -> None:
    try:
        os.unlink(path.name, dir_fd=folder)
    except FileNotFoundError:
        pass
    except IsADirectoryError as error:
        raise trouble(str(path), error) from None  # the one thing that people have to move away by this name


def _switch(folders: Mapping[PurePosixPath, int], files: Sequence[DesiredFile]) -> None:
    for file in files:
        folder = folders[file.path.parent]
        with reported(file.path):
            os.rename(staged_name(file.path.name), file.path.name, src_dir_fd=folder, dst_dir_fd=folder)
    for parent in dict.fromkeys(file.path.parent for file in files):
        with reported(parent):
            os.fsync(folders[parent])


def _discard(folder: int, path: PurePosixPath) -> None:
    with suppress(OSError):
        os.unlink(staged_name(path.name), dir_fd=folder)


def _chmod(folder: int, step: Chmod) -> None:
    with reported(step.path):
        descriptor = os.open(step.path.name, _READ, dir_fd=folder)
        try:
            os.fchmod(descriptor, step.mode)
        finally:
            os.close(descriptor)
