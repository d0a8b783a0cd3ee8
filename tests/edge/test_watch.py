"""Every way in which people and programs change files is noticed, on a real disk by real inotify."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from provisioner.edge.watch import Watch, watched
from tests.faults import ROOT, run_python
from tests.machine import PATIENCE

IN_OPEN, IN_CLOSE_NOWRITE = 0x20, 0x10  # inotify(7), sys/inotify.h


class Counter:
    """Counts the calls and lets a test wait for the next one."""

    def __init__(self) -> None:
        self.calls = 0
        self.at = 0.0
        self._event = asyncio.Event()

    def __call__(self, at: float) -> None:
        self.calls += 1
        self.at = at
        self._event.set()

    def forget(self) -> None:
        self._event.clear()

    async def next(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self._event.wait()
        self._event.clear()

    async def settled(self, root: Path) -> None:
        """Let everything that was done before be reported, by waiting for one change more."""
        self._event.clear()
        (root / "last").write_text("x")
        await self.next()
        (root / "last").unlink()
        await asyncio.to_thread(lambda: None)

    async def quiet(self) -> None:
        """Wait until all that was done before was reported: of half a rename, watchdog tells after half a second."""
        with suppress(TimeoutError):
            while True:
                self._event.clear()
                async with asyncio.timeout(0.7):
                    await self._event.wait()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "etc" / "softphone-provisioner"
    (root / "agents.d").mkdir(parents=True)
    (root / "provisioner.yaml").write_text("a: 1\n")
    (root / "agents.d" / "a.yaml").write_text("b: 1\n")
    return root


def follow(watch: Watch, counter: Counter, method: str = "inotify") -> None:
    """Follow, and forget that a new watch says that something may have changed before."""
    watch.follow(method, 0.05)
    counter.forget()


@asynccontextmanager
async def watching(root: Path, method: str = "inotify") -> AsyncIterator[tuple[Watch, Counter]]:
    counter = Counter()
    watch = Watch(root, counter)
    follow(watch, counter, method)
    try:
        yield watch, counter
    finally:
        watch.stop()


def in_place(path: Path) -> None:
    with path.open("r+") as file:
        file.write("c: 3\n")


def rename_over(path: Path) -> None:
    beside = path.with_name(path.name + ".tmp")
    beside.write_text("c: 3\n")
    beside.rename(path)


def rename_over_from_elsewhere(path: Path) -> None:
    elsewhere = path.parents[3] / "new"
    elsewhere.write_text("c: 3\n")
    elsewhere.rename(path)


def delete_and_create(path: Path) -> None:
    path.unlink()
    path.write_text("c: 3\n")


def backup_and_create(path: Path) -> None:
    path.rename(path.with_name(path.name + "~"))
    path.write_text("c: 3\n")


def symlink_swap(path: Path) -> None:
    new = path.with_name("..new")
    new.write_text("c: 3\n")
    link = path.with_name("..link")
    link.symlink_to(new.name)
    link.rename(path)


def only_the_mode(path: Path) -> None:
    path.chmod(0o640)


STYLES = [in_place, rename_over, rename_over_from_elsewhere, delete_and_create, backup_and_create, symlink_swap,
          Path.unlink, only_the_mode]  # fmt: skip


# Debian 12's watchdog does not look at modes when it polls; the slow check does.
WAYS = [("inotify", style) for style in STYLES] + [("polling", style) for style in STYLES if style is not only_the_mode]


@pytest.mark.parametrize("name", ["provisioner.yaml", "agents.d/a.yaml"])
@pytest.mark.parametrize(("method", "change"), WAYS, ids=lambda part: getattr(part, "__name__", part))
async def test_every_way_to_save_is_noticed(folder: Path, change: Callable[[Path], None], name: str, method: str):
    async with watching(folder, method) as (_, counter):
        change(folder / name)
        await counter.next()


@pytest.mark.parametrize("method", ["inotify", "polling"])
async def test_a_folder_that_appears_later_is_followed(folder: Path, method: str):
    shutil.rmtree(folder.parent)
    async with watching(folder, method) as (watch, counter):
        folder.mkdir(parents=True)
        await counter.next()
        follow(watch, counter, method)
        (folder / "provisioner.yaml").write_text("a: 2\n")
        await counter.next()


async def test_a_folder_below_that_comes_from_elsewhere_is_followed(folder: Path):
    (folder / "agents.d").rename(folder.parent / "elsewhere")
    async with watching(folder) as (watch, counter):
        (folder.parent / "elsewhere").rename(folder / "agents.d")
        await counter.quiet()
        follow(watch, counter)
        await counter.quiet()
        (folder / "agents.d" / "a.yaml").write_text("c: 3\n")
        await counter.next()


async def test_a_new_folder_below_is_followed(folder: Path):
    async with watching(folder) as (_, counter):
        (folder / "templates" / "acme").mkdir(parents=True)
        await counter.quiet()
        (folder / "templates" / "acme" / "manifest.yaml").write_text("x")
        await counter.next()


def away_and_back(agents: Path) -> None:
    agents.rename(agents.parents[1] / "away")
    (agents.parents[1] / "away").rename(agents)


def made_elsewhere(agents: Path) -> None:
    shutil.move(agents, agents.parents[1] / "away")
    shutil.copytree(agents.parents[1] / "away", agents.parents[1] / "new")
    (agents.parents[1] / "new").rename(agents)


def deleted_and_copied(agents: Path) -> None:
    shutil.copytree(agents, agents.parents[1] / "away")
    shutil.rmtree(agents)
    shutil.copytree(agents.parents[1] / "away", agents)
    shutil.rmtree(agents.parents[1] / "away")


@pytest.mark.parametrize("change", [away_and_back, made_elsewhere, deleted_and_copied])
async def test_a_folder_below_that_went_and_came_is_followed(folder: Path, change: Callable[[Path], None]):
    async with watching(folder) as (watch, counter):
        change(folder / "agents.d")
        await counter.quiet()
        follow(watch, counter)
        await counter.quiet()
        (folder / "agents.d" / "a.yaml").write_text("c: 3\n")
        await counter.next()


async def loses_count(agents: Path, counter: Counter) -> Path:
    """Have watchdog take the folder that is returned, which went, for another in its place, which went too."""
    away = agents.rename(agents.parents[1] / "away")
    await counter.quiet()
    agents.mkdir()
    await counter.quiet()
    agents.rmdir()
    await counter.quiet()
    return away


async def test_a_watch_that_ends_by_an_error_of_watchdogs_begins_anew(folder: Path):
    async with watching(folder) as (watch, counter):
        away = await loses_count(folder / "agents.d", counter)
        shutil.rmtree(away)
        await counter.next()
        follow(watch, counter)
        await counter.settled(folder)
        (folder / "provisioner.yaml").write_text("a: 2\n")
        await counter.next()


async def test_watchdog_may_have_lost_count_when_it_is_told_to_stop(folder: Path):
    async with watching(folder) as (watch, counter):
        await loses_count(folder / "agents.d", counter)
        watch.follow("polling", 60.0)


async def test_errors_of_other_threads_are_told_as_ever(folder: Path, monkeypatch: pytest.MonkeyPatch):
    told: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    before = threading.excepthook
    async with watching(folder):
        other = threading.Thread(target=lambda: 1 / 0)
        other.start()
        other.join()
    assert [one.exc_type for one in told] == [ZeroDivisionError]
    assert threading.excepthook is before


async def test_a_folder_that_is_deleted_and_made_anew_is_followed(folder: Path):
    async with watching(folder) as (watch, counter):
        for _ in range(3):
            shutil.rmtree(folder)
            await counter.next()
            follow(watch, counter)
            folder.mkdir()
            await counter.next()
            follow(watch, counter)
            (folder / "provisioner.yaml").write_text("a: 2\n")
            await counter.next()
            await counter.settled(folder)


async def test_a_link_to_the_folder_that_is_turned_elsewhere_is_followed(folder: Path, tmp_path: Path):
    link, other = tmp_path / "link", tmp_path / "other"
    shutil.copytree(folder, other)
    link.symlink_to(folder)
    async with watching(link) as (watch, counter):
        new = tmp_path / "new"
        new.symlink_to(other)
        new.rename(link)
        await counter.next()
        follow(watch, counter)
        await counter.settled(other)
        (other / "provisioner.yaml").write_text("a: 9\n")
        await counter.next()


async def test_a_file_elsewhere_that_a_link_leads_to_is_watched(folder: Path, tmp_path: Path):
    real = tmp_path / "checkout" / "agents.yaml"
    real.parent.mkdir()
    real.write_text("a: 1\n")
    (folder / "agents.d" / "b.yaml").symlink_to(real)
    async with watching(folder) as (_, counter):
        rename_over(real)
        await counter.next()


async def test_a_link_whose_end_the_kernel_does_not_look_for_is_no_error(folder: Path):
    link = folder / "agents.d" / "b.yaml"
    link.symlink_to("x" * 300)
    async with watching(folder) as (watch, counter):
        link.unlink()
        link.symlink_to("y" * 300)
        await counter.next()
        follow(watch, counter)


async def test_a_folder_elsewhere_that_a_link_leads_to_is_watched(folder: Path, tmp_path: Path):
    real = tmp_path / "checkout" / "acme"
    real.mkdir(parents=True)
    (folder / "templates").symlink_to(real.parent)
    async with watching(folder) as (_, counter):
        (real / "manifest.yaml").write_text("x")
        await counter.next()


async def test_reading_the_files_is_no_change(folder: Path):
    async with watching(folder) as (_, counter):
        await counter.settled(folder)
        before = counter.calls
        for _ in range(200):
            (folder / "provisioner.yaml").read_text()
            os.listdir(folder)
        # Events come in order: had the readings been changes, they would be counted before this one.
        await counter.settled(folder)
        assert counter.calls - before < 50


async def test_the_kernel_is_not_asked_to_tell_of_readings(folder: Path):
    async with watching(folder):
        lines = [line for file in Path("/proc/self/fdinfo").iterdir() for line in _lines(file) if "inotify wd" in line]
        masks = [int(line.partition("mask:")[2].split()[0], 16) for line in lines]
    assert masks and not any(mask & (IN_OPEN | IN_CLOSE_NOWRITE) for mask in masks)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except FileNotFoundError:  # the descriptor of this very look
        return []


async def test_a_change_is_as_old_as_it_is_however_busy_the_loop_was(folder: Path):
    async with watching(folder) as (_, counter):
        loop = asyncio.get_running_loop()
        before = loop.time()
        (folder / "provisioner.yaml").write_text("c: 3\n")
        busy_until = loop.time() + 1.0
        while loop.time() < busy_until:
            pass  # nobody else's turn, as in a long reading
        await counter.next()
        assert before < counter.at < busy_until - 0.1


def test_one_watch_is_enough_for_a_folder_without_links(folder: Path):
    (entry,) = watched(folder)
    assert (entry.folder, entry.names) == (os.path.realpath(folder), None)


POLLS = """
import asyncio, logging, sys
from pathlib import Path
from provisioner.edge.watch import Watch

async def main(root):
    noticed = asyncio.Event()
    watch = Watch(root, lambda at: noticed.set())
    watch.follow("inotify", 0.05)
    (root / "provisioner.yaml").write_text("c: 3\\n")
    async with asyncio.timeout(30):
        await noticed.wait()
    watch.stop()

logging.basicConfig(format="%(message)s")
asyncio.run(main(Path(sys.argv[1])))
"""


def test_where_inotify_cannot_be_used_it_polls_and_says_so(folder: Path):
    # A user namespace has limits of its own, so nobody else's watches suffer.
    none_left = 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", none_left, "sh", sys.executable, "-c", POLLS, folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "polling until a reload" in done.stderr


BACK = """
import asyncio, os, sys
from pathlib import Path
from provisioner.edge.watch import Watch

def instances():
    files = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
    return sum(os.path.lexists(file) and "inotify" in os.readlink(file) for file in files)

async def main(root):
    noticed = asyncio.Event()
    watch = Watch(root, lambda at: noticed.set())
    limit = Path("/proc/sys/user/max_inotify_instances")
    for again, most in ((False, 0), (False, 9), (True, 0), (True, 9)):
        limit.write_text(str(most))
        if again:
            watch.try_again()
        watch.follow("inotify", 0.05)
        print(instances())
    await asyncio.sleep(0)
    noticed.clear()
    (root / "provisioner.yaml").write_text("c: 3\\n")
    async with asyncio.timeout(30):
        await noticed.wait()
    watch.stop()

asyncio.run(main(Path(sys.argv[1])))
"""


def test_inotify_is_used_once_it_can_be_and_somebody_asks(folder: Path):
    assert run_python(BACK, folder, wrapper=("unshare", "--user", "--map-root-user")).split() == ["0", "0", "0", "1"]


FORBIDDEN = """
import asyncio, sys
from pathlib import Path
from provisioner.edge.watch import Watch

async def main(root, closed, method):
    noticed = asyncio.Event()
    watch = Watch(root, lambda at: noticed.set())
    watch.follow(method, 0.05)
    closed.chmod(0)
    watch.follow(method, 0.05)
    watch.look()
    watch.stop()
    watch.follow(method, 0.05)
    noticed.clear()
    closed.chmod(0o700)
    if method == "inotify":  # Debian's watchdog does not look at modes when it polls
        async with asyncio.timeout(30):
            await noticed.wait()
    watch.follow(method, 0.05)
    noticed.clear()
    (root / "provisioner.yaml").write_text("c: 3\\n")
    async with asyncio.timeout(30):
        await noticed.wait()
    watch.stop()

asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
"""


OPENED = """
import asyncio, sys
from contextlib import suppress
from pathlib import Path
from provisioner.edge.watch import Watch

async def main(root):
    noticed = asyncio.Event()
    watch = Watch(root, lambda at: noticed.set())

    async def quiet():
        with suppress(TimeoutError):
            while True:
                noticed.clear()
                async with asyncio.timeout(0.7):
                    await noticed.wait()
                watch.follow("inotify", 0.05)

    (root / "templates").mkdir(0)
    watch.follow("inotify", 0.05)
    await quiet()
    (root / "templates").chmod(0o700)
    await quiet()
    (root / "templates" / "x").write_text("x")
    async with asyncio.timeout(30):
        await noticed.wait()
    watch.stop()

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("method", ["inotify", "polling"])
@pytest.mark.parametrize("closed", [".", "..", "../elsewhere"])
def test_a_folder_that_may_not_be_looked_into_is_no_error(folder: Path, method: str, closed: str):
    (folder.parent / "elsewhere").mkdir()
    (folder / "agents.d" / "b.yaml").symlink_to(folder.parent / "elsewhere" / "b.yaml")
    plainly(FORBIDDEN, folder, (folder / closed).resolve(), method)


def test_a_folder_below_that_is_opened_only_after_it_came_is_followed(folder: Path):
    plainly(OPENED, folder)


def plainly(code: str, *arguments: object) -> None:
    """Run ``code`` without what lets root look everywhere."""
    command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"] if ROOT else []
    command += [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_link_that_becomes_a_file_while_it_is_looked_at_is_no_error(folder: Path):
    path, stop = folder / "agents.d" / "a.yaml", threading.Event()

    def swap() -> None:
        while not stop.is_set():
            symlink_swap(path)
            rename_over(path)

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for _ in range(3000):
            assert any(entry.names is None for entry in watched(folder))
    finally:
        stop.set()
        swapping.join()


async def test_a_folder_that_another_one_takes_the_place_of_is_found_by_looking(folder: Path):
    async with watching(folder) as (watch, counter):
        watch.look()
        shutil.copytree(folder, folder.with_name("new"))
        folder.rename(folder.with_name("old"))
        folder.with_name("new").rename(folder)
        assert counter.calls == 1  # when it began
        watch.look()
        await counter.next()
        follow(watch, counter)
        (folder / "provisioner.yaml").write_text("a: 2\n")
        await counter.next()
