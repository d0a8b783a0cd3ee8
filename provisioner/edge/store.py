"""The state: one SQLite file that only its owner can read, written by one process at a time.

It holds sessions (with their secrets, as dangerous as the phones' own files), failed logins, proven realms, and the
ledger of every file that was ever written.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.secret import Secret
from provisioner.core.session import Attempt, HeldSession

NAME = "state.sqlite"
VERSION = 1
_TABLES = """
CREATE TABLE key (key BLOB NOT NULL);
CREATE TABLE session (agent TEXT PRIMARY KEY, url TEXT NOT NULL, login TEXT NOT NULL, row TEXT NOT NULL,
                      token TEXT NOT NULL, password_mark TEXT NOT NULL, logged_in_at REAL NOT NULL);
CREATE TABLE attempt (agent TEXT PRIMARY KEY, password_mark TEXT NOT NULL, at REAL NOT NULL, kind TEXT NOT NULL,
                      cause TEXT NOT NULL, count INTEGER NOT NULL);
CREATE TABLE realm (agent TEXT PRIMARY KEY, realm TEXT NOT NULL);
CREATE TABLE file (base TEXT NOT NULL, path TEXT NOT NULL, agent TEXT NOT NULL, target TEXT NOT NULL,
                   PRIMARY KEY (agent, base, path)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A file that we wrote, or were about to write: ``path`` below the folder ``base``."""

    agent: str
    target: str
    base: str
    path: PurePosixPath


@contextmanager
def lock_state(folder: Path) -> Iterator[None]:
    """Hold the state for this process alone. Raises ProvisionerError when another one has it."""
    _make_private(folder)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        what, fix = "another provisioner runs with this state", "use `provisioner reload`, or stop the service first"
        raise ProvisionerError(Problem(Place(str(folder)), what, fix)) from None
    try:
        yield
    finally:
        os.close(descriptor)


class Store:
    """The state, open. Use it in one thread."""

    def __init__(self, connection: sqlite3.Connection, remarks: Sequence[Problem] = ()) -> None:
        self._db = connection
        self.remarks = tuple(remarks)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes inside happen, or none."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def key(self) -> bytes:
        """Thirty-two random bytes of this state, for marks of passwords."""
        return bytes(self._db.execute("SELECT key FROM key").fetchone()[0])

    def put_session(self, session: HeldSession) -> None:
        """Remember a login."""
        values = (session.agent, session.url, session.login, session.row.reveal(), session.token.reveal())
        rest = (session.password_mark, session.logged_in_at)
        self._db.execute("INSERT OR REPLACE INTO session VALUES (?,?,?,?,?,?,?)", values + rest)

    def sessions(self) -> dict[str, HeldSession]:
        """All logins that were not ended, by agent."""
        rows = self._db.execute("SELECT * FROM session")
        return {r[0]: HeldSession(r[0], r[1], r[2], Secret(r[3]), Secret(r[4]), r[5], r[6]) for r in rows}

    def drop_session(self, agent: str) -> None:
        """Forget a login."""
        self._db.execute("DELETE FROM session WHERE agent = ?", (agent,))

    def put_attempt(self, attempt: Attempt) -> None:
        """Remember a login that failed."""
        values = (attempt.agent, attempt.password_mark, attempt.at, attempt.kind, attempt.cause, attempt.count)
        self._db.execute("INSERT OR REPLACE INTO attempt VALUES (?,?,?,?,?,?)", values)

    def attempts(self) -> dict[str, Attempt]:
        """The last failure of each agent."""
        return {row[0]: Attempt(*row) for row in self._db.execute("SELECT * FROM attempt")}

    def drop_attempt(self, agent: str) -> None:
        """Forget an agent's failures."""
        self._db.execute("DELETE FROM attempt WHERE agent = ?", (agent,))

    def put_realm(self, agent: str, realm: str) -> None:
        """Remember the realm that a server asked for."""
        self._db.execute("INSERT OR REPLACE INTO realm VALUES (?,?)", (agent, realm))

    def realms(self) -> dict[str, str]:
        """The realms that servers asked for, by agent."""
        return dict(self._db.execute("SELECT agent, realm FROM realm"))

    def record(self, agent: str, target: str, base: str, paths: Iterable[PurePosixPath]) -> None:
        """Note files in the ledger, before they are made."""
        rows = [(base, str(path), agent, target) for path in paths]
        with self.transaction():
            self._db.executemany("INSERT OR REPLACE INTO file VALUES (?,?,?,?)", rows)

    def recorded(self) -> tuple[LedgerEntry, ...]:
        """The whole ledger."""
        return tuple(map(_entry, self._db.execute("SELECT agent, target, base, path FROM file")))

    def recorded_agents(self) -> frozenset[str]:
        """Everybody who has files."""
        return frozenset(row[0] for row in self._db.execute("SELECT DISTINCT agent FROM file"))

    def recorded_of(self, agent: str) -> tuple[LedgerEntry, ...]:
        """The files of one agent."""
        rows = self._db.execute("SELECT agent, target, base, path FROM file WHERE agent = ?", (agent,))
        return tuple(map(_entry, rows))

    def forget(self, entries: Iterable[LedgerEntry]) -> None:
        """Strike files that are gone from the ledger."""
        rows = [(entry.agent, entry.base, str(entry.path)) for entry in entries]
        with self.transaction():
            self._db.executemany("DELETE FROM file WHERE agent = ? AND base = ? AND path = ?", rows)


def open_store(folder: Path, *, read_only: bool = False) -> Store:
    """Open the state in ``folder``; it is made when there is none, unless ``read_only``.

    A damaged file is set aside with a remark: sessions are lost, and agents log in again. Raises ProvisionerError for
    a state that a newer version wrote, and with ``read_only`` where there is none.
    """
    path = folder / NAME
    if read_only:
        return _open_read_only(path)
    _make_private(folder)
    try:
        return Store(_connect(path))
    except sqlite3.DatabaseError:
        aside = _set_aside(path)
        what = "the state was damaged; agents are logged in again"
        return Store(_connect(path), [Problem(Place(str(path)), what, f"it is kept as {aside.name}", remark=True)])


def _connect(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    path.chmod(0o600)
    # A write-ahead log lets `plan` read meanwhile. FULL: the ledger knows of a file before a power cut can leave it.
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        _migrate(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        what = f"this state was written by a newer version (layout {version}, this one knows {VERSION})"
        raise ProvisionerError(Problem(Place(str(path)), what, "install that version again, or move the file away"))
    if version < 1:
        db.execute("BEGIN IMMEDIATE")
        for statement in _TABLES.split(";"):
            db.execute(statement)
        db.execute("INSERT INTO key VALUES (?)", (secrets.token_bytes(32),))
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    elif db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise sqlite3.DatabaseError("damaged")


def _open_read_only(path: Path) -> Store:
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        db.execute("SELECT key FROM key")
    except sqlite3.Error:
        raise ProvisionerError(Problem(Place(str(path)), "there is no state here", "nothing was applied yet")) from None
    return Store(db)


def _set_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return aside


def _entry(row: Sequence[str]) -> LedgerEntry:
    return LedgerEntry(row[0], row[1], row[2], PurePosixPath(row[3]))


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        fix = "create it for this user, or name another with `--state DIR`"
        raise ProvisionerError(Problem(Place(str(folder)), f"no state here: {error.strerror}", fix)) from None
