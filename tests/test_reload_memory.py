"""Calls that somebody else than a command knows of put things off too."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import pytest

from provisioner.core.derive import Secrets
from provisioner.core.parcel import Home, Layout, Parcel, State
from provisioner.core.plan import DesiredFile
from provisioner.core.settings import ReloadPolicy
from provisioner.core.told_phones import Told
from provisioner.cycle import Cycle
from provisioner.edge.disk import staged_name
from provisioner.edge.people import own
from provisioner.edge.store import Store, open_store
from provisioner.hands import OwnHands
from provisioner.logins import Chances
from provisioner.reload_memory import Means
from provisioner.reloads import Reloads
from provisioner.seat import Seat
from provisioner.site import Served
from tests.examples import wanted

T = TypeVar("T")


async def _nothing() -> None:
    pass


@dataclass
class Desk:
    """One seat with one phone; ``calls`` says whether a call is up. ``on_the_way`` happens when it is decided that
    files come, and before they are there. ``behind`` is how many seconds the clock is late."""

    folder: Path
    store: Store
    calls: bool = False
    behind: float = 0.0
    on_the_way: Callable[[], Awaitable[None]] = _nothing
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    seat: Seat = field(init=False)
    reloads: Reloads = field(init=False)

    def __post_init__(self) -> None:
        self.seat = Seat(Served(wanted("ana"), Home("ana", str(self.folder)), Secrets()))
        self.place = Layout(str(self.folder), PurePosixPath("phone"), ())
        self.hands = OwnHands(Cycle(self.store, own()), _work)
        command = ("/bin/cp", str(self.file), str(self.folder / "told"))
        policy = ReloadPolicy(command, busy_every=0.05, first_retry=0.1, longest_retry=0.1)
        self.reloads = Reloads(
            Means(
                told=lambda _: {self.place.absolute: Told(self.place, policy)},
                hands=lambda _: self.hands,
                keep=self.keep,
                again=self.bring,
                spawn=self.spawn,
                chances=Chances(lambda: time.time() - self.behind, random.random),
                key=b"key",
                busy=lambda _: self.calls,
            )
        )

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        self.tasks.append(asyncio.create_task(work))
        return self.tasks[-1]

    async def keep(self, change: Callable[[Store], None]) -> None:
        change(self.store)

    async def bring(self, seat: Seat, text: bytes = b"new") -> None:
        parcel = Parcel("phone", self.place, (DesiredFile(PurePosixPath("phone/a"), text),))
        async with seat.delivering:
            decided = await self.reloads.memory.decide(seat, self.hands, [parcel])
            await self.on_the_way()
            brought = await self.hands.bring(seat.login, decided.parcels)
            await self.reloads.memory.delivered(seat, decided, brought.targets)
            self.held = dict(decided.held)
        self.reloads.wake(seat)

    @property
    def file(self) -> Path:
        return self.folder / "phone/a"


async def _work(call: Callable[[], T]) -> T:
    return call()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    store = open_store(tmp_path / "state")
    made = Desk(tmp_path, store)
    try:
        yield made
    finally:
        await made.reloads.stop()
        store.close()
    # In the service, an exception of one of them would be a bug that ends it.
    assert not [task for task in made.tasks if not task.cancelled() and task.exception()]


async def true(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - another task does it
            await asyncio.sleep(0.01)


async def test_a_call_that_is_known_of_holds_the_files_back(desk: Desk):
    desk.calls = True
    await desk.bring(desk.seat)
    assert desk.held == {desk.place.absolute: State.PENDING}
    await true(lambda: desk.seat.reloads[desk.place.absolute].busy_since is not None)
    assert not desk.file.exists()
    desk.calls = False
    await true(lambda: (desk.folder / "told").exists() and not desk.seat.reloads)
    assert desk.file.read_bytes() == b"new" and desk.store.reloads() == ()


async def test_without_a_call_they_come_at_once(desk: Desk):
    await desk.bring(desk.seat)
    assert desk.held == {} and desk.file.read_bytes() == b"new"
    assert desk.store.reloads()[0].since is not None  # remembered before the command is run
    await true(lambda: not desk.seat.reloads)


async def test_a_clock_that_is_set_back_while_a_try_waits_does_not_put_it_off(desk: Desk):
    in_the_way = desk.folder / "told/a"
    in_the_way.mkdir(parents=True)
    await desk.bring(desk.seat)
    await true(lambda: desk.seat.reloads[desk.place.absolute].count > 0)
    desk.behind = 7200.0
    in_the_way.rmdir()
    await true(lambda: not desk.seat.reloads)


async def test_the_phone_is_not_told_of_files_that_are_still_on_their_way(desk: Desk):
    await desk.bring(desk.seat, b"old")
    await true(lambda: not desk.seat.reloads)

    async def something_wakes_it() -> None:
        desk.reloads.wake(desk.seat)
        for _ in range(5):  # as long as it takes to run a command
            await desk.hands.run(["/bin/true"], 30.0)

    desk.on_the_way = something_wakes_it
    await desk.bring(desk.seat, b"new")
    await true(lambda: not desk.seat.reloads)
    assert (desk.folder / "told").read_bytes() == b"new"


async def test_files_that_did_not_come_are_told_to_nobody(desk: Desk):
    # What is staged has a name of its own; a folder there stands in its way, and no look beforehand sees it.
    (desk.folder / "phone").mkdir()
    (desk.folder / "phone" / staged_name("a")).mkdir()
    await desk.bring(desk.seat)
    assert not desk.file.exists() and not desk.seat.reloads and desk.store.reloads() == ()


async def test_a_phone_that_waits_can_be_stopped(desk: Desk):
    desk.calls = True
    await desk.bring(desk.seat)
    await true(lambda: desk.seat.reloads[desk.place.absolute].busy_since is not None)
    await desk.reloads.stop()
    assert all(task.done() for task in desk.tasks)


async def test_stopping_leaves_what_is_pending_in_the_state(desk: Desk):
    desk.calls = True
    await desk.bring(desk.seat)
    await desk.reloads.stop()
    (kept,) = desk.store.reloads()
    assert kept.held and kept.agent == "ana"
    seat = Seat(desk.seat.served)
    desk.calls = False
    await desk.reloads.take_up({"ana": seat})
    await true(lambda: not seat.reloads and (desk.folder / "told").exists())


async def test_what_nobody_is_told_of_any_more_is_forgotten(desk: Desk):
    desk.calls = True
    await desk.bring(desk.seat)
    await desk.reloads.stop()
    await desk.reloads.take_up({})
    assert desk.store.reloads() == ()
