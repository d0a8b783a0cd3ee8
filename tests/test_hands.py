"""Own hands on a real disk; a courier's hands over a real socket, with the test as a courier that tells lies."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from provisioner.core.errand import Ran
from provisioner.core.frame import LONGEST_TO_COURIER
from provisioner.core.parcel import Brought, State
from provisioner.core.problem import ProvisionerError
from provisioner.hands import CourierHands, OwnHands
from provisioner.refresh import order_of, waiting
from tests.edge.test_courier_socket import Desk, Talk, receiving, talk
from tests.machine import PATIENCE
from tests.test_cycle import Machine

T = TypeVar("T")
WHO = f"courier of user {os.geteuid()}"
NOTHING: dict[str, Any] = {"targets": [], "problems": [], "freed": []}


async def work(call: Callable[[], T]) -> T:
    return call()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.store.close()


class Far:
    """A courier's hands, and the courier, which is the test."""

    def __init__(self, hands: CourierHands, courier: Talk) -> None:
        self.hands, self.courier = hands, courier

    async def answered(self, asked: Coroutine[Any, Any, T], **answer: object) -> T:
        """What becomes of ``asked`` when the courier answers so."""
        task = asyncio.ensure_future(asked)
        question = await self.courier.heard()
        self.courier.answer(id=question["id"], **answer)
        return await asyncio.wait_for(task, PATIENCE)

    async def refused(self, asked: Coroutine[Any, Any, Any], **answer: object) -> str:
        """The problem that ``asked`` raises when the courier answers so."""
        with pytest.raises(ProvisionerError) as caught:
            await self.answered(asked, **answer)
        return str(caught.value)


@pytest.fixture
async def far(tmp_path: Path) -> AsyncIterator[Far]:
    desk = Desk()
    path = tmp_path / "courier.sock"
    async with receiving(path, desk.serve), talk(path) as courier:
        connection = await desk.next()
        yield Far(CourierHands(connection, work, lambda: {"marta", "beto"}), courier)


def report(machine: Machine, **changes: object) -> dict[str, Any]:
    changed = [f"{machine.home}/.phone/account.ini"]
    honest = {"target": "phone", "state": "written", "changed": changed, "problems": [], "renewed": True}
    return {**NOTHING, "targets": [{**honest, **changes}]}


def problem(**changes: object) -> dict[str, Any]:
    return {"where": "/home/marta", "what": "the disk is full", "fix": "", "remark": False, **changes}


def bring(hands: CourierHands | OwnHands, machine: Machine, agent: str = "marta") -> Coroutine[Any, Any, Brought]:
    return hands.bring(agent, order_of(machine.job(agent)).parcels)


# A courier's


async def test_what_a_courier_made_of_the_files_is_the_agents_report(far: Far, machine: Machine):
    made = await far.answered(bring(far.hands, machine), **report(machine))
    (target,) = made.targets
    assert (target.target, target.state, target.renewed) == ("phone", State.WRITTEN, True)
    assert target.folder == f"{machine.home}/.phone"
    assert made.freed == frozenset()


async def test_a_courier_frees_nobody_of_another_user(far: Far, machine: Machine):
    freed = ["beto", "carla", *(f"agent{number}" for number in range(1000))]
    made = await far.answered(bring(far.hands, machine), **{**report(machine), "freed": freed})
    assert made.freed == {"beto"}
    assert (await far.answered(far.hands.remove("marta"), **{**NOTHING, "freed": freed}))[1] == {"beto"}


async def test_what_a_courier_says_is_said_by_it_and_steers_no_terminal(far: Far, machine: Machine):
    lie = problem(where="agent beto", what="\x1b[2Jlogin refused", fix="send the password to eve\n")
    made = await far.answered(bring(far.hands, machine), **report(machine, problems=[lie]))
    told = made.targets[0].problems
    assert [str(one) for one in told] == [f"{WHO}, agent beto: \\x1b[2Jlogin refused (send the password to eve\\n)"]
    removed, _ = await far.answered(far.hands.remove("marta"), **{**NOTHING, "problems": [lie]})
    assert removed == told
    kept = await far.answered(far.hands.keep(["marta"]), **{**NOTHING, "problems": [lie]})
    assert kept == told


@pytest.mark.parametrize(
    "answer", [{}, {"targets": []}, NOTHING, {**NOTHING, "targets": [{}]}, {"failed": []}, {"failed": "no"}], ids=str
)
async def test_a_courier_that_answers_nonsense_is_one_no_longer(far: Far, machine: Machine, answer: dict[str, Any]):
    assert WHO in await far.refused(bring(far.hands, machine), **answer)
    assert await far.courier.hung_up()
    with pytest.raises(ProvisionerError, match=WHO):
        await far.hands.remove("marta")


async def test_a_courier_that_speaks_of_other_targets_is_one_no_longer(far: Far, machine: Machine):
    assert "does not say" in await far.refused(bring(far.hands, machine), **report(machine, target="other"))
    assert await far.courier.hung_up()


async def test_a_courier_that_speaks_of_other_agents_is_one_no_longer(far: Far):
    assert "other agents" in await far.refused(far.hands.touched(["marta"]), agents=["marta", "beto"])
    assert await far.courier.hung_up()


async def test_a_courier_that_cannot_do_it_says_why_and_stays(far: Far, machine: Machine):
    why = await far.refused(bring(far.hands, machine), failed=[problem()])
    assert why == f"{WHO}, /home/marta: the disk is full"
    assert await far.answered(far.hands.touched(["marta"]), agents=["marta"]) == {"marta"}


async def test_a_courier_that_is_gone_is_a_problem_and_no_more(far: Far, machine: Machine):
    asked = asyncio.ensure_future(bring(far.hands, machine))
    await far.courier.heard()
    far.courier.writer.transport.abort()
    with pytest.raises(ProvisionerError, match=f"{WHO}: the courier is gone"):
        await asked


async def test_a_courier_does_one_thing_after_the_other_but_commands_beside(far: Far, machine: Machine):
    first = asyncio.ensure_future(bring(far.hands, machine))
    number = (await far.courier.heard())["id"]
    second = asyncio.ensure_future(far.hands.touched(["marta"]))
    assert await far.answered(far.hands.run(["true"], 1.0), code=3, cause="") == Ran(3)
    assert not first.done() and not second.done()
    far.courier.answer(id=number, **report(machine))
    await first
    question = await far.courier.heard()
    assert question["do"] == "look"
    far.courier.answer(id=question["id"], agents=[])
    assert await second == frozenset()


async def test_what_is_too_much_for_a_courier_is_a_problem_and_the_courier_stays(far: Far):
    with pytest.raises(ProvisionerError, match=f"{WHO}: a message is longer than it may be"):
        await far.hands.remove("x" * LONGEST_TO_COURIER)
    assert await far.answered(far.hands.remove("marta"), **NOTHING) == ((), frozenset())


# Our own


async def test_our_own_hands_do_the_same_at_once(machine: Machine):
    hands = OwnHands(machine.cycle, work)
    made = await bring(hands, machine)
    assert [target.state for target in made.targets] == [State.WRITTEN]
    assert await hands.touched(["marta", "beto"]) == frozenset()
    (machine.home / ".phone/account.ini").unlink()
    assert await hands.touched(["marta", "beto"]) == {"marta"}
    await bring(hands, machine, "beto")
    assert await hands.remove("marta") == ((), {"beto"})
    assert machine.files() == set()
    assert await hands.run(["sh", "-c", "exit 3"], PATIENCE) == Ran(3)


def test_without_a_session_everything_is_found_out_and_nothing_written(machine: Machine):
    made = waiting(machine.job("marta", "phone", "other"))
    assert [target.state for target in made.targets] == [State.WAITING] * 2
    assert [target.folder for target in made.targets] == [f"{machine.home}/.phone", f"{machine.home}/.other"]
    assert "wait for a session of marta" in made.problems[-1].what
    assert made.healthy
    assert machine.files() == set()
