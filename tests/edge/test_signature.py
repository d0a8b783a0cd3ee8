"""Whether a file changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioner.edge.signature import is_settled, signature, signatures_in

FUTURE = 9_000_000_000 * 10**9  # later than the time of the change of status, which nobody can set


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x"
    path.write_text("one")
    return path


def replace(path: Path) -> None:
    other = path.with_name("y")
    other.write_text("one")
    other.rename(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text("three"),
        lambda path: path.chmod(0o600),
        lambda path: os.utime(path, (1, 1)),
        replace,
    ],
)
def test_a_change_shows(file, change):
    file.chmod(0o644)
    before = signature(file.stat())
    change(file)
    assert signature(file.stat()) != before


def test_the_mode_is_a_part_of_it(file):
    """A clock that stands still must not hide that a file was opened to everybody."""
    status = file.stat()
    loose = os.stat_result((status.st_mode | 0o002, *status[1:]), {name: getattr(status, name) for name in _NAMES})
    assert signature(loose) != signature(status)


_NAMES = (
    "st_atime",
    "st_mtime",
    "st_ctime",
    "st_atime_ns",
    "st_mtime_ns",
    "st_ctime_ns",
    "st_blksize",
    "st_blocks",
    "st_rdev",
)


@pytest.mark.parametrize(("later", "settled"), [(-5, False), (0, False), (0.09, False), (0.11, True), (1e9, True)])
def test_a_file_settles_a_moment_after_its_last_change(file, later, settled):
    os.utime(file, ns=(1, FUTURE + 1))
    assert is_settled(signature(file.stat()), FUTURE / 1e9 + later) is settled


@pytest.mark.parametrize(("later", "settled"), [(-5, False), (0, False), (1.9, False), (2.1, True), (1e9, True)])
def test_where_only_whole_seconds_are_kept_a_file_settles_after_two(file, later, settled):
    os.utime(file, ns=(1, FUTURE))
    assert is_settled(signature(file.stat()), FUTURE / 1e9 + later) is settled


def test_a_time_that_was_set_back_does_not_settle_a_file(file):
    os.utime(file, (1, 1))
    assert not is_settled(signature(file.stat()), file.stat().st_ctime + 0.05)


def test_a_time_in_the_future_does_not_settle_a_file(file):
    os.utime(file, (9e9, 9e9))
    assert not is_settled(signature(file.stat()), file.stat().st_ctime + 100)


def test_everything_in_a_folder_is_looked_at_as_it_would_be_alone(tmp_path):
    (tmp_path / "b").write_text("two")
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    (tmp_path / "c").mkdir()
    seen = signatures_in(str(tmp_path))
    assert seen == {name: signature((tmp_path / name).stat()) for name in "abc"} | {"nowhere": b""}


def test_a_folder_that_is_none_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    for name in ("file", "missing"):
        with pytest.raises(OSError):
            signatures_in(str(tmp_path / name))
