"""One login an agent and a reason, against the simulated platform, with the state on disk and a clock that obeys."""

import asyncio
import gc
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

from provisioner.core.attempt import LOGGED_OFF, NOT_THERE, REFUSED, TROUBLE
from provisioner.core.derive import Secrets
from provisioner.core.mark import password_mark
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.reason import Identity, Wanted
from provisioner.core.secret import Secret
from provisioner.core.session import Attempt, HeldSession
from provisioner.core.settings import LoginPolicy
from provisioner.demo.platform import (
    BUSY,
    ERROR,
    GARBAGE,
    OVERSIZE,
    REFUSAL,
    WEB_PAGE,
    Canned,
    Disconnect,
    Hold,
    LogOff,
    SimulatedAgent,
    SimulatedPlatform,
    serve,
)
from provisioner.edge.platform import LOGOFF
from provisioner.edge.store import Store, open_store
from provisioner.logins import Chances, Logins, describe
from provisioner.seat import Seat, seat_as_json
from provisioner.site import Served
from tests.examples import AGENT, PLATFORM, POLICY
from tests.machine import PATIENCE

PASSWORD = "S3cr3t-pw"
NOON = 1_000_000.0
# A wait ends after its seconds, though the clock stands still: of these none does before a test is over.
LONG = replace(POLICY, first_retry=1000.0, longest_retry=60_000.0)


@dataclass
class World:
    """A clock that stands still until it is set, and dice that fall as told (1.0 once they run out)."""

    now: float = NOON
    chances: list[float] = field(default_factory=list)

    def chance(self) -> float:
        return self.chances.pop(0) if self.chances else 1.0


@dataclass
class Desk:
    """Logins with all that they need; ``rendered`` are the agents whose files were due."""

    platform: SimulatedPlatform
    url: str
    store: Store
    world: World = field(default_factory=World)
    rendered: list[str] = field(default_factory=list)
    logins: Logins = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self, policy: LoginPolicy = POLICY) -> None:
        """As after a restart: nothing is known but what the state holds."""
        self.logins = Logins(Chances(lambda: self.world.now, self.world.chance), self.keep, self.render, lambda _: True)
        self.logins.use(policy)

    async def keep(self, change: Callable[[Store], None]) -> None:
        change(self.store)

    async def render(self, seat: Seat) -> None:
        self.rendered.append(seat.login)

    def served(self, login: str = "marta", password: str | None = PASSWORD, url: str = "", ca: str = "") -> Served:
        platform = replace(PLATFORM, url=url or self.url, ca_file=ca or None)
        mark = password_mark(b"key", Secret(f"{password} at {platform.url}")) if password else ""
        wanted = Wanted(Identity(platform.url, login, mark), replace(AGENT, login=login), platform, {})
        return Served(wanted, None, Secrets(Secret(password) if password else None))

    def seat(self, login: str = "marta", password: str | None = PASSWORD) -> Seat:
        """The seat of an agent, with what the state remembers."""
        seat = Seat(self.served(login, password), self.store.sessions().get(login), self.store.attempts().get(login))
        self.logins.resume(seat)
        return seat

    def begin(self, seat: Seat) -> asyncio.Task[None]:
        seat.task = asyncio.create_task(self.logins.keep_logged_in(seat))
        return seat.task

    async def settle(self, seat: Seat) -> None:
        """Until there is nothing more to do for this seat."""
        await (seat.task if seat.task and not seat.task.done() else self.logins.keep_logged_in(seat))

    async def tried(self, seat: Seat) -> None:
        await seat.tried.wait()
        seat.tried.clear()

    async def nobody(self, login: str) -> None:
        """Nobody logs in as ``login`` now: a bystander does so meanwhile, and is let in first."""
        before = self.platform.logins.count(login)
        bystander = Seat(self.served("bystander"))
        task = self.begin(bystander)
        await self.tried(bystander)
        task.cancel()
        assert self.platform.logins.count(login) == before

    async def at(self, time: float, seat: Seat) -> None:
        """Set the clock, and let the login task look at it."""
        self.world.now = time
        seat.changed.set()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    platform = SimulatedPlatform([SimulatedAgent(login, PASSWORD, f"1{n}") for n, login in enumerate(NAMES)])
    platform.put(BYSTANDER)
    store = open_store(tmp_path / "state")
    give_up = asyncio.get_running_loop().call_later(PATIENCE, cancel_everything)
    try:
        async with serve(platform) as url:
            made = Desk(platform, url, store)
            yield made
            await made.logins.close()
    finally:
        give_up.cancel()
        store.close()


def cancel_everything() -> None:
    """The end of a test that waits for what does not come."""
    for task in asyncio.all_tasks():
        task.cancel()


NAMES = ["marta", "pedro", "ana", "luis", "rosa", "juan"]
BYSTANDER = SimulatedAgent("bystander", PASSWORD, "99")


def change(seat: Seat, served: Served, desk: Desk) -> None:
    """As a reload does it."""
    seat.served = served
    desk.logins.resume(seat)
    seat.changed.set()


# One login, one reason


async def test_an_agent_is_logged_in_once(desk):
    seat = desk.seat()
    await desk.settle(seat)
    assert seat.holds
    for _ in range(3):
        await desk.settle(seat)
    assert desk.platform.logins == ["marta"]
    assert desk.rendered == ["marta"]
    assert seat.tried.is_set()


async def test_the_session_survives_a_restart(desk):
    await desk.settle(desk.seat())
    (session,) = desk.store.sessions().values()
    assert (session.agent, session.url, session.login, session.logged_in_at) == ("marta", desk.url, "marta", NOON)
    desk.start()
    seat = desk.seat()
    assert seat.holds
    await desk.settle(seat)
    assert desk.platform.logins == ["marta"]


async def test_without_password_nobody_logs_in(desk):
    await desk.settle(desk.seat(password=None))
    assert desk.platform.logins == []


async def test_a_password_that_cannot_be_read_now_ends_no_session(desk):
    seat = desk.seat()
    await desk.settle(seat)
    change(seat, desk.served(password=None), desk)
    await desk.settle(seat)
    change(seat, desk.served(), desk)
    await desk.settle(seat)
    assert desk.platform.logins == ["marta"]
    assert desk.platform.available == {"marta"}


async def test_a_new_password_is_a_reason(desk):
    seat = desk.seat()
    await desk.settle(seat)
    desk.platform.put(SimulatedAgent("marta", "new", "10"))
    change(seat, desk.served(password="new"), desk)
    assert not seat.holds
    await desk.settle(seat)
    assert desk.platform.logins == ["marta", "marta"]
    assert desk.store.sessions()["marta"].password_mark == seat.identity.password_mark


async def test_a_refresh_is_one_more_login(desk):
    seat = desk.seat()
    await desk.settle(seat)
    first = seat.session
    seat.renew = True
    await desk.settle(seat)
    await desk.settle(seat)
    assert len(desk.platform.logins) == 2
    assert first is not None
    assert seat.session is not None
    assert seat.session.token != first.token
    assert not seat.renew


async def test_a_refresh_that_is_asked_for_while_a_login_ends_is_waited_for(desk):
    seat, tried = desk.seat(), list[bool]()

    async def render(seat: Seat) -> None:
        tried.append(seat.tried.is_set())
        seat.renew = len(tried) == 1

    desk.logins = Logins(Chances(lambda: NOON, desk.world.chance), desk.keep, render, lambda _: True)
    desk.logins.use(POLICY)
    await desk.settle(seat)
    assert tried == [False, False] and seat.tried.is_set()
    assert desk.platform.logins == ["marta", "marta"]


# Refused


@pytest.mark.parametrize("answer", [REFUSAL, Canned(401), Canned(403)])
async def test_a_refusal_is_final(desk, answer):
    desk.platform.answer_next("marta", answer)
    seat = desk.seat()
    await desk.settle(seat)
    for hours in (1, 24, 24 * 365):
        await desk.at(NOON + hours * 3600, seat)
        await desk.settle(seat)
    assert desk.platform.logins == ["marta"]
    assert seat.attempt is not None
    assert (seat.attempt.kind, seat.attempt.count, seat.attempt.at, seat.next_at) == (REFUSED, 1, NOON, None)
    assert desk.rendered == []


async def test_a_refusal_is_final_across_restarts(desk):
    await desk.settle(desk.seat(password="wrong"))
    for _ in range(3):
        desk.start()
        await desk.settle(desk.seat(password="wrong"))
    assert desk.platform.logins == ["marta"]


async def test_a_refusal_ends_with_the_settings_that_it_was_for(desk):
    seat = desk.seat(password="wrong")
    await desk.settle(seat)
    change(seat, desk.served(), desk)
    await desk.settle(seat)
    assert seat.holds
    assert seat.attempt is None
    assert desk.store.attempts() == {}
    assert desk.platform.logins == ["marta", "marta"]


async def test_new_settings_count_after_a_restart_as_well(desk):
    await desk.settle(desk.seat(password="wrong"))
    desk.start()
    seat = desk.seat()
    await desk.settle(seat)
    assert seat.holds


async def test_a_password_that_was_refused_stays_so_when_it_could_not_be_read_meanwhile(desk):
    seat = desk.seat(password="wrong")
    await desk.settle(seat)
    change(seat, desk.served(password=None), desk)
    change(seat, desk.served(password="wrong"), desk)
    await desk.settle(seat)
    desk.start()
    seat = desk.seat(password=None)
    change(seat, desk.served(password="wrong"), desk)
    await desk.settle(seat)
    assert desk.platform.logins == ["marta"]


# Trouble


@pytest.mark.parametrize("answer", [ERROR, Canned(500), Canned(502), GARBAGE, OVERSIZE, Canned(), Disconnect()])
async def test_trouble_is_retried_with_growing_patience(desk, answer):
    desk.start(LONG)
    desk.platform.answer_next("marta", answer, times=4)
    seat = desk.seat()
    task = desk.begin(seat)
    due = NOON
    for patience in (1000.0, 2000.0, 4000.0, 8000.0):
        await desk.tried(seat)
        assert seat.attempt is not None
        assert (seat.attempt.kind, seat.attempt.at, seat.next_at) == (TROUBLE, due, due + patience)
        await desk.at(due + patience - 500, seat)
        await desk.nobody("marta")
        due += patience
        await desk.at(due, seat)
    await task
    assert seat.holds
    assert seat.attempt is None
    assert desk.store.attempts() == {}
    assert desk.platform.logins.count("marta") == 5
    assert desk.rendered.count("marta") == 1


async def test_the_patience_is_jittered_in_full(desk):
    desk.platform.answer_next(None, ERROR, times=2)
    desk.world.chances = [0.25, 0.0]
    seat = desk.seat()
    task = desk.begin(seat)
    await desk.tried(seat)
    assert seat.next_at == NOON + 0.25
    await desk.at(NOON + 0.25, seat)
    await task
    assert seat.holds
    assert len(desk.platform.logins) == 3


async def test_retry_after_is_obeyed_also_after_a_restart(desk):
    desk.platform.answer_next(None, Canned(503, headers={"Retry-After": "30"}))
    desk.world.chances = [0.5]
    seat = desk.seat()
    task = desk.begin(seat)
    await desk.tried(seat)
    assert seat.next_at == NOON + 30.5
    task.cancel()
    desk.start()
    desk.world.chances = [0.0]
    again = desk.seat()
    assert again.next_at == NOON + 30.0


async def test_failures_are_counted_across_restarts(desk):
    desk.platform.answer_next(None, ERROR, times=2)
    for count in (1, 2):
        seat = desk.seat()
        task = desk.begin(seat)
        await desk.at(NOON + 100 * count, seat)
        await desk.tried(seat)
        assert seat.attempt is not None
        assert seat.attempt.count == count
        task.cancel()
        desk.start()


@pytest.mark.parametrize("edited", [False, True])
async def test_a_clock_that_is_set_back_while_a_try_waits_does_not_put_it_off(desk, edited):
    desk.start(replace(POLICY, first_retry=0.1, longest_retry=0.1))
    desk.platform.answer_next("marta", ERROR)
    seat = desk.seat()
    desk.begin(seat)
    await desk.tried(seat)
    desk.world.now = NOON - 7200
    if edited:
        seat.changed.set()
    await desk.settle(seat)
    assert desk.platform.logins == ["marta", "marta"] and seat.holds


async def test_a_clock_that_was_ahead_at_the_login_does_not_put_the_refresh_off(desk):
    desk.start(replace(POLICY, refresh_every=60.0, longest_retry=0.1))
    desk.world.now = NOON + 1e9
    seat = desk.seat()
    task = desk.begin(seat)
    await desk.tried(seat)
    await desk.at(NOON, seat)
    await desk.nobody("marta")
    await desk.at(NOON + 61, seat)
    await desk.tried(seat)
    assert desk.platform.logins.count("marta") == 2
    task.cancel()


async def test_those_whom_the_platform_named_the_same_time_do_not_come_back_together(desk):
    desk.start(replace(POLICY, first_retry=0.2, longest_retry=0.2, at_once=1))
    desk.world.chances = [1.0, 0.0]
    for login in ("marta", "pedro"):
        mark = desk.served(login).wanted.identity.password_mark
        desk.store.put_attempt(Attempt(login, mark, NOON, TROUBLE, "", 1, retry_after=0.2))
    tasks = [desk.begin(desk.seat(login)) for login in ("marta", "pedro")]
    await asyncio.gather(*tasks)
    assert desk.platform.logins == ["pedro", "marta"]


async def test_a_clock_that_was_ahead_does_not_put_the_next_try_off(desk):
    desk.store.put_attempt(Attempt("marta", desk.served().wanted.identity.password_mark, NOON + 1e9, TROUBLE, "", 50))
    assert desk.seat().next_at == NOON + POLICY.longest_retry


@pytest.mark.parametrize("answer", [Canned(404), WEB_PAGE])
async def test_what_is_not_there_is_asked_for_slowly(desk, answer):
    desk.platform.answer_next(None, answer)
    desk.world.chances = [0.0]
    seat = desk.seat()
    task = desk.begin(seat)
    await desk.tried(seat)
    assert seat.attempt is not None
    assert (seat.attempt.kind, seat.next_at) == (NOT_THERE, NOON + POLICY.longest_retry / 2)
    await desk.at(NOON + POLICY.longest_retry, seat)
    await task
    assert seat.holds


async def test_trouble_that_ends_in_a_refusal_ends(desk):
    desk.platform.answer_next(None, ERROR)
    desk.platform.answer_next(None, REFUSAL)
    seat = desk.seat()
    task = desk.begin(seat)
    await desk.tried(seat)
    await desk.at(NOON + 60, seat)
    await task
    assert seat.attempt is not None
    assert (seat.attempt.kind, seat.attempt.count) == (REFUSED, 2)


async def test_new_settings_do_not_wait_for_the_old_ones(desk):
    desk.platform.answer_next(None, Canned(503, headers={"Retry-After": "3600"}))
    seat = desk.seat(password="wrong")
    task = desk.begin(seat)
    await desk.tried(seat)
    change(seat, desk.served(), desk)
    await task
    assert seat.holds


async def test_a_ca_file_that_cannot_be_read_is_trouble_until_it_can(desk, tmp_path):
    authority, path = trustme.CA(), tmp_path / "ca.pem"
    tls = ssl_of(authority)
    async with serve(desk.platform, tls) as url:
        seat = Seat(desk.served(url=url, ca=str(path)))
        task = desk.begin(seat)
        await desk.tried(seat)
        assert seat.attempt is not None
        assert seat.attempt.kind == TROUBLE
        assert "ca.pem" in seat.attempt.cause
        trustme.CA().cert_pem.write_to_path(path)
        await desk.at(NOON + 10, seat)
        await desk.tried(seat)
        assert "certificate" in seat.attempt.cause
        path.unlink()
        authority.cert_pem.write_to_path(path)
        await desk.at(NOON + 20, seat)
        await task
        assert seat.holds


async def test_what_no_seat_uses_any_more_is_closed(desk, tmp_path):
    authority, path = trustme.CA(), tmp_path / "ca.pem"
    async with serve(desk.platform, ssl_of(authority)) as url:
        seat = Seat(desk.served(url=url, ca=str(path)))
        for number in range(3):
            path.write_bytes(authority.cert_pem.bytes() + b"\n" * number)
            seat.renew, seat.next_at = True, 0.0
            await desk.settle(seat)
            assert seat.attempt is None and clients() == 1
        desk.platform.answer_next("marta", Hold())
        path.write_bytes(authority.cert_pem.bytes() + b"\n" * 9)
        seat.renew, seat.next_at = True, 0.0
        task = desk.begin(seat)
        await desk.platform.arrived(4)
        await desk.settle(desk.seat("pedro"))  # at the other address
        assert clients() == 2, "nothing under way is cut short"
        desk.platform.release()
        await task
        assert seat.attempt is None and clients() == 1
    await desk.logins.close()
    assert clients() == 0


def clients() -> int:
    """HTTP clients of this process that are open."""
    return sum(isinstance(one, aiohttp.ClientSession) and not one.closed for one in gc.get_objects())


def ssl_of(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def test_who_is_waited_for_is_tried_once(desk):
    desk.logins = Logins(Chances(lambda: NOON, lambda: 0.0, hurry=True), desk.keep, desk.render, lambda _: True)
    desk.logins.use(POLICY)
    desk.platform.answer_next(None, ERROR)
    seat = desk.seat()
    await desk.settle(seat)
    assert desk.platform.logins == ["marta"]
    assert seat.attempt is not None and seat.attempt.kind == TROUBLE
    assert "next_at" not in login_of(seat)


# The periodic refresh


async def test_a_session_is_refreshed_when_it_is_old(desk):
    desk.start(replace(LONG, refresh_every=10_000.0))
    seat = desk.seat()
    task = desk.begin(seat)
    for round_ in range(3):
        await desk.tried(seat)
        assert seat.session is not None
        assert seat.session.logged_in_at == NOON + 10_000 * round_
        await desk.at(NOON + 10_000 * round_ + 9900, seat)
        await desk.nobody("marta")
        await desk.at(NOON + 10_000 * (round_ + 1), seat)
    await desk.tried(seat)
    task.cancel()
    assert desk.platform.logins.count("marta") == 4


async def test_a_failing_refresh_does_not_hammer_and_keeps_the_session(desk):
    desk.start(replace(LONG, refresh_every=10_000.0))
    seat = desk.seat()
    task = desk.begin(seat)
    await desk.tried(seat)
    held = seat.session
    desk.platform.answer_next("marta", ERROR, times=2)
    await desk.at(NOON + 10_000, seat)
    await desk.tried(seat)
    assert (seat.session, seat.holds, seat.next_at) == (held, True, NOON + 11_000)
    for moment in (10_000, 10_100, 10_900):
        await desk.at(NOON + moment, seat)
        await desk.nobody("marta")
    await desk.at(NOON + 11_000, seat)
    await desk.tried(seat)
    assert seat.attempt is not None
    assert (seat.attempt.at, seat.next_at) == (NOON + 11_000, NOON + 13_000)
    await desk.nobody("marta")
    await desk.at(NOON + 13_000, seat)
    await desk.tried(seat)
    task.cancel()
    assert seat.attempt is None
    assert seat.session != held
    assert desk.platform.logins.count("marta") == 4


@pytest.mark.parametrize("by_command", [True, False])
async def test_a_refused_refresh_is_final_and_keeps_the_session(desk, by_command):
    desk.start(replace(POLICY, refresh_every=100.0))
    seat = desk.seat()
    task = desk.begin(seat)
    await desk.tried(seat)
    desk.platform.answer_next(None, REFUSAL)
    if by_command:
        seat.renew = True
        seat.changed.set()
    else:
        await desk.at(NOON + 100, seat)
    await task
    await desk.at(NOON + 1e6, seat)
    await desk.settle(seat)
    assert seat.holds
    assert not seat.renew
    assert desk.platform.logins == ["marta"] * 2


async def test_trouble_with_a_refresh_by_command_is_retried(desk):
    seat = desk.seat()
    await desk.settle(seat)
    desk.platform.answer_next(None, ERROR)
    seat.renew = True
    seat.tried.clear()
    task = desk.begin(seat)
    await desk.tried(seat)
    assert seat.renew
    await desk.at(NOON + 1, seat)
    await task
    assert not seat.renew
    assert len(desk.platform.logins) == 3


async def test_a_refresh_that_failed_is_tried_again_also_after_a_restart(desk):
    desk.start(LONG)
    seat = desk.seat()
    await desk.settle(seat)
    desk.platform.answer_next(None, ERROR)
    seat.renew = True
    seat.tried.clear()
    task = desk.begin(seat)
    await desk.tried(seat)
    task.cancel()
    desk.start(LONG)
    again = desk.seat()
    task = desk.begin(again)
    await desk.nobody("marta")
    await desk.at(NOON + 1000, again)
    await task
    assert desk.platform.logins.count("marta") == 3
    assert again.attempt is None and not again.renew and again.session != seat.session


# Many at once


async def test_no_more_logins_at_once_than_the_policy_allows(desk):
    desk.start(replace(POLICY, at_once=2))
    desk.platform.answer_next(None, Hold(), times=len(NAMES))
    tasks = [desk.begin(desk.seat(name)) for name in NAMES]
    for arrived in (2, 4, 6):
        await desk.platform.arrived(arrived)
        desk.platform.release()
    await asyncio.gather(*tasks)
    assert desk.platform.most_at_once == 2
    assert sorted(desk.platform.logins) == sorted(NAMES)
    assert desk.platform.available == set(NAMES)


async def test_logins_run_side_by_side(desk):
    desk.platform.answer_next(None, Hold(), times=len(NAMES))
    tasks = [desk.begin(desk.seat(name)) for name in NAMES]
    await desk.platform.arrived(len(NAMES))
    desk.platform.release()
    await asyncio.gather(*tasks)


async def test_files_that_take_long_hold_up_no_login(desk):
    desk.start(replace(POLICY, at_once=1))
    slow = asyncio.Event()

    async def render(seat: Seat) -> None:
        if seat.login == "marta":
            await slow.wait()

    desk.logins = Logins(Chances(lambda: NOON, desk.world.chance), desk.keep, render, lambda _: True)
    desk.logins.use(replace(POLICY, at_once=1))
    first, second = desk.seat("marta"), desk.seat("pedro")
    task = desk.begin(first)
    await desk.platform.arrived(1)
    await desk.settle(second)
    assert second.holds
    assert not first.tried.is_set()
    slow.set()
    await task
    assert first.tried.is_set()


async def test_log_offs_are_limited_like_logins(desk):
    seats = [desk.seat(name) for name in NAMES]
    for seat in seats:
        await desk.settle(seat)
    desk.logins.use(replace(POLICY, at_once=2))
    desk.platform.answer_next(None, Hold(), times=len(NAMES), path=LOGOFF)
    offs = asyncio.gather(*(desk.logins.log_off(seat) for seat in seats))
    for arrived in (2, 4, 6):
        await desk.platform.arrived(arrived, LOGOFF)
        desk.platform.release()
    await offs
    assert desk.platform.available == frozenset()
    assert desk.platform.most_at_once == 2


async def test_the_splay_spreads_what_is_due(desk):
    desk.start(replace(POLICY, splay=100.0))
    desk.world.chances = [0.1, 0.9]
    first, second = desk.seat("marta"), desk.seat("pedro")
    desk.logins.delay(first)
    desk.logins.delay(second)
    assert (first.next_at, second.next_at) == (NOON + 10, NOON + 90)
    tasks = [desk.begin(first), desk.begin(second)]
    for seat in (first, second):
        await desk.at(NOON + 10, seat)
    await tasks[0]
    assert desk.platform.logins == ["marta"]
    await desk.at(NOON + 90, second)
    await tasks[1]
    assert desk.platform.logins == ["marta", "pedro"]


async def test_the_splay_spreads_old_failures_and_overdue_sessions_too(desk):
    mark = desk.served().wanted.identity.password_mark
    desk.store.put_attempt(Attempt("marta", mark, NOON - 1e6, TROUBLE, "", 1))
    session = HeldSession("pedro", desk.url, "pedro", Secret('{"name":"11"}'), Secret("t"), mark, NOON - 1e6)
    desk.store.put_session(session)
    desk.start(replace(POLICY, splay=10_000.0, refresh_every=60.0))
    for name in ("marta", "pedro"):
        seat = desk.seat(name)
        desk.world.chances = [0.5]
        desk.logins.delay(seat)
        assert seat.next_at == NOON + 5000
        task = desk.begin(seat)
        await desk.at(NOON + 4900, seat)
        await desk.nobody(name)
        await desk.at(NOON + 5000, seat)
        await desk.tried(seat)
        task.cancel()
        await desk.at(NOON, seat)
    assert [name for name in desk.platform.logins if name != "bystander"] == ["marta", "pedro"]


async def test_the_splay_gives_no_second_chance_to_what_was_refused(desk):
    desk.start(replace(POLICY, splay=100.0))
    seat = desk.seat(password="wrong")
    await desk.settle(seat)
    desk.logins.delay(seat)
    assert seat.next_at is None


# Log-off


@pytest.mark.parametrize("generation", ["current", "older"])
async def test_a_log_off_ends_the_session_with_its_token_and_interface(desk, generation):
    desk.platform.put(SimulatedAgent("marta", PASSWORD, "1997", generation))
    seat = desk.seat()
    await desk.settle(seat)
    assert await desk.logins.log_off(seat) is None
    assert desk.platform.log_offs == [LogOff("marta", "SIP/1997", True)]
    assert desk.platform.available == frozenset()
    assert desk.store.sessions() == {}
    assert seat.session is None


async def test_there_is_no_log_off_without_session(desk):
    assert await desk.logins.log_off(desk.seat()) is None
    assert desk.platform.log_offs == []


async def test_nobody_is_logged_in_again_behind_its_back(desk):
    seat = desk.seat()
    await desk.settle(seat)
    await desk.logins.log_off(seat, stay_off=True)
    await desk.at(NOON + 1e6, seat)
    await desk.settle(seat)
    desk.start()
    again = desk.seat()
    assert again.attempt is not None
    assert again.attempt.kind == LOGGED_OFF
    await desk.settle(again)
    assert desk.platform.logins == ["marta"]
    again.forget_failures()
    again.renew = True
    await desk.settle(again)
    assert again.holds


@pytest.mark.parametrize("refused", [False, True])
async def test_nobody_is_logged_in_again_whose_password_could_not_be_read_at_the_log_off(desk, refused):
    seat = desk.seat()
    await desk.settle(seat)
    if refused:
        desk.platform.answer_next(None, REFUSAL)
        seat.renew = True
        await desk.settle(seat)
    before = list(desk.platform.logins)
    change(seat, desk.served(password=None), desk)
    await desk.logins.log_off(seat, stay_off=True)
    change(seat, desk.served(), desk)
    await desk.settle(seat)
    desk.start()
    await desk.settle(desk.seat())
    assert desk.platform.logins == before
    change(seat, desk.served(password="new"), desk)
    await desk.settle(seat)
    assert desk.platform.logins == [*before, "marta"]


@pytest.mark.parametrize("answer", [REFUSAL, ERROR, BUSY, WEB_PAGE, Disconnect(), Canned(404)])
async def test_a_log_off_that_fails_is_told_and_forgotten_all_the_same(desk, answer):
    seat = desk.seat()
    await desk.settle(seat)
    desk.platform.answer_next(None, answer, path=LOGOFF)
    problem = await desk.logins.log_off(seat)
    assert problem is not None
    assert "agent marta" in str(problem)
    assert seat.session is None
    assert desk.store.sessions() == {}


async def test_a_log_off_from_a_platform_that_is_gone_is_told(desk):
    seat = desk.seat()
    await desk.settle(seat)
    assert seat.session is not None
    nowhere = replace(seat.session, url="http://127.0.0.1:1")
    assert await desk.logins.end(nowhere, seat.served.wanted.platform) is not None
    without_ca = replace(seat.served.wanted.platform, ca_file="/nowhere/ca.pem")
    assert await desk.logins.end(seat.session, without_ca) is not None


async def test_a_log_off_waits_for_the_login_under_way(desk):
    desk.platform.answer_next(None, Hold())
    seat = desk.seat()
    task = desk.begin(seat)
    await desk.platform.arrived(1)
    off = asyncio.create_task(desk.logins.log_off(seat, stay_off=True))
    await asyncio.sleep(0)
    desk.platform.release()
    assert await off is None
    await task
    await desk.settle(seat)
    assert desk.platform.available == frozenset()
    assert (desk.platform.logins, seat.session) == (["marta"], None)


async def test_a_log_off_overtakes_a_login_that_waits_for_its_turn(desk):
    desk.start(replace(POLICY, at_once=1))
    desk.platform.answer_next("marta", Hold())
    first, second = desk.seat("marta"), desk.seat("pedro")
    tasks = [desk.begin(first)]
    await desk.platform.arrived(1)
    tasks.append(desk.begin(second))
    await asyncio.sleep(0)
    off = asyncio.create_task(desk.logins.log_off(second, stay_off=True))
    await asyncio.sleep(0)
    desk.platform.release()
    await asyncio.gather(off, *tasks)
    assert desk.platform.logins == ["marta"]


async def test_a_log_off_ends_the_waiting_for_a_refresh(desk):
    desk.start(replace(POLICY, refresh_every=100.0))
    seat = desk.seat()
    task = desk.begin(seat)
    await desk.tried(seat)
    await desk.logins.log_off(seat, stay_off=True)
    await task
    assert desk.platform.available == frozenset()


# What changes while a login is under way


async def test_a_login_under_way_is_told(desk):
    desk.platform.answer_next(None, ERROR)
    desk.platform.answer_next(None, Hold())
    seat = desk.seat()
    task = desk.begin(seat)
    await desk.tried(seat)
    failed = login_of(seat)
    assert (failed["state"], failed["next_at"]) == (TROUBLE, seat.next_at)
    await desk.at(NOON + 60, seat)
    await desk.platform.arrived(2)
    cause = f"the last login: trouble: {failed['cause']}"
    assert login_of(seat) == {"state": "logging in", "cause": cause, "failed_at": NOON, "count": 1}
    desk.platform.release()
    await task
    assert login_of(seat) == {"state": "logged in", "at": NOON + 60}


async def test_the_first_login_under_way_waits_for_nothing(desk):
    desk.platform.answer_next(None, Hold())
    seat = desk.seat()
    task = desk.begin(seat)
    await desk.platform.arrived(1)
    assert login_of(seat) == {"state": "logging in"}
    desk.platform.release()
    await task


async def test_a_login_that_waits_for_its_time_says_when_and_one_that_waits_for_its_turn_does_not(desk):
    desk.start(replace(POLICY, at_once=1, splay=100.0))
    desk.platform.answer_next(None, Hold())
    first, second = desk.seat("marta"), desk.seat("pedro")
    desk.logins.delay(second)
    tasks = [desk.begin(first), desk.begin(second)]
    await desk.platform.arrived(1)
    assert login_of(second) == {"state": "waiting", "next_at": NOON + 100}
    assert login_of(second, present=False) == {"state": "away"}
    await desk.at(NOON + 100, second)
    await asyncio.sleep(0)
    assert login_of(second) == {"state": "waiting"}
    desk.platform.release()
    await asyncio.gather(*tasks)


async def test_a_retry_that_waits_for_its_turn_or_its_user_names_no_time(desk):
    desk.start(replace(LONG, at_once=1))
    desk.platform.answer_next("marta", ERROR)
    desk.platform.answer_next("pedro", Hold())
    first, second = desk.seat("marta"), desk.seat("pedro")
    tasks = [desk.begin(first)]
    await desk.tried(first)
    assert "next_at" in login_of(first) and "next_at" not in login_of(first, present=False)
    tasks.append(desk.begin(second))
    await desk.platform.arrived(2)
    await desk.at(NOON + 1000, first)
    await asyncio.sleep(0)
    told = login_of(first)
    assert told["state"] == TROUBLE and "next_at" not in told
    desk.platform.release()
    await asyncio.gather(*tasks)


async def test_a_refresh_that_failed_is_told_beside_the_session_with_time_and_cause(desk):
    seat = desk.seat()
    await desk.settle(seat)
    for answer, more in ((ERROR, {"next_at": NOON + 61}), (REFUSAL, {})):
        desk.platform.answer_next(None, answer)
        desk.world.now, seat.renew = NOON + 60, True
        seat.tried.clear()
        task = desk.begin(seat)
        await desk.tried(seat)
        told = login_of(seat)
        assert told.pop("cause").startswith("the last login: ")
        assert told == {"state": "logged in", "at": NOON, "failed_at": NOON + 60, "count": 1, **more}
        task.cancel()
        seat.forget_failures()


def login_of(seat: Seat, *, present: bool = True) -> dict[str, Any]:
    """What the status tells of the seat's login."""
    login: dict[str, Any] = seat_as_json(seat, present=present)["login"]
    return login


async def test_a_session_at_an_address_that_is_no_longer_wanted_is_ended(desk):
    other = SimulatedPlatform([SimulatedAgent("marta", PASSWORD, "1997")])
    desk.platform.answer_next(None, Hold())
    async with serve(other) as url:
        seat = desk.seat()
        task = desk.begin(seat)
        await desk.platform.arrived(1)
        change(seat, desk.served(url=url), desk)
        desk.platform.release()
        await task
        assert desk.platform.available == frozenset()
        assert other.available == {"marta"}
        assert desk.store.sessions()["marta"].url == url
        assert desk.rendered == ["marta"]
        assert seat.holds


@pytest.mark.parametrize("first", [PASSWORD, "wrong"])
async def test_a_password_that_changes_under_way_is_used_next(desk, first):
    desk.platform.answer_next(None, Hold())
    seat = desk.seat(password=first)
    task = desk.begin(seat)
    await desk.platform.arrived(1)
    if first == PASSWORD:
        # The one that was sent is answered as it is checked: after the change.
        desk.platform.put(SimulatedAgent("marta", "new", "10"))
    change(seat, desk.served(password="new" if first == PASSWORD else PASSWORD), desk)
    desk.platform.release()
    await task
    assert desk.platform.logins == ["marta", "marta"]
    assert seat.holds
    assert seat.attempt is None
    assert desk.rendered == ["marta"]


async def test_a_login_that_worked_with_the_old_password_is_followed_by_the_new_one(desk):
    desk.platform.answer_next(None, Hold())
    seat = desk.seat()
    task = desk.begin(seat)
    await desk.platform.arrived(1)
    change(seat, desk.served(password="new"), desk)
    desk.platform.answer_next(None, Hold())
    desk.platform.release()
    await desk.platform.arrived(2)
    assert not seat.holds
    assert seat.session is not None, "it is kept, so that it can be ended"
    assert desk.rendered == []
    desk.platform.put(SimulatedAgent("marta", "new", "10"))
    desk.platform.release()
    await task
    assert seat.holds


async def test_other_settings_may_change_under_way(desk):
    desk.platform.answer_next(None, Hold())
    seat = desk.seat()
    task = desk.begin(seat)
    await desk.platform.arrived(1)
    served = desk.served()
    change(seat, replace(served, wanted=replace(served.wanted, agent=replace(AGENT, home="/srv"))), desk)
    desk.platform.release()
    await task
    assert desk.platform.logins == ["marta"]
    assert desk.rendered == ["marta"]


async def test_the_session_of_an_agent_who_goes_under_way_can_be_ended(desk):
    desk.platform.answer_next(None, Hold())
    seat = desk.seat()
    task = desk.begin(seat)
    await desk.platform.arrived(1)
    seat.gone = True
    desk.platform.release()
    await task
    assert desk.store.sessions()["marta"] == seat.session
    assert await desk.logins.log_off(seat) is None
    assert desk.platform.available == frozenset()


async def test_an_agent_who_is_gone_is_not_logged_in(desk):
    seat = desk.seat()
    seat.gone = True
    await desk.settle(seat)
    assert desk.platform.logins == []


async def test_an_agent_who_goes_while_waiting_for_a_turn_is_not_logged_in(desk):
    desk.start(replace(POLICY, at_once=1))
    desk.platform.answer_next("marta", Hold())
    first, second = desk.seat("marta"), desk.seat("pedro")
    tasks = [desk.begin(first)]
    await desk.platform.arrived(1)
    tasks.append(desk.begin(second))
    await asyncio.sleep(0)
    second.gone = True
    second.changed.set()
    desk.platform.release()
    await asyncio.gather(*tasks)
    assert desk.platform.logins == ["marta"]


async def test_logins_under_way_finish_under_the_policy_that_they_began_with(desk):
    desk.platform.answer_next(None, Hold(), times=3)
    tasks = [desk.begin(desk.seat(name)) for name in NAMES[:3]]
    await desk.platform.arrived(3)
    desk.logins.use(replace(POLICY, at_once=1))
    desk.platform.release()
    await asyncio.gather(*tasks)
    assert desk.platform.available == set(NAMES[:3])


# The state


async def test_a_state_that_cannot_be_written_stops_nobody(desk, caplog):
    async def full(change: Callable[[Store], None]) -> None:
        raise ProvisionerError(Problem(Place("state.sqlite"), "no space left on device"))

    desk.logins = Logins(Chances(lambda: NOON, desk.world.chance), full, desk.render, lambda _: True)
    desk.logins.use(POLICY)
    seat = desk.seat()
    await desk.settle(seat)
    assert seat.holds
    assert "no space left" in caplog.text
    assert await desk.logins.log_off(seat, stay_off=True) is None


# What is told


def test_a_failed_login_is_told_with_what_happens_next():
    failed = Attempt("marta", "m", NOON, TROUBLE, "the platform has trouble (HTTP 503)", 1)
    assert describe(failed, NOON + 2.4, NOON) == "login trouble: the platform has trouble (HTTP 503); next try in 2 s"
    refused = replace(failed, kind=REFUSED, cause="no")
    assert describe(refused, None, NOON) == "login refused: no; not tried again before its settings change"


ANSWERS = [
    REFUSAL, ERROR, BUSY, GARBAGE, OVERSIZE, WEB_PAGE, Disconnect(), Canned(404), Canned(302),
    Canned(body=f'{{"name": "", "secret": "{PASSWORD}"}}'), Canned(500, PASSWORD), None,
]  # fmt: skip


@pytest.mark.parametrize("generation", ["current", "older"])
@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: repr(answer)[:40])
async def test_no_secret_is_logged(desk, caplog, answer, generation):
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    desk.platform.put(SimulatedAgent("marta", PASSWORD, "1997", generation))
    if answer is not None:
        desk.platform.answer_next(None, answer)
        desk.platform.answer_next(None, answer, path=LOGOFF)
    seat = desk.seat()
    task = desk.begin(seat)
    await desk.tried(seat)
    seat.forget_failures()
    seat.changed.set()
    await task
    if not seat.holds:
        await desk.settle(seat)
    assert seat.session is not None
    secrets = [PASSWORD, seat.session.token.reveal(), seat.session.row.reveal()]
    problem = await desk.logins.log_off(seat)
    told = caplog.text + repr(seat) + str(problem) + "".join(f"{r.args} {r.exc_info}" for r in caplog.records)
    assert "marta" in caplog.text
    for secret in secrets:
        assert secret
        assert secret not in told


async def test_no_files_are_made_of_a_session_before_whoever_looks_for_its_realm_has_it(desk: Desk):
    seat, seen = desk.seat(), list[object]()

    async def keep(change: Callable[[Store], None]) -> None:
        change(desk.store)
        await asyncio.sleep(0)
        seen.append(seat.session)  # as a reload does meanwhile

    desk.logins = Logins(Chances(lambda: NOON, lambda: 1.0), keep, desk.render, lambda _: True)
    desk.logins.use(POLICY)
    await desk.settle(seat)
    assert seen == [None] and seat.session == desk.store.sessions()["marta"] and desk.rendered == ["marta"]


async def test_a_password_that_is_not_to_be_had_when_its_login_succeeds_takes_no_file_away(desk: Desk):
    desk.platform.answer_next("marta", Hold())
    seat = desk.seat()
    desk.begin(seat)
    await desk.platform.arrived(1)
    change(seat, desk.served(password=None), desk)
    desk.platform.release()
    await desk.settle(seat)
    assert desk.platform.available == {"marta"} and desk.rendered == ["marta"]
