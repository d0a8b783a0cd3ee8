"""Notices that something in the configuration may have changed. What changed is found by reading, not here.

One recursive watch on the folder, however many agents. Only where the way to it or a file in it leads through symbolic
links, or where it does not exist yet, the folders on the way are watched too.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watchdog import events
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers.inotify import InotifyObserver
from watchdog.observers.polling import PollingObserver
from watchdog.utils import BaseThread

log = logging.getLogger(__name__)
# Not `opened` and `closed_no_write`: our own reading would wake us for ever.
_CHANGES = frozenset({"created", "modified", "attrib", "deleted", "moved", "closed"})
# Of a folder below the one that is watched. Debian's versions do not follow one that came from elsewhere by a rename.
_FOLDERS = frozenset({"created", "deleted", "moved"})
_KINDS = [kind for kind in vars(events).values() if getattr(kind, "event_type", None) in _CHANGES]
# Newer ones than Debian 12's are told so, and the kernel by them: what nobody asks for costs nothing.
_NO_MORE = {"event_filter": _KINDS} if "event_filter" in inspect.signature(InotifyObserver.schedule).parameters else {}
# A folder may vanish between the look and the watch; the one above tells when it comes back.
_PASSING = (FileNotFoundError, NotADirectoryError, PermissionError)
_MOST_LINKS = 40  # as the kernel follows, path_resolution(7)


@dataclass(frozen=True, slots=True)
class Watched:
    """A folder to watch: all below it, or with ``names`` only those entries in it. ``identity`` is (device, inode),
    because a folder made anew needs a new watch, as ``closed`` ones below it do once we may look into them."""

    folder: str
    names: frozenset[str] | None
    identity: tuple[int, int]
    closed: frozenset[Path] = frozenset()


def watched(root: Path) -> frozenset[Watched]:
    """All that has to be watched to see every change of what is read from ``root``. What is closed to us is taken for
    what is not there: whoever reads says why."""
    real = _end_of(root)
    odd = list(_odd_below(str(real)))
    links = [path for path in odd if os.path.islink(path)]  # noqa: PTH114
    closed = frozenset(odd).difference(links)
    entries = {*_way_to(root), *(entry for link in links for entry in _way_to(link))}
    whole = {folder for folder in (real, *map(_end_of, links)) if _is_open(folder)}
    names: dict[Path, set[str]] = {}
    for entry in entries:
        if not any(entry.is_relative_to(folder) for folder in whole):
            names.setdefault(entry.parent, set()).add(entry.name)
    found = [_watched(folder, frozenset(those)) for folder, those in names.items()]
    found += [_watched(folder, None, closed if folder == real else frozenset()) for folder in whole]
    return frozenset(entry for entry in found if entry)


class Watch:
    """Calls ``changed``, in the event loop's thread, when something may have changed below ``root``, with the time at
    which it was seen (by the loop's clock): the loop may have been busy since."""

    def __init__(self, root: Path, changed: Callable[[float], None]) -> None:
        self._root = root
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._observer: Any = None
        self._settings: tuple[str, float] | None = None
        self._active: dict[Watched, Any] = {}
        self._stale: set[str] = set()
        self._cannot_inotify = False
        self._hook = threading.excepthook

    def follow(self, method: str, poll_every: float) -> None:
        """Watch by ``inotify`` or by ``polling`` (every ``poll_every`` seconds), from now on.

        Called again after each change, it follows folders that came, went or were replaced; where it does, ``changed``
        is called, because something may have happened in them before.
        """
        method = "polling" if self._cannot_inotify else method
        try:
            self._observe(method, poll_every)
            self._replan(_PASSING if method == "inotify" else (OSError,))
        except OSError as error:
            if method == "polling":
                raise
            log.warning(
                "inotify cannot be used (%s): polling until a reload; see fs.inotify in sysctl(8)", error.strerror
            )
            self._cannot_inotify = True
            self.follow("polling", poll_every)

    def try_again(self) -> None:
        """Use inotify from the next time on though it could not be used before: its limits may be others now."""
        self._cannot_inotify = False

    def look(self) -> None:
        """See whether a watched folder was renamed away, perhaps for another one of its name: nobody tells of that."""
        if any(_identity(Path(entry.folder)) != entry.identity for entry in self._active):
            self._changed(self._loop.time())

    def _observe(self, method: str, poll_every: float) -> None:
        if self._settings != (method, poll_every):
            self.stop()
            self._observer = PollingObserver(timeout=poll_every) if method == "polling" else InotifyObserver()
            self._observer.start()
            self._hook, threading.excepthook = threading.excepthook, self._ended
            self._settings = method, poll_every
            # What changed between the end of one observer and the start of the next is found by reading.
            self._changed(self._loop.time())

    def stop(self) -> None:
        """Watch no more."""
        if self._observer is not None:
            _stop(self._observer)
            threading.excepthook = self._hook
        self._observer, self._active, self._settings = None, {}, None

    def _ended(self, ended: threading.ExceptHookArgs) -> None:
        """A thread ended by an exception. Watchdog's do where folders are renamed and made anew, and leave it deaf."""
        if isinstance(ended.thread, BaseThread):
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._begin_anew, self._observer)
        else:
            self._hook(ended)

    def _begin_anew(self, deaf: Any) -> None:
        if deaf is self._observer:
            log.info("the watch on %s begins anew: an error of watchdog's ended it", self._root)
            self._settings = None
            self._changed(self._loop.time())

    def _replan(self, passing: tuple[type[OSError], ...]) -> None:
        """Watch what is to be watched. What meets an error of the kinds ``passing`` is for the next time."""
        stale, self._stale = self._stale, set()
        before, wanted = bool(self._active), watched(self._root)
        for entry in [entry for entry in self._active if entry not in wanted or entry.folder in stale]:
            with suppress(KeyError):
                self._observer.unschedule(self._active.pop(entry))
        for entry in wanted - self._active.keys():
            with suppress(*passing):
                listener = _Listener(entry, self._tell)
                whole = entry.names is None
                self._active[entry] = self._observer.schedule(listener, entry.folder, recursive=whole, **_NO_MORE)
                if before:
                    self._changed(self._loop.time())

    def _tell(self, gone: str | None) -> None:
        """Called in the observer's thread; ``gone`` is a watched folder that was deleted, or has other folders now."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._note, gone, self._loop.time())

    def _note(self, gone: str | None, at: float) -> None:
        if gone:
            self._stale.add(gone)
        self._changed(at)


def _stop(observer: Any) -> None:
    for emitter in list(observer.emitters):
        try:
            emitter.stop()
        except KeyError:
            # Where it lost count of folders that were renamed, 7.1 does not wake its thread: nobody can wait for that.
            observer.emitters.discard(emitter)
    observer.stop()
    observer.join()


class _Listener(FileSystemEventHandler):
    def __init__(self, entry: Watched, tell: Callable[[str | None], None]) -> None:
        self._entry = entry
        self._tell = tell

    def on_any_event(self, event: FileSystemEvent) -> None:
        paths = [os.fsdecode(path) for path in (event.src_path, getattr(event, "dest_path", "")) if path]
        gone = event.event_type == "deleted" and self._entry.folder in paths
        if event.event_type in _CHANGES and (gone or self._concerns(paths)):
            other = event.is_directory and event.event_type in _FOLDERS and self._entry.names is None
            self._tell(self._entry.folder if gone or other else None)

    def _concerns(self, paths: list[str]) -> bool:
        names = self._entry.names
        return names is None or any(Path(path).name in names for path in paths)


def _way_to(path: Path) -> Iterator[Path]:
    """What decides where ``path`` leads: each link on the way, what is missing or closed to us first, and the file that
    it ends at."""
    todo, here, hops = list(path.absolute().parts[1:]), Path("/"), 0
    while todo:
        name = todo.pop(0)
        here = here.parent if name == ".." else here / name
        target = _target_of(here)
        if target is not None and hops < _MOST_LINKS:
            yield here
            here, hops = (Path("/") if target.is_absolute() else here.parent), hops + 1
            todo = [part for part in target.parts if part != "/"] + todo
        elif not os.path.exists(here) or (todo and not os.access(here, os.X_OK)):  # noqa: PTH110
            yield here
            return
    if not _is_open(here):
        yield here


def _is_open(folder: Path) -> bool:
    """Is it a folder whose entries we may see? Of others the kernel tells nothing, and watchdog does not say so."""
    return os.path.isdir(folder) and os.access(folder, os.R_OK | os.X_OK)  # noqa: PTH112


def _end_of(path: Path) -> Path:
    """Where ``path`` leads in the end; itself where that changes under our eyes."""
    try:
        return Path(os.path.realpath(path))
    except OSError:
        return path


def _target_of(path: Path) -> Path | None:
    """Where a link leads; None for everything else, also what was a link a moment ago."""
    try:
        return path.readlink()
    except OSError:
        return None


def _odd_below(folder: str) -> Iterator[Path]:
    """The links below ``folder``, and the folders that we may not look into."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    continue  # nearly all of a thousand are, at every edit
                if entry.is_symlink():
                    yield Path(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    yield from _odd_below(entry.path) if _is_open(Path(entry.path)) else [Path(entry.path)]
    except OSError:
        return


def _watched(folder: Path, names: frozenset[str] | None, closed: frozenset[Path] = frozenset()) -> Watched | None:
    identity = _identity(folder)
    return Watched(str(folder), names, identity, closed) if identity else None


def _identity(folder: Path) -> tuple[int, int] | None:
    """Device and inode; None where there is no such folder."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None
