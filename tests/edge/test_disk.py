"""Files on a real disk: whole or untouched, ours or nobody's."""

from __future__ import annotations

import os
import resource
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from provisioner.core.plan import Chmod, Create, DesiredFile, Keep, Kind, Step, Update
from provisioner.core.problem import ProvisionerError
from provisioner.edge import disk
from provisioner.edge.folders import AbsentError, DiskError, make_folders, open_base
from provisioner.edge.people import own
from provisioner.edge.signature import Signature
from tests.faults import (
    ROOT,
    as_plain_user,
    calls_of,
    failing_at_each_call,
    killed_at_each_call,
    meddled_with_at_each_call,
    on_small_disk,
)

OWN = own()


def path(name: str) -> PurePosixPath:
    return PurePosixPath(name)


def file(name: str, content: bytes = b"new\n", mode: int = 0o600, *, once: bool = False) -> DesiredFile:
    return DesiredFile(path(name), content, mode, once)


def deliver(folder: Path, *files: DesiredFile, owner: tuple[int, int] = OWN) -> tuple[Step, ...]:
    with open_base(str(folder)) as base:
        return disk.deliver(base, files, disk.observe(base, [file.path for file in files]), owner=owner)


def observe(folder: Path, name: str):
    with open_base(str(folder)) as base:
        return disk.observe(base, [path(name)])[path(name)]


def names(folder: Path) -> set[str]:
    """Everything below ``folder`` that is no folder."""
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_symlink() or not p.is_dir()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def said(caught: pytest.ExceptionInfo[ProvisionerError]) -> str:
    return str(caught.value)


# What ends on the disk


def test_files_and_folders_are_for_their_owner_only(tmp_path: Path):
    previous = os.umask(0)
    try:
        steps = deliver(tmp_path, file("a/b/one", b"1"), file("a/two", b"2"), file("three", b"3", 0o644))
    finally:
        os.umask(previous)
    assert steps == (Create(path("a/b/one")), Create(path("a/two")), Create(path("three")))
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == {
        "a/b/one": b"1", "a/two": b"2", "three": b"3",
    }  # fmt: skip
    assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/one", "a/two", "three")] == [
        0o700, 0o700, 0o600, 0o600, 0o644,
    ]  # fmt: skip


def test_a_tight_umask_takes_nothing_away(tmp_path: Path):
    previous = os.umask(0o077)
    try:
        deliver(tmp_path, file("page.js", mode=0o644))
    finally:
        os.umask(previous)
    assert mode(tmp_path / "page.js") == 0o644


def test_what_is_right_is_not_touched(tmp_path: Path):
    files = [file("a/one"), file("two", mode=0o640)]
    deliver(tmp_path, *files)
    before = [(tmp_path / str(f.path)).stat() for f in files]
    assert deliver(tmp_path, *files) == (Keep(path("a/one")), Keep(path("two")))
    after = [(tmp_path / str(f.path)).stat() for f in files]
    assert [(s.st_ino, s.st_mtime_ns, s.st_ctime_ns) for s in after] == [
        (s.st_ino, s.st_mtime_ns, s.st_ctime_ns) for s in before
    ]


def test_new_content_comes_as_a_new_file(tmp_path: Path):
    deliver(tmp_path, file("one", b"old"))
    with (tmp_path / "one").open("rb") as reading:
        assert deliver(tmp_path, file("one", b"new")) == (Update(path("one")),)
        assert reading.read() == b"old"
    assert (tmp_path / "one").read_bytes() == b"new"


@pytest.mark.parametrize("drifted", [0o666, 0o644, 0o400, 0o4600])
def test_a_mode_is_set_right_without_writing(tmp_path: Path, drifted: int):
    deliver(tmp_path, file("one"))
    (tmp_path / "one").chmod(drifted)
    before = (tmp_path / "one").stat()
    assert deliver(tmp_path, file("one")) == (Chmod(path("one"), 0o600),)
    after = (tmp_path / "one").stat()
    assert mode(tmp_path / "one") == 0o600
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_another_name_of_a_file_keeps_its_content_and_mode(tmp_path: Path):
    (tmp_path / "one").write_bytes(b"theirs")
    (tmp_path / "one").chmod(0o644)
    os.link(tmp_path / "one", tmp_path / "other")
    deliver(tmp_path, file("one", b"ours"))
    assert ((tmp_path / "other").read_bytes(), mode(tmp_path / "other")) == (b"theirs", 0o644)
    os.link(tmp_path / "one", tmp_path / "backup")
    (tmp_path / "one").chmod(0o644)
    assert deliver(tmp_path, file("one", b"ours")) == (Update(path("one")),)
    assert (mode(tmp_path / "one"), mode(tmp_path / "backup")) == (0o600, 0o644)


def test_a_file_that_is_too_large_to_be_ours_is_replaced_unread(tmp_path: Path):
    with (tmp_path / "one").open("wb") as huge:
        huge.truncate(1 << 40)
    assert observe(tmp_path, "one").content is None
    assert deliver(tmp_path, file("one")) == (Update(path("one")),)
    assert (tmp_path / "one").read_bytes() == b"new\n"


def test_the_largest_file_that_is_compared_is_compared(tmp_path: Path):
    largest = file("one", b"x" * disk.LARGEST)
    deliver(tmp_path, largest)
    assert deliver(tmp_path, largest) == (Keep(path("one")),)


def test_a_seed_is_written_once(tmp_path: Path):
    assert deliver(tmp_path, file("rc", b"seed", once=True)) == (Create(path("rc")),)
    (tmp_path / "rc").write_bytes(b"the phone's own")
    assert deliver(tmp_path, file("rc", b"another seed", once=True)) == (Keep(path("rc")),)
    assert (tmp_path / "rc").read_bytes() == b"the phone's own"


def test_mode_before_content_content_before_name_all_staged_then_renamed_in_order(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "z").mkdir()
    calls = calls_of(lambda: deliver(tmp_path, file("z/one"), file("a/two"), file("z/three")))
    steps = [call for call in calls if call in ("fchmod", "write", "fsync", "rename", "mkdir")]
    assert steps == ["fchmod", "write", "fsync"] * 3 + ["rename"] * 3 + ["fsync"] * 2


def test_new_folders_are_on_the_disk_with_what_is_in_them(tmp_path: Path):
    def changes(*files: DesiredFile) -> list[str]:
        return [call for call in calls_of(lambda: deliver(tmp_path, *files)) if call in ("mkdir", "fsync", "rename")]

    assert changes(file("a/b/one")) == ["mkdir", "mkdir", "fsync", "rename", *["fsync"] * 3]
    assert changes(file("a/b/two"), file("a/c/two")) == ["mkdir", *["fsync"] * 2, *["rename"] * 2, *["fsync"] * 3]
    assert changes(file("a/b/three")) == ["fsync", "rename", "fsync"]


def test_nothing_is_opened_for_writing_when_all_is_right(tmp_path: Path):
    deliver(tmp_path, file("a/one"))
    assert not {"fsync", "rename", "mkdir", "unlink", "write"} & set(calls_of(lambda: deliver(tmp_path, file("a/one"))))


def test_files_are_given_to_their_owner(tmp_path: Path):
    stranger = (12345, 23456)
    if not ROOT:
        with pytest.raises(DiskError, match="not permitted"):
            deliver(tmp_path, file("one"), owner=stranger)
        assert names(tmp_path) == set()
        return
    deliver(tmp_path, file("a/one", mode=0o640), owner=stranger)
    assert [(s.st_uid, s.st_gid) for s in ((tmp_path / name).stat() for name in ("a", "a/one"))] == [stranger] * 2
    assert deliver(tmp_path, file("a/one", mode=0o640), owner=stranger) == (Keep(path("a/one")),)
    assert deliver(tmp_path, file("a/one", mode=0o640)) == (Update(path("a/one")),)
    assert ((tmp_path / "a/one").stat().st_uid, mode(tmp_path / "a/one")) == (OWN[0], 0o640)


def test_a_file_that_we_cannot_read_is_replaced(tmp_path: Path):
    (tmp_path / "one").write_bytes(b"new\n")
    (tmp_path / "one").chmod(0)

    def replace(base: int) -> None:
        observed = disk.observe(base, [path("one")])
        assert observed[path("one")].content is None
        assert disk.deliver(base, [file("one")], observed, owner=own()) == (Update(path("one")),)

    as_plain_user(tmp_path, replace)
    assert ((tmp_path / "one").read_bytes(), mode(tmp_path / "one")) == (b"new\n", 0o600)


# What is in the way


def link(at: Path) -> None:
    at.symlink_to(at.parent.parent / "outside" / "precious")


def fifo(at: Path) -> None:
    os.mkfifo(at)


def folder(at: Path) -> None:
    at.mkdir()


def full_folder(at: Path) -> None:
    at.mkdir()
    (at / "something").write_bytes(b"theirs")


def unix_socket(at: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(at))


HOSTILE = [link, fifo, folder, full_folder, unix_socket]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder to deliver to; beside it is one that nothing may ever change."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").write_bytes(b"precious")
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def untouched(home: Path) -> bool:
    outside = home.parent / "outside"
    return names(outside) == {"precious"} and (outside / "precious").read_bytes() == b"precious"


@pytest.mark.parametrize("make", HOSTILE)
def test_what_is_no_file_is_never_written_through_or_replaced(home: Path, make: Callable[[Path], None]):
    make(home / "one")
    before = (home / "one").lstat()
    with pytest.raises(ProvisionerError, match=r"one: a .* stands where a file should be"):
        deliver(home, file("first"), file("one"))
    assert (home / "one").lstat() == before
    assert not (home / "first").exists()
    assert untouched(home)


@pytest.mark.parametrize("make", [link, fifo, unix_socket])
def test_whatever_stands_at_the_staged_name_is_removed_and_not_followed(home: Path, make: Callable[[Path], None]):
    make(home / disk.staged_name("one"))
    deliver(home, file("one"))
    assert names(home) == {"one"}
    assert untouched(home)


@pytest.mark.parametrize("make", [folder, full_folder])
def test_a_folder_at_the_staged_name_is_said_by_its_name(home: Path, make: Callable[[Path], None]):
    deliver(home, file("zero", b"old"))
    make(home / disk.staged_name("one"))
    with pytest.raises(DiskError) as caught:
        deliver(home, file("zero"), file("one"))
    assert said(caught) == ".one.provisioner-new: a folder stands in the way (move it away)"
    assert (home / "zero").read_bytes() == b"old"
    assert not (home / disk.staged_name("zero")).exists()


@pytest.mark.parametrize("wanted", [b"new\n", b"other"])
def test_what_a_crash_left_staged_is_removed_even_when_the_file_is_right(home: Path, wanted: bytes):
    deliver(home, file("one", wanted))
    (home / disk.staged_name("one")).write_bytes(b"half of a secr")
    deliver(home, file("one"))
    assert names(home) == {"one"}
    assert (home / "one").read_bytes() == b"new\n"


@pytest.mark.parametrize("where", ["deep", "deep/er"])
@pytest.mark.parametrize("leads_to", ["../outside", "/", "nowhere"])
def test_a_folder_that_became_a_link_leads_nowhere(home: Path, where: str, leads_to: str):
    if where == "deep/er":
        (home / "deep").mkdir()
        leads_to = f"../{leads_to}" if leads_to.startswith("..") else leads_to
    (home / where).symlink_to(leads_to)
    for action in (
        lambda: deliver(home, file("deep/er/precious")),
        lambda: observe(home, "deep/er/precious"),
        lambda: remove(home, "deep/er/precious"),
        lambda: make(home, "deep/er"),
    ):
        with pytest.raises(DiskError) as caught:
            action()
        assert said(caught).startswith(f"{where}: this is a symbolic link, which is not followed")
    assert untouched(home)


def test_a_file_in_a_folders_place_is_said(home: Path):
    (home / "deep").write_bytes(b"")
    with pytest.raises(DiskError, match="deep: something that is no folder stands in the way"):
        deliver(home, file("deep/one"))


def test_the_base_itself_may_be_a_link_for_it_is_the_administrators(home: Path):
    (home.parent / "alias").symlink_to("home")
    deliver(home.parent / "alias", file("one"))
    assert names(home) == {"one"}


def test_a_base_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(AbsentError, match="there is no such folder"), open_base(str(tmp_path / "nobody")):
        raise AssertionError("opened")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(DiskError, match="no folder stands in the way"), open_base(str(tmp_path / "fifo")):
        raise AssertionError("opened")


@pytest.mark.parametrize("name", ["x" * 255, "ñ" * 127, "𝄞" * 60])
def test_the_longest_names_can_be_staged_and_do_not_meet(tmp_path: Path, name: str):
    other = name[:-1] + "y"
    deliver(tmp_path, file(name, b"1"), file(other, b"2"))
    assert [(tmp_path / name).read_bytes(), (tmp_path / other).read_bytes()] == [b"1", b"2"]
    assert names(tmp_path) == {name, other}


def test_a_name_that_is_too_long_is_said(tmp_path: Path):
    with pytest.raises(DiskError, match="this name is too long"):
        deliver(tmp_path, file("x" * 256))


# Faults

OLD = (file("a/one", b"old one"), file("two", b"old two"), file("b/three", b"old three"))
NEW = (file("a/one", b"new one" * 999), file("two", b"new two", 0o640), file("b/three", b"new three"))


def contents(folder: Path) -> list[bytes]:
    return [(folder / str(file.path)).read_bytes() for file in OLD]


def test_each_file_is_whole_wherever_the_process_is_killed(tmp_path: Path):
    deliver(tmp_path, *OLD)
    (tmp_path / "two").chmod(0o666)
    kills = 0
    seen = set()
    for _ in killed_at_each_call(lambda: deliver(tmp_path, *NEW)):
        kills += 1
        found = contents(tmp_path)
        seen.add(sum(content == new.content for content, new in zip(found, NEW, strict=True)))
        for content, old, new in zip(found, OLD, NEW, strict=True):
            assert content in (old.content, new.content)
        for name in names(tmp_path) - {"two"}:
            assert mode(tmp_path / name) in (0o600, 0o640)
        deliver(tmp_path, *NEW)
        assert names(tmp_path) == {str(file.path) for file in NEW}
        assert contents(tmp_path) == [file.content for file in NEW]
        deliver(tmp_path, *OLD)
    assert kills > 40
    assert seen == {0, 1, 2, 3}


def test_all_files_are_old_or_all_are_new_wherever_the_disk_is_full(tmp_path: Path):
    deliver(tmp_path, *OLD)
    failures = 0
    for error in failing_at_each_call(lambda: deliver(tmp_path, *NEW)):
        if error:
            assert isinstance(error, OSError | DiskError)
            failures += 1
        assert not [name for name in names(tmp_path) if "provisioner-new" in name]
        found = contents(tmp_path)
        switched = [content == new.content for content, new in zip(found, NEW, strict=True)]
        # Names change one after another, in order; everything before that is all or none.
        assert switched == sorted(switched, reverse=True)
        deliver(tmp_path, *OLD)
    assert failures > 35


FULL = """
    import sys
    from pathlib import Path
    from provisioner.edge.folders import DiskError
    from tests.edge.test_disk import NEW, OLD, contents, deliver, file, names
    folder = Path(sys.argv[1])
    deliver(folder, *OLD)
    (folder / "ballast").write_bytes(b"x" * 30000)
    for content in (b"x" * 200_000, b"x" * 40_000):
        try:
            deliver(folder, file("two", b"small"), file("a/one", content), file("new/four"))
            raise SystemExit("delivered")
        except DiskError as error:
            print(error)
        assert contents(folder) == [file.content for file in OLD]
        assert names(folder) == {"ballast", *(str(file.path) for file in OLD)}
    (folder / "ballast").unlink()
    deliver(folder, *NEW)
    assert contents(folder) == [file.content for file in NEW]
"""


def test_a_full_disk_leaves_the_old_files_and_nothing_beside_them(tmp_path: Path):
    assert on_small_disk(FULL, tmp_path).splitlines() == [
        "a/one: the disk is full (make room; the last good files stay)"
    ] * 2  # fmt: skip


READ_ONLY = """
    import subprocess, sys
    from pathlib import Path
    from provisioner.core.plan import Keep
    from provisioner.edge.folders import DiskError
    from tests.edge.test_disk import NEW, OLD, contents, deliver, remove
    folder = Path(sys.argv[1])
    deliver(folder, *OLD)
    subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
    assert all(isinstance(step, Keep) for step in deliver(folder, *OLD))
    for action in (lambda: deliver(folder, *NEW), lambda: remove(folder, "two")):
        try:
            action()
            raise SystemExit("written")
        except DiskError as error:
            print(error)
    assert contents(folder) == [file.content for file in OLD]
"""


def test_a_read_only_disk_is_said_and_no_trouble_when_all_is_right(tmp_path: Path):
    assert on_small_disk(READ_ONLY, tmp_path).splitlines() == [
        "a/one: the file system is read-only (mount it writable, or add it to the unit's `ReadWritePaths=`)",
        "two: the file system is read-only (mount it writable, or add it to the unit's `ReadWritePaths=`)",
    ]


def test_a_limit_of_file_sizes_leaves_the_old_files(tmp_path: Path):
    deliver(tmp_path, *OLD)
    previous = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, previous[1]))
    try:
        with pytest.raises(DiskError, match="a/one: the file would be larger than this process may write"):
            deliver(tmp_path, *NEW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, previous)
        signal.signal(signal.SIGXFSZ, ignored)
    assert contents(tmp_path) == [file.content for file in OLD]
    assert names(tmp_path) == {str(file.path) for file in OLD}


def test_a_folder_that_we_may_not_write_is_said(tmp_path: Path):
    deliver(tmp_path, *OLD)
    (tmp_path / "a").chmod(0o500)

    def refused(base: int) -> None:
        observed = disk.observe(base, [file.path for file in NEW])
        with pytest.raises(DiskError, match="permission is denied") as caught:
            disk.deliver(base, NEW, observed, owner=own())
        assert "a/" in said(caught)

    as_plain_user(tmp_path, refused)
    assert contents(tmp_path) == [file.content for file in OLD]
    assert names(tmp_path) == {str(file.path) for file in OLD}


def test_descriptors_are_closed_whatever_happens(tmp_path: Path):
    deliver(tmp_path, *OLD)
    before = len(os.listdir("/proc/self/fd"))
    list(failing_at_each_call(lambda: deliver(tmp_path, *NEW, file("new/er/four"))))
    assert len(os.listdir("/proc/self/fd")) == before


def swap_folder_for_link(home: Path) -> None:
    (home / "a").rename(home / "moved")
    (home / "a").symlink_to("../outside")


def swap_file_for_link(home: Path) -> None:
    (home / "a" / "precious").unlink(missing_ok=True)
    (home / "a" / "precious").symlink_to("../../outside/precious")


def swap_file_for_fifo(home: Path) -> None:
    (home / "a" / "precious").unlink(missing_ok=True)
    os.mkfifo(home / "a" / "precious")


def stage_a_link(home: Path) -> None:
    (home / "a" / disk.staged_name("precious")).unlink(missing_ok=True)
    (home / "a" / disk.staged_name("precious")).symlink_to("../../outside/precious")


MEDDLING = [swap_folder_for_link, swap_file_for_link, swap_file_for_fifo, stage_a_link]


@pytest.mark.parametrize("meddle", MEDDLING)
@pytest.mark.parametrize("drift", [0o600, 0o644])
@pytest.mark.parametrize("content", [b"old", b"ours"])
def test_nobody_who_swaps_things_meanwhile_leads_us_astray(home: Path, meddle, drift: int, content: bytes):
    (home.parent / "outside" / "precious").chmod(0o640)
    (home / "a").mkdir()

    def begin() -> None:
        for left in [*home.glob("*/*"), *(path for path in home.iterdir() if path.is_symlink())]:
            if not left.resolve().is_relative_to(home.parent / "outside") or left.is_symlink():
                left.unlink()
        if (home / "moved").exists():
            (home / "moved").rename(home / "a")
        (home / "a" / "precious").write_bytes(b"ours")
        (home / "a" / "precious").chmod(drift)

    def act() -> None:
        deliver(home, file("a/precious", content))
        remove(home, "a/precious")

    begin()
    for error in meddled_with_at_each_call(act, lambda: meddle(home)):
        assert error is None or isinstance(error, ProvisionerError)
        assert untouched(home)
        assert mode(home.parent / "outside" / "precious") == 0o640
        begin()


# Removing


def remove(folder: Path, *names: str) -> None:
    with open_base(str(folder)) as base:
        disk.remove(base, [path(name) for name in names])


def make(folder: Path, name: str) -> None:
    with open_base(str(folder)) as base:
        make_folders(base, [path(name)], OWN)


def test_files_are_removed_with_what_was_staged_for_them(home: Path):
    deliver(home, file("a/one"), file("a/two"))
    (home / "a" / disk.staged_name("one")).write_bytes(b"left")
    (home / disk.staged_name("three")).write_bytes(b"left")
    (home / "a" / "theirs").write_bytes(b"")
    remove(home, "a/one", "absent", "absent/too", "three")
    assert names(home) == {"a/two", "a/theirs"}


def test_a_link_is_removed_and_not_what_it_leads_to(home: Path):
    link(home / "one")
    remove(home, "one")
    assert names(home) == set()
    assert untouched(home)


def test_a_folder_in_a_files_place_is_somebody_elses(home: Path):
    full_folder(home / "one")
    remove(home, "one")
    assert names(home) == {"one/something"}


def test_folders_are_made_for_their_owner_only(tmp_path: Path):
    make(tmp_path, "a/b")
    make(tmp_path, "a/b")
    assert [mode(tmp_path / name) for name in ("a", "a/b")] == [0o700, 0o700]
    (tmp_path / "a").chmod(0o755)
    make(tmp_path, "a/b")
    assert mode(tmp_path / "a") == 0o755


# Noticing and putting aside


def signature(folder: Path) -> Signature | None:
    with open_base(str(folder)) as base:
        return disk.signatures(base, [path("a/one")])[path("a/one")]


def edit(one: Path) -> None:
    one.write_bytes(b"xxx\n")


def back_date(one: Path) -> None:
    status = one.stat()
    one.write_bytes(b"xxx\n")
    os.utime(one, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace_it(one: Path) -> None:
    one.with_name("x").write_bytes(one.read_bytes())
    one.with_name("x").replace(one)


@pytest.mark.parametrize("change", [edit, back_date, replace_it, Path.unlink, lambda one: one.chmod(0o644)])
def test_whatever_is_done_to_a_file_changes_its_signature(tmp_path: Path, change: Callable[[Path], None]):
    deliver(tmp_path, file("a/one"))
    before = signature(tmp_path)
    assert before == signature(tmp_path) == observe(tmp_path, "a/one").signature
    change(tmp_path / "a/one")
    assert signature(tmp_path) != before


def test_what_is_not_there_has_no_signature(tmp_path: Path):
    assert signature(tmp_path) is None
    assert observe(tmp_path, "a/one").kind is Kind.ABSENT


def put_aside(folder: Path) -> str:
    with open_base(str(folder)) as base:
        return str(disk.put_aside(base, path("one")))


def test_what_was_there_before_keeps_its_content_under_another_name(tmp_path: Path):
    (tmp_path / "one").write_bytes(b"theirs")
    assert put_aside(tmp_path) == put_aside(tmp_path) == "one.before-provisioner"
    deliver(tmp_path, file("one"))
    assert (tmp_path / "one.before-provisioner").read_bytes() == b"theirs"
    (tmp_path / "one").write_bytes(b"theirs again")
    assert put_aside(tmp_path) == "one.before-provisioner-2"
    assert (tmp_path / "one.before-provisioner").read_bytes() == b"theirs"


def test_not_everything_is_kept_for_ever(tmp_path: Path):
    for number in range(9):
        (tmp_path / "one").unlink(missing_ok=True)
        (tmp_path / "one").write_bytes(b"%d" % number)
        put_aside(tmp_path)
    (tmp_path / "one").unlink()
    (tmp_path / "one").write_bytes(b"the tenth")
    with pytest.raises(DiskError, match="one: 9 files that were here before are kept already"):
        put_aside(tmp_path)


@pytest.mark.parametrize(("links", "after"), [(1, 0o600), (2, 0o644)])
def test_what_is_kept_is_private_unless_it_has_other_names(tmp_path: Path, links: int, after: int):
    (tmp_path / "one").write_bytes(b"theirs")
    (tmp_path / "one").chmod(0o644)
    if links == 2:
        os.link(tmp_path / "one", tmp_path / "other")
    with open_base(str(tmp_path)) as base:
        disk.make_private(base, path("one"))
    assert mode(tmp_path / "one") == after
