"""The state: one SQLite file that only its owner can read, written by one process at a time.

It holds sessions (with their secrets, as dangerous as the phones' own files), failed logins, realms that servers asked
for, what phones are still to be told, ports of relays, the ledger of every file that was ever written, and what files
held before their last change where that may be wanted back.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

from provisioner.core.parcel import Layout
from provisioner.core.pending import Reload
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.secret import Secret
from provisioner.core.session import Attempt, HeldSession
from provisioner.edge.state_file import DamagedError, connect, connect_read_only, set_aside, unusable
from provisioner.edge.state_folder import NAME, make_private


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


_MOST_LATE = 10_000  # changes that are remembered until the disk takes them


@dataclass(frozen=True, slots=True)
class PreviousFile:
    """What a file of ours held before it was replaced."""

    entry: LedgerEntry
    content: bytes = field(repr=False)
    mode: int


class Store:
    """The state, open. Use it in one thread. Whatever it is asked raises ProvisionerError when the disk does not do it.

    Texts are kept as bytes: the platform may send what is no text of SQLite's (lone surrogates).
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, remarks: Sequence[Problem] = ()) -> None:
        self._db = connection
        self._path = path
        self._file = _file_at(path)
        self.remarks = tuple(remarks)
        self._late: deque[Callable[[Store], None]] = deque(maxlen=_MOST_LATE)
        self._why_late: tuple[Problem, ...] = ()

    def close(self) -> None:
        """Close the file, after the changes that are late, if the disk takes them now."""
        with suppress(ProvisionerError):
            if self._late:
                self.catch_up()
        self._db.close()

    def note(self, change: Callable[[Store], None]) -> None:
        """Make a ``change``, after those that are late. Raises ProvisionerError where they are made only later."""
        self._late.append(change)
        self.catch_up()

    def catch_up(self) -> None:
        """Make the changes that are late, in their order. Raises as ``note``."""
        try:
            with self.transaction():
                for change in self._late:
                    change(self)
        except ProvisionerError as error:
            self._why_late = error.problems
            raise
        self._late.clear()
        self._why_late = ()

    def lost(self) -> tuple[Problem, ...]:
        """Why the next start will not know what is noted here: the disk does not take it, or somebody deleted or
        replaced the file since it was opened. May be called in any thread."""
        if _file_at(self._path) == self._file:
            return self._why_late
        what = "this state was deleted or replaced while it was in use: what is kept now is lost at the next start"
        return (Problem(Place(str(self._path)), what, "restart the service: it logs agents in again and keeps that"),)

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

    def drop_realm(self, agent: str) -> None:
        """Forget the realm that a server asked for."""
        self._run("DELETE FROM realm WHERE agent = ?", (_kept(agent),))

    def put_reload(self, reload: Reload) -> None:
        """Remember what a phone is still to be told."""
        values = tuple(_kept(value) if isinstance(value, str) else value for value in astuple(reload))
        self._run(f"INSERT OR REPLACE INTO reload VALUES ({','.join('?' * len(values))})", values)  # noqa: S608

    def reloads(self) -> tuple[Reload, ...]:
        """All that phones are still to be told."""
        rows = self._run(f"SELECT {', '.join(_RELOAD_COLUMNS)} FROM reload")  # noqa: S608 - constants
        return tuple(map(_reload, rows))

    def drop_reload(self, agent: str, folder: str) -> None:
        """Forget what a phone was to be told."""
        self._run("DELETE FROM reload WHERE agent = ? AND folder = ?", (_kept(agent), _kept(folder)))

    def keep_previous(self, agent: str, place: Layout, files: Iterable[PreviousFile]) -> None:
        """Remember what the files of an agent's target held, in the place of what was remembered of it."""
        with self.transaction():
            self.drop_previous(agent, place)
            for file in files:
                entry = file.entry
                texts = (entry.base, str(entry.path), entry.agent, entry.target, str(place.folder))
                values = (*map(_kept, texts), file.content, file.mode)
                self._run("INSERT OR REPLACE INTO previous VALUES (?,?,?,?,?,?,?)", values)

    def previous(self, agent: str, place: Layout) -> tuple[PreviousFile, ...]:
        """What the files of an agent's target held before."""
        columns = "agent, target, base, path, content, mode"
        where = "agent = ? AND base = ? AND folder = ?"
        values = tuple(map(_kept, (agent, place.base, str(place.folder))))
        rows = self._run(f"SELECT {columns} FROM previous WHERE {where} ORDER BY path", values)  # noqa: S608 - constants
        return tuple(PreviousFile(_entry(row[:4]), row[4], row[5]) for row in rows)

    def drop_previous(self, agent: str, place: Layout) -> None:
        """Forget what the files of an agent's target held before."""
        values = tuple(map(_kept, (agent, place.base, str(place.folder))))
        self._run("DELETE FROM previous WHERE agent = ? AND base = ? AND folder = ?", values)

    def put_relay_port(self, agent: str, port: int) -> None:
        """Remember where an agent's relay listens: phones have it in their files. No other agent keeps that port."""
        self._run("INSERT OR REPLACE INTO relay VALUES (?,?)", (_kept(agent), port))

    def relay_ports(self) -> dict[str, int]:
        """Where relays listen, by agent."""
        if not self._run("SELECT 1 FROM sqlite_master WHERE name = 'relay'"):  # an older state, read only
            return {}
        return {_text(agent): port for agent, port in self._run("SELECT agent, port FROM relay")}

    def drop_relay_port(self, agent: str) -> None:
        """Forget where an agent's relay listened."""
        self._run("DELETE FROM relay WHERE agent = ?", (_kept(agent),))

    def record(self, entries: Iterable[LedgerEntry]) -> None:
        """Note files in the ledger, before they are made. A file has one entry: the last one that was noted."""
        with self.transaction():
            for entry in entries:
                texts = (entry.base, str(entry.path), entry.agent, entry.target)
                self._run("INSERT OR REPLACE INTO file VALUES (?,?,?,?)", tuple(map(_kept, texts)))

    def recorded(self) -> tuple[LedgerEntry, ...]:
        """The whole ledger."""
        rows = self._run("SELECT agent, target, base, path FROM file")
        return tuple(map(_entry, rows))

    def forget(self, entries: Iterable[LedgerEntry]) -> None:
        """Strike files that are gone from the ledger, with what they held before."""
        with self.transaction():
            for entry in entries:
                texts = (_kept(entry.base), _kept(str(entry.path)))
                self._run("DELETE FROM file WHERE base = ? AND path = ?", texts)
                self._run("DELETE FROM previous WHERE base = ? AND path = ?", texts)

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


def _file_at(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _open_read_only(path: Path) -> Store:
    try:
        return Store(connect_read_only(path), path)
    except DamagedError:
        what, fix = "the state is damaged", "the service sets it aside when it starts"
        raise ProvisionerError(Problem(Place(str(path)), what, fix)) from None


_RELOAD_COLUMNS = tuple(field.name for field in fields(Reload))


def _reload(row: Sequence[Any]) -> Reload:
    values = dict(zip(_RELOAD_COLUMNS, row, strict=True))
    texts = {name: _text(value) for name, value in values.items() if isinstance(value, bytes)}
    return Reload(**{**values, **texts, "held": bool(values["held"])})


def _entry(row: Sequence[Any]) -> LedgerEntry:
    agent, target, base, path = map(_text, row)
    return LedgerEntry(agent, target, base, PurePosixPath(path))


def _kept(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(kept: bytes) -> str:
    return kept.decode("utf-8", "surrogatepass")


def _session(row: Sequence[Any]) -> HeldSession:
    agent, url, login, answer, token, mark = map(_text, row[:6])
    return HeldSession(agent, url, login, Secret(answer), Secret(token), mark, row[6])
