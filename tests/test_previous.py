"""What files held before they were replaced: kept, brought back, forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from provisioner.core.parcel import Layout, Parcel, State
from provisioner.core.plan import DesiredFile
from provisioner.core.problem import ProvisionerError
from provisioner.cycle import Cycle
from provisioner.edge.people import own
from provisioner.edge.store import Store, open_store


class Desk:
    """A home with the files of one target."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.place = Layout(str(self.home), PurePosixPath("phone"), ())
        self.store: Store = open_store(folder / "state")
        self.cycle = Cycle(self.store, own())

    def parcel(self, keeps: bool = True, **contents: str) -> Parcel:
        files = (DesiredFile(PurePosixPath("phone") / name, text.encode()) for name, text in contents.items())
        return Parcel("phone", self.place, tuple(files), keeps)

    def bring(self, keeps: bool = True, **contents: str) -> State:
        (report,) = self.cycle.bring("ana", [self.parcel(keeps, **contents)]).targets
        return report.state

    def back(self) -> bool:
        return self.cycle.previous("ana", self.place, back=True)

    def files(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in (self.home / "phone").iterdir()}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.store.close()


def test_what_was_replaced_comes_back(desk: Desk):
    desk.bring(a="1", b="1")
    desk.bring(a="2", b="1")
    assert desk.back() and desk.files() == {"a": "1", "b": "1"}
    assert (desk.home / "phone/a").stat().st_mode & 0o777 == 0o600
    assert not desk.cycle.drifted("ana")


def test_what_came_back_is_still_kept_until_it_is_forgotten(desk: Desk):
    """A crash right after it must not lose it."""
    desk.bring(a="1")
    desk.bring(a="2")
    assert desk.back()
    desk.bring(keeps=False, a="2")
    assert desk.back() and desk.files() == {"a": "1"}
    assert not desk.cycle.previous("ana", desk.place, back=False)
    assert not desk.back()


def test_only_the_last_change_is_kept_and_nothing_of_what_did_not_change(desk: Desk):
    desk.bring(a="1", b="1")
    desk.bring(a="2", b="2")
    desk.bring(a="2", b="3")
    assert desk.back() and desk.files() == {"a": "2", "b": "2"}


def test_nothing_is_kept_unasked_and_nothing_before_the_first_files(desk: Desk):
    desk.bring(a="1")
    assert not desk.back()
    desk.bring(keeps=False, a="2")
    assert not desk.back() and desk.files() == {"a": "2"}


def test_an_unchanged_delivery_forgets_nothing(desk: Desk):
    desk.bring(a="1")
    desk.bring(a="2")
    assert desk.bring(a="2") is State.UNCHANGED
    assert desk.back() and desk.files() == {"a": "1"}


def test_a_removed_agent_has_nothing_to_come_back_to(desk: Desk):
    desk.bring(a="1")
    desk.bring(a="2")
    desk.cycle.remove("ana")
    assert not desk.back() and desk.files() == {}


def test_what_stands_in_the_way_is_said_and_left(desk: Desk):
    desk.bring(a="1")
    desk.bring(a="2")
    (desk.home / "phone/a").unlink()
    (desk.home / "phone/a").mkdir()
    with pytest.raises(ProvisionerError, match="folder stands where a file should be"):
        desk.back()


def test_nobody_gets_what_another_agents_files_held(desk: Desk):
    desk.bring(a="1")
    desk.bring(a="2")
    assert not desk.cycle.previous("beto", desk.place, back=True)
    assert desk.files() == {"a": "2"}


def test_a_look_beforehand_tells_what_would_change_and_changes_nothing(desk: Desk):
    folder = frozenset({desk.place.absolute})
    assert desk.cycle.would_renew([desk.parcel(a="1")]) == folder
    assert not (desk.home / "phone").exists()
    desk.bring(a="1")
    assert desk.cycle.would_renew([desk.parcel(a="1")]) == frozenset()
    assert desk.cycle.would_renew([desk.parcel(a="2"), Parcel("nothing", desk.place), Parcel("nowhere")]) == folder
    (desk.home / "phone/a").chmod(0o644)
    assert desk.cycle.would_renew([desk.parcel(a="1")]) == frozenset()
    (desk.home / "phone/a").unlink()
    assert desk.cycle.would_renew([desk.parcel(a="1")]) == folder
    (desk.home / "phone/a").mkdir()
    assert desk.cycle.would_renew([desk.parcel(a="1")]) == frozenset()  # the delivery says why it cannot be
