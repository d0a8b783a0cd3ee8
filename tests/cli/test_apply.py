"""`provisioner apply`: what the service does all the time, once."""

from __future__ import annotations

import pytest

from provisioner.demo.platform import ERROR, REFUSAL, WEB_PAGE, Answer, Canned, SimulatedPlatform
from tests.machine import Machine

JSON = "  targets: [json]"
LATER = Canned(status=503, headers={"Retry-After": "3600"})


async def test_what_fails_is_not_tried_again_and_again_while_others_have_their_turn(
    machine: Machine, platform: SimulatedPlatform
):
    machine.main.write_text(f"platform: {{url: {machine.url}}}\nlogin: {{splay: 0s, first_retry: 10m, at_once: 1}}\n")
    for login in ("ana", *(f"x{number}" for number in range(10))):
        machine.agent(login, JSON)
    platform.answer_next("ana", ERROR, times=20)
    done = await machine.command("apply")
    assert done.code == 4 and "ana: trouble" in done.out
    assert platform.logins.count("ana") == 1


@pytest.mark.parametrize("trouble", [ERROR, WEB_PAGE], ids=["trouble", "not there"])
async def test_whoever_applies_again_does_not_wait_for_what_failed_before(
    machine: Machine, platform: SimulatedPlatform, trouble: Answer
):
    machine.agent("ana", JSON)
    platform.answer_next("ana", trouble)
    assert (await machine.command("apply")).code == 4
    assert (await machine.command("apply")).code == 0
    assert platform.logins == ["ana", "ana"]


@pytest.mark.parametrize("answer", [LATER, REFUSAL], ids=["Retry-After", "refused"])
async def test_an_agent_whom_the_platform_does_not_want_to_see_yet_is_not_waited_for(
    machine: Machine, platform: SimulatedPlatform, answer: Answer
):
    machine.agent("ana", JSON)
    machine.agent("carla", JSON)
    platform.answer_next("ana", answer)
    assert (await machine.command("apply")).code == 4
    done = await machine.command("apply")
    assert done.code == 4 and "carla: logged in" in done.out
    assert sorted(platform.logins) == ["ana", "carla"]


async def test_a_mistake_in_the_configuration_is_told_once(machine: Machine):
    machine.agent("ana", "  tergets: [json]")
    done = await machine.command("apply")
    assert done.code == 1
    assert done.err.count("`tergets` is not a setting") == 1
    assert "^" in done.err


async def test_what_an_agent_is_called_cannot_colour_the_terminal(machine: Machine, platform: SimulatedPlatform):
    path = machine.agent("ana", JSON, password="wrong")
    path.write_text(path.read_text().replace("- login: ana", '- login: "a\u202ena"'))
    done = await machine.command("apply")
    assert done.code == 4 and "\u202e" not in done.out + done.err
