"""Agents who leave while the platform hangs: nobody else waits for it, and nobody comes back before they have left."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack

import pytest

from provisioner.demo.platform import Hold, LogOff, SimulatedAgent, SimulatedPlatform, serve
from provisioner.edge.platform import LOGOFF
from tests.machine import Machine, until

JSON = "  targets: [json]"


@pytest.fixture(autouse=True)
def patient(machine: Machine) -> None:
    """A platform that hangs is waited for longer than any test goes on."""
    machine.main.write_text(machine.main.read_text().replace("login:", "  timeout: 10m\nlogin:", 1))


def display_name(machine: Machine, login: str) -> str:
    (path,) = machine.home(login).rglob("json/account.json")
    return str(json.loads(path.read_text())["display_name"])


async def renamed(machine: Machine, login: str, name: str) -> None:
    """The display name of an agent is edited, and arrives."""
    machine.agent(login, JSON, f"  account: {{display_name: {name}}}")
    await until(lambda: display_name(machine, login) == name)


async def test_an_edit_does_not_wait_for_log_offs_that_hang(machine: Machine, platform: SimulatedPlatform):
    leaving = [machine.agent(login, JSON) for login in ("beto", "carla")]
    machine.agent("ana", JSON)
    async with machine.running() as service:
        await service.logged_in("ana", "beto", "carla")
        platform.answer_next(None, Hold(), times=2, path=LOGOFF)
        for path in leaving:
            path.unlink()
        await renamed(machine, "ana", "Neu")
        assert not [name for name in machine.files() if not name.startswith("ana/")]
        assert (await machine.command("reload", "--wait")).code == 0
        await platform.arrived(2, LOGOFF)
        assert platform.log_offs == []
        platform.release()
        await until(lambda: len(platform.log_offs) == 2)
    assert platform.available == {"ana"}


async def test_who_comes_back_is_logged_in_after_the_log_off(machine: Machine, platform: SimulatedPlatform):
    machine.agent("ana", JSON)
    path = machine.agent("beto", JSON)
    async with machine.running() as service:
        await service.logged_in("ana", "beto")
        platform.answer_next("beto", Hold(), path=LOGOFF)
        path.unlink()
        await platform.arrived(1, LOGOFF)
        machine.agent("beto", JSON)
        await renamed(machine, "ana", "Neu")
        assert sorted(platform.logins) == ["ana", "beto"]
        platform.release()
        await service.logged_in("ana", "beto")
        await until(lambda: bool(list(machine.home("beto").rglob("account.json"))))
    assert platform.available == {"ana", "beto"}
    assert sorted(platform.logins) == ["ana", "beto", "beto"]


@pytest.mark.parametrize("restarted", [False, True])
async def test_who_was_refused_stays_so_on_coming_back_until_the_password_changes(
    machine: Machine, platform: SimulatedPlatform, restarted: bool
):
    machine.agent("ana", JSON, password="wrong")
    machine.agent("beto", JSON)
    async with AsyncExitStack() as running:
        service = await running.enter_async_context(machine.running())
        await service.until(lambda status: status["agents"][0]["login"]["state"] == "refused")
        machine.agent("ana", "  workstations: [elsewhere]", password="wrong")
        assert (await service.reload()).code == 0
        if restarted:
            await running.aclose()
            service = await running.enter_async_context(machine.running())
        machine.agent("ana", JSON, password="wrong")
        assert (await service.reload()).code == 0
        (login,) = [one["login"] for one in (await service.status())["agents"] if one["agent"] == "ana"]
        assert (login["state"], login["count"]) == ("refused", 1)
        machine.agent("ana", JSON)
        await service.logged_in("ana", "beto")
    assert platform.logins.count("ana") == 2


async def test_a_login_that_hangs_is_ended_when_it_comes_and_its_agent_has_gone(
    machine: Machine, platform: SimulatedPlatform
):
    machine.agent("ana", JSON)
    platform.answer_next("beto", Hold())
    path = machine.agent("beto", JSON)
    async with machine.running() as service:
        await service.logged_in("ana")
        await platform.arrived(2)
        path.unlink()
        await renamed(machine, "ana", "Neu")
        assert platform.available == {"ana"}
        platform.release()
        await until(lambda: bool(platform.log_offs))
    assert platform.log_offs == [LogOff("beto", "SIP/1002", accepted=True)]
    assert not [name for name in machine.files() if not name.startswith("ana/")]


async def test_another_address_does_not_wait_for_the_old_one(machine: Machine, platform: SimulatedPlatform):
    machine.agent("ana", JSON)
    machine.agent("beto", JSON)
    new = SimulatedPlatform([SimulatedAgent(login, f"pw-{login}", "2001") for login in ("ana", "beto", "carla")])
    async with serve(new) as url, machine.running() as service:
        await service.logged_in("ana", "beto")
        platform.answer_next(None, Hold(), times=2, path=LOGOFF)
        machine.main.write_text(machine.main.read_text().replace(machine.url, url))
        machine.agent("carla", JSON)
        await service.until(lambda status: any(agent["agent"] == "carla" for agent in status["agents"]))
        await until(lambda: new.logins == ["carla"])
        await platform.arrived(2, LOGOFF)
        platform.release()
        await service.logged_in("ana", "beto", "carla")
    assert platform.available == frozenset()
    assert new.available == {"ana", "beto", "carla"}


async def test_a_start_does_not_wait_for_log_offs_that_hang_and_a_stop_does(
    machine: Machine, platform: SimulatedPlatform
):
    machine.agent("ana", JSON)
    path = machine.agent("beto", JSON)
    async with machine.running() as service:
        await service.logged_in("ana", "beto")
    path.unlink()
    platform.answer_next("beto", Hold(), path=LOGOFF)
    async with machine.running() as service:
        assert (await service.logged_in("ana"))["everybody_served"]
        await platform.arrived(1, LOGOFF)
        assert platform.log_offs == []
        service.process.terminate()
        await service.told("STOPPING=1")
        platform.release()
        assert await service.process.wait() == 0
    assert platform.log_offs == [LogOff("beto", "SIP/1002", accepted=True)]
