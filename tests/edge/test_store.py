"""The state on a real disk: private, whole, one writer."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.core.parcel import Layout
from provisioner.core.pending import Reload
from provisioner.core.problem import ProvisionerError
from provisioner.core.secret import Secret
from provisioner.core.session import Attempt, HeldSession
from provisioner.edge.state_folder import lock_state, state_exists
from provisioner.edge.store import LedgerEntry, PreviousFile, Store, open_store
from tests.faults import ROOT, killed_at_each_call, on_small_disk
from tests.tries import TRIES

ODD = st.text(st.characters(exclude_categories=()), max_size=40)  # lone surrogates too
NUMBER = st.floats(0, 1e12)
SESSION = st.builds(HeldSession, ODD, ODD, ODD, st.builds(Secret, ODD), st.builds(Secret, ODD), ODD, NUMBER)
ATTEMPT = st.builds(Attempt, ODD, ODD, NUMBER, ODD, ODD, st.integers(0, 1 << 40), NUMBER)
MAYBE = st.none() | NUMBER
RELOADS = st.builds(
    Reload, ODD, ODD, ODD, MAYBE, st.integers(0, 99), st.integers(0, 99), st.none() | st.integers(-64, 255), ODD, MAYBE,
    st.booleans(), MAYBE, MAYBE, ODD, ODD, ODD, ODD,
)  # fmt: skip
ON_DISK = settings(max_examples=TRIES * 2 // 5)  # each example syncs files
ENTRY = LedgerEntry("marta", "linphone", "/home/marta", PurePosixPath(".config/linphone/linphonerc"))


@contextmanager
def opened(folder: Path, *, read_only: bool = False) -> Iterator[Store]:
    store = open_store(folder, read_only=read_only)
    try:
        yield store
    finally:
        store.close()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("by", ["deletion", "replacement"])
def test_a_state_that_is_lost_while_it_is_open_is_told(state: Path, by: str):
    with opened(state) as store:
        store.put_realm("marta", "asterisk")
        assert store.lost() == ()
        copy = state / "copy"
        copy.write_bytes((state / "state.sqlite").read_bytes())
        copy.replace(state / "state.sqlite") if by == "replacement" else shutil.rmtree(state)
        (problem,) = store.lost()
        assert str(problem.where) == str(state / "state.sqlite") and "restart" in problem.fix


# Private


def test_everything_is_for_its_owner_only(state: Path):
    previous = os.umask(0)
    try:
        with lock_state(state), opened(state) as store:
            store.put_realm("marta", "asterisk")
            modes = {path.name: mode(path) for path in state.iterdir()}
    finally:
        os.umask(previous)
    assert mode(state) == 0o700
    assert modes == dict.fromkeys(("state.sqlite", "state.sqlite-wal", "state.sqlite-shm", "lock"), 0o600)


def test_what_was_loosened_is_tightened(state: Path):
    with opened(state):
        pass
    state.chmod(0o755)
    (state / "state.sqlite").chmod(0o644)
    with opened(state):
        assert (mode(state), mode(state / "state.sqlite")) == (0o700, 0o600)


def test_an_empty_folder_is_taken_and_tightened(state: Path):
    state.mkdir(mode=0o755)
    with opened(state):
        assert mode(state) == 0o700


def test_a_folder_of_others_is_not_locked_up(state: Path):
    state.mkdir()
    state.chmod(0o1777)
    (state / "theirs").write_bytes(b"")
    for use in (lock_state(state).__enter__, lambda: open_store(state)):
        with pytest.raises(ProvisionerError, match="holds other things than the state"):
            use()
    assert mode(state) == 0o1777
    assert [path.name for path in state.iterdir()] == ["theirs"]


# One writer

HOLDER = """
import sys
from pathlib import Path
from provisioner.edge.state_folder import lock_state
with lock_state(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_and_told_what_to_do(state: Path):
    command = [sys.executable, "-c", HOLDER, str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout and other.stdout.readline() == b"held\n"
        with pytest.raises(ProvisionerError) as caught, lock_state(state):
            raise AssertionError("locked twice")
        other.kill()
        other.wait()
    assert str(caught.value).startswith(f"{state}: another provisioner runs with this state (use `provisioner reload`")
    with lock_state(state):
        pass


def test_a_lock_is_not_handed_to_commands(state: Path):
    with lock_state(state):
        left = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        with lock_state(state):
            pass
    finally:
        left.kill()
        left.wait()


def test_a_lock_ends_with_its_holder_though_a_command_was_just_beginning(state: Path):
    """Until it becomes the command, a new process has every file that its maker has."""
    with lock_state(state):
        beginning = os.fork()
        if beginning == 0:
            signal.pause()
    try:
        with lock_state(state):
            pass
    finally:
        os.kill(beginning, signal.SIGKILL)
        os.waitpid(beginning, 0)


def test_reading_goes_on_while_somebody_writes(state: Path):
    with opened(state) as writer:
        writer.put_realm("marta", "one")
        with opened(state, read_only=True) as reader:
            with writer.transaction():
                writer.put_realm("marta", "two")
                assert reader.realms() == {"marta": "one"}
                with opened(state, read_only=True) as second:
                    assert second.realms() == {"marta": "one"}
            assert reader.realms() == {"marta": "two"}


def test_a_reader_cannot_write(state: Path):
    with opened(state):
        pass
    with opened(state, read_only=True) as reader, pytest.raises(ProvisionerError, match="readonly"):
        reader.put_realm("marta", "asterisk")


def test_reading_needs_a_state(state: Path):
    assert not state_exists(state)
    with pytest.raises(ProvisionerError, match="there is no state here"):
        open_store(state, read_only=True)
    assert not state.exists()
    with opened(state):
        assert state_exists(state)


# Whole


@ON_DISK
@given(st.lists(SESSION, max_size=3), st.lists(ATTEMPT, max_size=3), st.dictionaries(ODD, ODD, max_size=3))
def test_whatever_was_remembered_is_there_after_a_restart(tmp_path_factory, sessions, attempts, realms):
    state = tmp_path_factory.mktemp("state")
    with opened(state) as store:
        key = store.key()
        with store.transaction():
            for session in sessions:
                store.put_session(session)
            for attempt in attempts:
                store.put_attempt(attempt)
            for agent, realm in realms.items():
                store.put_realm(agent, realm)
    with opened(state) as store:
        assert store.key() == key
        assert store.sessions() == {session.agent: session for session in sessions}
        assert store.attempts() == {attempt.agent: attempt for attempt in attempts}
        assert store.realms() == realms
        for session in sessions:
            store.drop_session(session.agent)
        for attempt in attempts:
            store.drop_attempt(attempt.agent)
        assert (store.sessions(), store.attempts()) == ({}, {})


def test_one_agent_is_forgotten_and_nobody_else(state: Path):
    with opened(state) as store:
        for agent in ("a", "b"):
            store.put_session(HeldSession(agent, "u", agent, Secret("{}"), Secret("t"), "m", 1.0))
            store.put_attempt(Attempt(agent, "m", 1.0, "refused", "c", 1))
        store.drop_session("a")
        store.drop_attempt("b")
        assert (set(store.sessions()), set(store.attempts())) == ({"b"}, {"a"})


def test_two_states_have_different_keys(tmp_path: Path):
    with opened(tmp_path / "one") as one, opened(tmp_path / "two") as two:
        assert one.key() != two.key()
        assert len(one.key()) == 32


@ON_DISK
@given(st.lists(st.builds(LedgerEntry, ODD, ODD, ODD, st.builds(PurePosixPath, ODD)), max_size=5))
def test_the_ledger_holds_the_last_owner_of_each_file(tmp_path_factory, entries):
    state = tmp_path_factory.mktemp("state")
    with opened(state) as store:
        store.record(entries)
    with opened(state) as store:
        assert set(store.recorded()) == set({(entry.base, entry.path): entry for entry in entries}.values())
        store.forget(entries[:1])
        assert {(e.base, e.path) for e in store.recorded()} == {(e.base, e.path) for e in entries} - {
            (e.base, e.path) for e in entries[:1]
        }


@ON_DISK
@given(st.lists(RELOADS, max_size=4))
def test_what_phones_are_to_be_told_survives_a_restart(tmp_path_factory, reloads):
    state = tmp_path_factory.mktemp("state")
    last = {(reload.agent, reload.folder): reload for reload in reloads}
    with opened(state) as store:
        for reload in reloads:
            store.put_reload(reload)
    with opened(state) as store:
        assert {(one.agent, one.folder): one for one in store.reloads()} == last
        for agent, folder in list(last)[:1]:
            store.drop_reload(agent, folder)
        assert len(store.reloads()) == max(0, len(last) - 1)


def previous(agent: str, name: str, content: bytes) -> PreviousFile:
    return PreviousFile(LedgerEntry(agent, "json", "/home", PurePosixPath("x") / name), content, 0o600)


def test_what_files_held_before_is_kept_for_each_target_alone(state: Path):
    one, other = Layout("/home", PurePosixPath("x"), ()), Layout("/home", PurePosixPath("y"), ())
    with opened(state) as store:
        store.keep_previous("a", one, [previous("a", "1", b"old"), previous("a", "2", b"\xff\0")])
        store.keep_previous("b", other, [previous("b", "3", b"b")])
        assert store.previous("a", one) == (previous("a", "1", b"old"), previous("a", "2", b"\xff\0"))
        store.keep_previous("a", one, [previous("a", "1", b"new")])
        assert store.previous("a", one) == (previous("a", "1", b"new"),)
        store.drop_previous("a", one)
        assert store.previous("a", one) == ()
        assert store.previous("b", other) == (previous("b", "3", b"b"),)
        store.forget([previous("b", "3", b"b").entry])
        assert store.previous("b", other) == ()


def test_what_files_held_is_not_shown():
    assert "old" not in repr(previous("a", "1", b"old"))


def test_a_transaction_happens_as_a_whole_or_not_at_all(state: Path):
    with opened(state) as store:
        with pytest.raises(ZeroDivisionError), store.transaction():
            store.put_realm("a", "1")
            with store.transaction():
                store.record([ENTRY])
            raise ZeroDivisionError
        assert (store.realms(), store.recorded()) == ({}, ())
        with store.transaction():
            store.put_realm("a", "1")
            store.record([ENTRY])
    with opened(state) as store:
        assert (store.realms(), store.recorded()) == ({"a": "1"}, (ENTRY,))


def remember(state: Path) -> None:
    with opened(state) as store, store.transaction():
        store.put_realm("a", "1")
        store.record([ENTRY])


def test_a_killed_writer_leaves_all_or_nothing(state: Path):
    kills, seen = 0, set()
    for _ in killed_at_each_call(lambda: remember(state)):
        kills += 1
        with opened(state) as store:
            assert store.remarks == ()
            found = (store.realms(), store.recorded())
            assert found in (({}, ()), ({"a": "1"}, (ENTRY,)))
            seen.add(found == ({}, ()))
            store.forget([ENTRY])
        for path in state.iterdir():
            path.unlink()
    assert kills > 15
    assert seen == {True, False}


# Damaged, foreign, unusable


def spoil_head(path: Path) -> None:
    path.write_bytes(b"no database at all" + path.read_bytes()[18:])


def spoil_pages(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + os.urandom(len(content) - 4096))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def drop_a_table(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE file")
    db.close()


def lose_the_key(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM key")
    db.close()


DAMAGE = [spoil_head, spoil_pages, cut_short, drop_a_table, lose_the_key]


@pytest.mark.parametrize("spoil", DAMAGE)
def test_a_damaged_state_is_set_aside_with_a_remark(state: Path, spoil: Callable[[Path], None]):
    with opened(state) as store:
        store.put_realm("a", "1")
    spoil(state / "state.sqlite")
    damaged = (state / "state.sqlite").read_bytes()
    with pytest.raises(ProvisionerError, match="the state is damaged"):
        open_store(state, read_only=True)
    for number in (1, 2):
        with opened(state) as store:
            (remark,) = store.remarks
            assert remark.remark
            assert str(remark).endswith(f"(it is kept as state.sqlite.damaged-{number})")
            assert store.realms() == {}
        aside = state / f"state.sqlite.damaged-{number}"
        assert mode(aside) == 0o600
        if number == 1:
            assert aside.read_bytes() == damaged
            (state / "state.sqlite").write_bytes(damaged)
    with opened(state) as store:
        assert store.remarks == ()


# What a release with the first layout left: a state that somebody upgrades keeps its sessions.
FIRST = """
CREATE TABLE key (key BLOB NOT NULL);
CREATE TABLE session (agent TEXT PRIMARY KEY, url TEXT NOT NULL, login TEXT NOT NULL, row TEXT NOT NULL,
                      token TEXT NOT NULL, password_mark TEXT NOT NULL, logged_in_at REAL NOT NULL);
CREATE TABLE attempt (agent TEXT PRIMARY KEY, password_mark TEXT NOT NULL, at REAL NOT NULL, kind TEXT NOT NULL,
                      cause TEXT NOT NULL, count INTEGER NOT NULL, retry_after REAL NOT NULL);
CREATE TABLE realm (agent TEXT PRIMARY KEY, realm TEXT NOT NULL);
CREATE TABLE file (base TEXT NOT NULL, path TEXT NOT NULL, agent TEXT NOT NULL, target TEXT NOT NULL,
                   PRIMARY KEY (base, path)) WITHOUT ROWID;
INSERT INTO key VALUES (x'0000000000000000000000000000000000000000000000000000000000000001');
INSERT INTO session VALUES (x'61', x'75', x'61', x'7b7d', x'74', x'6d', 1.0);
INSERT INTO file VALUES (x'2f686f6d652f61', x'78', x'61', x'6a736f6e');
PRAGMA user_version = 1;
"""
HELD = HeldSession("a", "u", "a", Secret("{}"), Secret("t"), "m", 1.0)
RELOAD = Reload("a", "/home/a/x", "json", 1.0, next_at=2.0)


def first_layout(state: Path) -> None:
    state.mkdir(mode=0o700)
    db = sqlite3.connect(state / "state.sqlite")
    db.executescript(FIRST)
    db.close()


def test_an_older_state_keeps_everything_when_it_is_opened(state: Path):
    first_layout(state)
    for _ in range(2):
        with opened(state) as store:
            assert store.remarks == ()
            assert store.sessions() == {"a": HELD} and store.key()[-1] == 1
            assert store.recorded() == (LedgerEntry("a", "json", "/home/a", PurePosixPath("x")),)
            store.put_reload(RELOAD)
            assert store.reloads() == (RELOAD,)


def test_an_older_state_can_be_looked_at_without_changing_it(state: Path):
    first_layout(state)
    with opened(state, read_only=True) as store:
        assert store.sessions() == {"a": HELD}
    with sqlite3.connect(state / "state.sqlite") as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
    db.close()


def test_an_older_state_that_is_damaged_is_set_aside_as_it_is(state: Path):
    first_layout(state)
    with sqlite3.connect(state / "state.sqlite") as db:
        db.execute("DROP TABLE attempt")
    db.close()
    with opened(state) as store:
        assert "was damaged" in str(store.remarks[0])
    with sqlite3.connect(state / "state.sqlite.damaged-1") as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'reload'").fetchone() == (0,)
    db.close()


def test_an_upgrade_that_is_cut_short_loses_nothing(state: Path):
    def upgrade() -> None:
        with opened(state):
            pass

    kills = 0
    first_layout(state)
    for _ in killed_at_each_call(upgrade):
        kills += 1
        with opened(state) as store:
            assert store.remarks == () and store.sessions() == {"a": HELD}
        for path in state.iterdir():
            path.unlink()
        state.rmdir()
        first_layout(state)
    assert kills > 5


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_layout_is_refused_and_left_alone(state: Path, read_only: bool):
    with opened(state):
        pass
    with sqlite3.connect(state / "state.sqlite") as db:
        db.execute("PRAGMA user_version = 4")
    db.close()
    before = (state / "state.sqlite").read_bytes()
    with pytest.raises(ProvisionerError, match=r"newer version \(layout 4, this one knows 3\)"):
        open_store(state, read_only=read_only)
    assert (state / "state.sqlite").read_bytes() == before


def test_a_state_that_another_program_holds_is_not_set_aside(state: Path):
    with opened(state) as store:
        store.put_realm("a", "1")
    other = sqlite3.connect(state / "state.sqlite", isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(ProvisionerError, match="the state cannot be used: database is locked"):
            open_store(state)
    finally:
        other.close()
    with opened(state) as store:
        assert (store.realms(), store.remarks) == ({"a": "1"}, ())


def as_link(path: Path) -> None:
    path.symlink_to("elsewhere")


def as_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("name", ["state.sqlite", "lock"])
@pytest.mark.parametrize("make", [as_link, as_folder])
def test_what_is_no_file_of_ours_is_refused(state: Path, name: str, make: Callable[[Path], None]):
    state.mkdir(mode=0o700)
    make(state / name)
    with pytest.raises(ProvisionerError, match=f"{name}: no state here"), lock_state(state):
        open_store(state)
    assert not (state / "elsewhere").exists()


def test_a_file_in_the_folders_place_is_refused(state: Path):
    state.write_bytes(b"")
    with pytest.raises(ProvisionerError, match="state: no state here"):
        open_store(state)


FULL = """
    import sys
    from pathlib import Path
    from provisioner.core.problem import ProvisionerError
    from provisioner.core.secret import Secret
    from provisioner.core.session import HeldSession
    from provisioner.edge.store import open_store
    folder = Path(sys.argv[1])
    folder.chmod(0o700)
    store = open_store(folder)
    store.put_realm("a", "1")
    def fill():
        for number in range(100):
            store.put_session(HeldSession(f"{number}", "u", "l", Secret("sentinel" * 2000), Secret(""), "m", 0.0))
    def fill_at_once():
        with store.transaction():
            fill()
    for action in (fill, fill_at_once):
        try:
            action()
            raise SystemExit("kept")
        except ProvisionerError as error:
            print(error)
        assert store.realms() == {"a": "1"}
    store.close()
"""


def test_a_full_disk_is_a_problem_that_can_be_survived(state: Path):
    state.mkdir()
    line = f"{state}/state.sqlite: the state cannot be used: database or disk is full (see disk, owner and mode)"
    assert on_small_disk(FULL, state, "300k").splitlines() == [line, line]


def test_no_secret_is_in_the_text_of_a_session():
    assert "sentinel" not in repr(HeldSession("a", "u", "a", Secret("sentinel"), Secret("sentinel"), "m", 0.0))


def test_a_state_of_somebody_else_is_said(state: Path):
    if not ROOT:
        with pytest.raises(ProvisionerError, match="no state here: Permission denied"):
            open_store(Path("/usr/provisioner"))
        return
    with opened(state):
        pass
    child = os.fork()
    if child == 0:
        try:
            os.chmod(state.parent, 0o755)
            os.setresuid(65534, 65534, 65534)
            for use in (lambda: open_store(Path("/provisioner")), lock_state(Path("/p")).__enter__):
                with pytest.raises(ProvisionerError, match="no state here: Permission denied"):
                    use()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
