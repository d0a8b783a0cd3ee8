"""The state: one SQLite file that only its owner can read, written by one process at a time.

It holds sessions (with their secrets, as dangerous as the phones' own files), failed logins, proven realms, and the
ledger of every file that was ever written.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.secret import Secret
from provisioner.core.session import Attempt, HeldSession
from provisioner.edge.state_file import (
    LOCK,
    NAME,
    DamagedError,
    connect,
    connect_read_only,
    make_private,
    reported,
    set_aside,
    unusable,
)


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A file that we wrote, or were about to write: ``path`` below the folder ``base``."""

    agent: str
    target: str
    base: str
    path: PurePosixPath

    @property
    def absolute(self) -> str:
        """The whole path."""
        return f"{self.base.rstrip('/')}/{self.path}"


@contextmanager
def lock_state(folder: Path) -> Iterator[None]:
    """Hold the state for this process alone. Raises ProvisionerError when another one has it, it is another user's, or
    it cannot be had."""
    make_private(folder)
    uid = state_owner(folder)
    if uid != os.geteuid():
        # What root wrote here, its owner could not read any more.
        what, fix = "this state belongs to another user", f"run this as that user: `runuser -u '#{uid}' -- …`"
        raise ProvisionerError(Problem(Place(str(folder)), what, fix))
    with reported(folder / LOCK):
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
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
    """The state, open. Use it in one thread. Whatever it is asked raises ProvisionerError when the disk does not do it.

    Texts are kept as bytes: the platform may send what is no text of SQLite's (lone surrogates).
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, remarks: Sequence[Problem] = ()) -> None:
        self._db = connection
        self._path = path
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
        self._run("BEGIN IMMEDIATE")
        try:
            yield
            self._run("COMMIT")
        except BaseException:
            # SQLite has rolled back by itself where the disk was full.
            if self._db.in_transaction:
                self._run("ROLLBACK")
            raise

    def key(self) -> bytes:
        """Thirty-two random bytes of this state, for marks of passwords."""
        return bytes(self._run("SELECT key FROM key")[0][0])

    def put_session(self, session: HeldSession) -> None:
        """Remember a login."""
        texts = (session.agent, session.url, session.login, session.row.reveal(), session.token.reveal())
        rest = (_kept(session.password_mark), session.logged_in_at)
        self._run("INSERT OR REPLACE INTO session VALUES (?,?,?,?,?,?,?)", (*map(_kept, texts), *rest))

    def sessions(self) -> dict[str, HeldSession]:
        """All logins that were not ended, by agent."""
        columns = "agent, url, login, row, token, password_mark, logged_in_at"
        rows = self._run(f"SELECT {columns} FROM session")  # noqa: S608 - a constant
        return {session.agent: session for session in map(_session, rows)}

    def drop_session(self, agent: str) -> None:
        """Forget a login."""
        self._run("DELETE FROM session WHERE agent = ?", (_kept(agent),))

    def put_attempt(self, attempt: Attempt) -> None:
        """Remember a login that failed."""
        agent, mark = _kept(attempt.agent), _kept(attempt.password_mark)
        rest = (_kept(attempt.kind), _kept(attempt.cause), attempt.count, attempt.retry_after)
        self._run("INSERT OR REPLACE INTO attempt VALUES (?,?,?,?,?,?,?)", (agent, mark, attempt.at, *rest))

    def attempts(self) -> dict[str, Attempt]:
        """The last failure of each agent."""
        rows = self._run("SELECT agent, password_mark, at, kind, cause, count, retry_after FROM attempt")
        made = (Attempt(_text(r[0]), _text(r[1]), r[2], _text(r[3]), _text(r[4]), *r[5:]) for r in rows)
        return {attempt.agent: attempt for attempt in made}

    def drop_attempt(self, agent: str) -> None:
        """Forget an agent's failures."""
        self._run("DELETE FROM attempt WHERE agent = ?", (_kept(agent),))

    def put_realm(self, agent: str, realm: str) -> None:
        """Remember the realm that a server asked for; ``agent`` names the platform too (``Identity.at_platform``)."""
        self._run("INSERT OR REPLACE INTO realm VALUES (?,?)", (_kept(agent), _kept(realm)))

    def realms(self) -> dict[str, str]:
        """The realms that servers asked for, by agent."""
        return {_text(agent): _text(realm) for agent, realm in self._run("SELECT agent, realm FROM realm")}

    def record(self, entries: Iterable[LedgerEntry]) -> None:
        """Note files in the ledger, before they are made. A file has one entry: the last one that was noted."""
        with self.transaction():
            for entry in entries:
                texts = (entry.base, str(entry.path), entry.agent, entry.target)
                self._run("INSERT OR REPLACE INTO file VALUES (?,?,?,?)", tuple(map(_kept, texts)))

    def recorded(self) -> tuple[LedgerEntry, ...]:
        """The whole ledger."""
        rows = self._run("SELECT agent, target, base, path FROM file")
        return tuple(LedgerEntry(_text(a), _text(t), _text(b), PurePosixPath(_text(p))) for a, t, b, p in rows)

    def forget(self, entries: Iterable[LedgerEntry]) -> None:
        """Strike files that are gone from the ledger."""
        with self.transaction():
            for entry in entries:
                texts = (_kept(entry.base), _kept(str(entry.path)))
                self._run("DELETE FROM file WHERE base = ? AND path = ?", texts)

    def _run(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.OperationalError as error:
            raise unusable(self._path, error) from None


def open_store(folder: Path, *, read_only: bool = False) -> Store:
    """Open the state in ``folder``; it is made when there is none, unless ``read_only``.

    A damaged file is set aside with a remark: sessions are lost, and agents log in again. Raises ProvisionerError for
    a state that a newer version wrote, and with ``read_only`` where there is none.
    """
    path = folder / NAME
    if read_only:
        return _open_read_only(path)
    make_private(folder)
    try:
        return Store(connect(path), path)
    except DamagedError:
        aside = set_aside(path)
        what = "the state was damaged; agents are logged in again"
        return Store(connect(path), path, [Problem(Place(str(path)), what, f"it is kept as {aside.name}", remark=True)])


def state_owner(folder: Path) -> int:
    """The user whose state this is, and whom the service runs as. Raises ProvisionerError when we may not look."""
    with reported(folder):
        return folder.stat().st_uid


def state_exists(folder: Path) -> bool:
    """Is there a state in ``folder``? Raises ProvisionerError when we may not look."""
    with reported(folder):
        return (folder / NAME).exists()


def _open_read_only(path: Path) -> Store:
    try:
        return Store(connect_read_only(path), path)
    except DamagedError:
        what, fix = "the state is damaged", "the service sets it aside when it starts"
        raise ProvisionerError(Problem(Place(str(path)), what, fix)) from None


def _kept(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(kept: bytes) -> str:
    return kept.decode("utf-8", "surrogatepass")


def _session(row: Sequence[Any]) -> HeldSession:
    agent, url, login, answer, token, mark = map(_text, row[:6])
    return HeldSession(agent, url, login, Secret(answer), Secret(token), mark, row[6])
