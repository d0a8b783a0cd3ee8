"""The state's file: opened, made, judged, set aside."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.edge.state_folder import reported

PATIENCE = 1.0  # seconds: nobody but a person with an SQLite shell can make us wait
# Each layout is the one before it and these statements; the last one is ours.
_LAYOUTS = (
    """
CREATE TABLE key (key BLOB NOT NULL);
CREATE TABLE session (agent TEXT PRIMARY KEY, url TEXT NOT NULL, login TEXT NOT NULL, row TEXT NOT NULL,
                      token TEXT NOT NULL, password_mark TEXT NOT NULL, logged_in_at REAL NOT NULL);
CREATE TABLE attempt (agent TEXT PRIMARY KEY, password_mark TEXT NOT NULL, at REAL NOT NULL, kind TEXT NOT NULL,
                      cause TEXT NOT NULL, count INTEGER NOT NULL, retry_after REAL NOT NULL);
CREATE TABLE realm (agent TEXT PRIMARY KEY, realm TEXT NOT NULL);
CREATE TABLE file (base TEXT NOT NULL, path TEXT NOT NULL, agent TEXT NOT NULL, target TEXT NOT NULL,
                   PRIMARY KEY (base, path)) WITHOUT ROWID;
""",
    """
CREATE TABLE reload (agent TEXT NOT NULL, folder TEXT NOT NULL, target TEXT NOT NULL, since REAL,
                     number INTEGER NOT NULL, count INTEGER NOT NULL, code INTEGER, cause TEXT NOT NULL, next_at REAL,
                     held INTEGER NOT NULL, busy_since REAL, look_at REAL, content TEXT NOT NULL, refused TEXT NOT NULL,
                     refusal TEXT NOT NULL, command TEXT NOT NULL, PRIMARY KEY (agent, folder)) WITHOUT ROWID;
CREATE TABLE previous (base TEXT NOT NULL, path TEXT NOT NULL, agent TEXT NOT NULL, target TEXT NOT NULL,
                       folder TEXT NOT NULL, content BLOB NOT NULL, mode INTEGER NOT NULL,
                       PRIMARY KEY (base, path)) WITHOUT ROWID;
""",
    """
CREATE TABLE relay (agent TEXT PRIMARY KEY, port INTEGER NOT NULL UNIQUE);
""",
)
VERSION = len(_LAYOUTS)
_TABLES = ({"key", "session", "attempt", "realm", "file"}, {"reload", "previous"}, {"relay"})


class DamagedError(Exception):
    """The file is there and is no state."""


def connect(path: Path) -> sqlite3.Connection:
    """The state's file, made when there is none. Raises DamagedError, or ProvisionerError when it cannot be used."""
    with reported(path):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        path.chmod(0o600)
    with _judged(path), ExitStack() as stack:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=PATIENCE)
        stack.callback(db.close)
        # A write-ahead log lets `plan` read meanwhile; with FULL the ledger knows of a file before a power cut.
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        layout = _layout(db, path)
        if layout < VERSION:
            if layout:
                _check(db, layout)
            _make_tables(db, layout)
        _check(db, VERSION)
        stack.pop_all()
        return db


def connect_read_only(path: Path) -> sqlite3.Connection:
    """The state's file for reading, while another process writes it. Raises as ``connect`` does."""
    with reported(path):
        if not path.exists():
            raise ProvisionerError(Problem(Place(str(path)), "there is no state here", "nothing was applied yet"))
    with _judged(path), ExitStack() as stack:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=PATIENCE)
        stack.callback(db.close)
        _check(db, _layout(db, path))
        stack.pop_all()
        return db


@contextmanager
def _judged(path: Path) -> Iterator[None]:
    """Tells a file that is no state from a disk that does not let us look."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise unusable(path, error) from None
    except sqlite3.DatabaseError:
        raise DamagedError from None


def _layout(db: sqlite3.Connection, path: Path) -> int:
    version = max(0, int(db.execute("PRAGMA user_version").fetchone()[0]))
    if version > VERSION:
        what = f"this state was written by a newer version (layout {version}, this one knows {VERSION})"
        raise ProvisionerError(Problem(Place(str(path)), what, "install that version again, or move the file away"))
    return version


def _make_tables(db: sqlite3.Connection, layout: int) -> None:
    """Go from ``layout`` (0: an empty file) to ours, all of it or nothing."""
    db.execute("BEGIN IMMEDIATE")
    for statement in "".join(_LAYOUTS[layout:]).split(";"):
        db.execute(statement)
    if not layout:
        db.execute("INSERT INTO key VALUES (?)", (os.urandom(32),))
    db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")


def _check(db: sqlite3.Connection, layout: int) -> None:
    tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok" or set().union(*_TABLES[:layout]) - tables:
        raise DamagedError
    if not layout or db.execute("SELECT count(*) FROM key").fetchone()[0] != 1:
        raise DamagedError


def set_aside(path: Path) -> Path:
    """Give a damaged file another name beside its place, and tell it."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return aside


def unusable(path: Path, error: sqlite3.Error) -> ProvisionerError:
    """What SQLite says of a file that is whole, in our words."""
    return ProvisionerError(Problem(Place(str(path)), f"the state cannot be used: {error}", "see disk, owner and mode"))
