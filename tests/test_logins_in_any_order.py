"""Whatever happens, in whatever order: one login an agent and a reason."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from provisioner.core.attempt import NOT_THERE, TROUBLE
from provisioner.demo.platform import ERROR, REFUSAL, Canned, SimulatedAgent, SimulatedPlatform, serve
from provisioner.edge.store import Store, open_store
from provisioner.seat import Seat
from tests.examples import POLICY
from tests.machine import PATIENCE
from tests.test_logins import PASSWORD, Desk, change
from tests.tries import TRIES

# Waits so long that none is over before the clock is set.
SLOW = replace(POLICY, first_retry=60.0, longest_retry=600.0)
ANSWERS = {
    "error": ERROR,
    "busy": Canned(503, headers={"Retry-After": "900"}),
    "nothing there": Canned(404),
    "refusal": REFUSAL,
}
PASSWORDS = {"right": PASSWORD, "wrong": "wrong", "unreadable": None}
TIMES = {"a minute": 60.0, "an hour": 3600.0, "clock set back": -1000.0}
EVENTS = [*ANSWERS, *PASSWORDS, *TIMES, "refresh", "log off", "restart"]


@dataclass
class Story:
    """An agent and what happens; ``reason`` says that something of it is one for a login that was not made yet, and
    ``known`` is the last password that could be read."""

    desk: Desk
    seat: Seat
    password: str | None = PASSWORD
    known: str = PASSWORD
    reason: bool = True

    async def happens(self, event: str) -> None:
        before, tried = self.seat.attempt, len(self.desk.platform.logins)
        match event:
            case "refresh":
                self.seat.forget_failures()
                self.seat.renew = self.reason = True
                self.desk.store.drop_attempt("marta")
            case "log off":
                await self.desk.logins.log_off(self.seat, stay_off=True)
                self.reason = False
            case "restart":
                await self.over()
                self.desk.start(SLOW)
                self.seat = self.desk.seat(password=self.password)
            case _ if event in ANSWERS:
                self.desk.platform.answer_next("marta", ANSWERS[event])
            case _ if event in PASSWORDS:
                self.password = PASSWORDS[event]
                self.reason = self.reason or self.password not in (None, self.known)
                self.known = self.password or self.known
                change(self.seat, self.desk.served(password=self.password), self.desk)
            case _:
                self.desk.world.now += TIMES[event]
        await self.settled()
        logins = len(self.desk.platform.logins) - tried
        assert logins <= 1
        if logins and not self.reason:
            assert before is not None and before.kind in (TROUBLE, NOT_THERE)
            least = SLOW.longest_retry / 2 if before.kind == NOT_THERE else before.retry_after
            assert self.desk.world.now >= before.at + least
        self.reason = self.reason and not logins

    async def settled(self) -> None:
        """Until the login task has ended, or waits for its time."""
        seat = self.seat
        seat.changed.set()
        if seat.task is None or seat.task.done():
            self.desk.begin(seat)
        while seat.task and not seat.task.done() and (seat.due_at is None or seat.changed.is_set()):  # noqa: ASYNC110
            await asyncio.sleep(0)

    async def over(self) -> None:
        self.seat.gone = True
        self.seat.changed.set()
        await self.desk.settle(self.seat)
        await self.desk.logins.close()


async def tell(store: Store, events: list[str]) -> None:
    platform = SimulatedPlatform([SimulatedAgent("marta", PASSWORD, "10")])
    async with asyncio.timeout(PATIENCE), serve(platform) as url:
        desk = Desk(platform, url, store)
        desk.start(SLOW)
        story = Story(desk, desk.seat())
        await story.settled()
        assert platform.logins == ["marta"]
        story.reason = False
        for event in events:
            await story.happens(event)
        kept, session, attempt = store.sessions().get("marta"), story.seat.session, story.seat.attempt
        assert (kept and kept.token) == (session and session.token)
        assert attempt is None or store.attempts() == {"marta": attempt}
        assert session is None or platform.available == {"marta"}
        await story.over()


@settings(max_examples=TRIES // 2)
@given(st.lists(st.sampled_from(EVENTS), max_size=30))
@example(["unreadable", "log off", "right"])
@example(["log off", "unreadable", "refresh", "log off", "right"])
@example(["busy", "refresh", "a minute", "restart", "a minute"])
@example(["nothing there", "refresh", "a minute"])
@example(["refusal", "refresh", "restart", "an hour", "unreadable", "right"])
def test_there_is_one_login_for_each_reason(events):
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder))
        try:
            asyncio.run(tell(store, events))
        finally:
            store.close()
