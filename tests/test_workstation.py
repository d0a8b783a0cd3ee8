"""All agents of a workstation together: who may write where when several change at once, and what a night costs."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from provisioner.demo.platform import ERROR, LOGOFF, REFUSAL, Hold, SimulatedAgent, SimulatedPlatform, serve
from provisioner.edge.kept_ports import KeptPorts
from provisioner.edge.service import Systemd
from provisioner.logins import Chances
from provisioner.opening import open_workbench
from provisioner.workstation import Workstation
from tests.machine import PATIENCE, Machine, Service, until

SHARED = "  targets: [{target: json, path: /srv/shared}]"


def agent_in(path: Path) -> str | None:
    """Whose account is at ``path``, which may be gone for a moment."""
    try:
        return str(json.loads(path.read_text())["agent"])
    except FileNotFoundError:
        return None


async def test_a_path_moves_from_one_agent_to_another_in_one_change(machine: Machine, platform: SimulatedPlatform):
    shared = machine.root / "srv/shared/account.json"
    machine.agent("ana", "  targets: [json]")
    machine.agent("beto", SHARED)
    async with machine.running() as service:
        await service.logged_in("ana", "beto")
        assert json.loads(shared.read_text())["agent"] == "beto"
        # ana comes first and is refused, until it is beto's turn to give the path up.
        machine.agent("ana", SHARED)
        machine.agent("beto", "  targets: [json]")
        await until(lambda: agent_in(shared) == "ana")
        await service.until(lambda status: status["everybody_served"])
    assert sorted(platform.logins) == ["ana", "beto"]


@pytest.mark.parametrize("after", ["a login", "a look"])
async def test_a_path_that_is_given_up_later_goes_to_who_waits_for_it(
    machine: Machine, platform: SimulatedPlatform, after: str
):
    shared = machine.root / "srv/shared/account.json"
    machine.agent("ana", "  targets: [json]")
    machine.agent("beto", SHARED)
    async with machine.running() as service:
        await service.logged_in("ana", "beto")
        platform.put(SimulatedAgent("beto", "new", "1002", "older"))
        platform.answer_next("beto", Hold())
        machine.agent("beto", "  targets: [json]", password="new")
        machine.agent("ana", SHARED)
        await platform.arrived(3)
        await service.until(lambda status: bool(status["agents"][0]["targets"][0]["problems"]))
        assert agent_in(shared) == "beto"
        if after == "a look":
            assert (await service.reload()).code == 0
            assert agent_in(shared) == "ana"
        platform.release()
        await until(lambda: agent_in(shared) == "ana")


@contextmanager
def state_cannot_be_written(machine: Machine) -> Iterator[None]:
    """Another program has the state's file to itself, as a person with an SQLite shell may."""
    other = sqlite3.connect(machine.places.state / "state.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


async def test_a_refresh_that_the_state_does_not_take_is_done_and_answered(
    machine: Machine, platform: SimulatedPlatform
):
    machine.agent("ana", "  targets: [json]")
    async with machine.running() as service:
        await service.logged_in("ana")
        with state_cannot_be_written(machine):
            done = await machine.command("refresh", "ana")
        assert (done.code, done.err) == (0, "")
        assert "agent ana: what is over stays in the state for now" in service.log.read_text()
    assert platform.logins == ["ana", "ana"]


@pytest.mark.parametrize("log_off", ["true", "false"])
async def test_agents_can_be_removed_while_the_state_cannot_be_written_and_the_next_start_forgets_them(
    machine: Machine, log_off: str
):
    rule = f"splay: 0s, log_off_on_removal: {log_off}"
    machine.main.write_text(machine.main.read_text().replace("splay: 0s", rule))
    file = machine.agent("ana", "  targets: [json]")
    machine.agent("beto", "  targets: [json]")
    async with machine.running() as service:
        await service.logged_in("ana", "beto")
        with state_cannot_be_written(machine):
            file.unlink()
            assert (await service.reload()).code == 0
        assert [agent["agent"] for agent in (await service.status())["agents"]] == ["beto"]
    async with machine.running() as service:
        await service.logged_in("beto")
    with open_workbench(machine.places, "ws") as bench:
        assert bench.store.sessions().keys() == {"beto"} and bench.cycle.agents() == {"beto"}


async def test_a_state_that_somebody_deletes_under_the_service_is_told(machine: Machine, platform: SimulatedPlatform):
    machine.agent("ana", "  targets: [json]")
    async with machine.running() as service:
        await service.logged_in("ana")
        shutil.rmtree(machine.places.state)
        (problem,) = (await service.status())["configuration"]["problems"]
        assert problem["what"].startswith("this state was deleted or replaced")
        assert (await service.reload()).code == 0
        assert problem["what"] in service.log.read_text()
    assert platform.logins == ["ana"]


async def test_files_of_agents_who_are_gone_that_cannot_be_removed_are_told(machine: Machine):
    machine.agent("ana", "  targets: [{target: json, path: /srv/phones}]")
    async with machine.running() as service:
        await service.logged_in("ana")
    folder = machine.root / "srv"
    folder.rename(machine.root / "elsewhere")
    folder.symlink_to(machine.root / "elsewhere")
    machine.agent("ana", "  workstations: [nobody]")
    async with machine.running() as service:
        await service.status()
        assert f"{folder}: this is a symbolic link, which is not followed" in service.log.read_text()


@asynccontextmanager
async def serving(machine: Machine, now: Callable[[], float] = time.time) -> AsyncIterator[Workstation]:
    """The workstation in this process, everybody's first login tried; ``now`` is its clock, and waits are the
    longest."""
    with open_workbench(machine.places, "ws") as bench:
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            ports = KeptPorts(Systemd({}))
            workstation = Workstation(bench, Chances(now, lambda: 1.0), group.create_task, ports)
            assert await workstation.reload() == ()
            await workstation.first_logins()
            yield workstation
            await workstation.stop()


@pytest.mark.parametrize(
    ("policy", "seconds", "logins"),
    [("1h", 3599.0, 1), ("1h", 3600.0, 2), ("0s", 1e6, 1), ("1m", 61.0, 2)],
)
async def test_a_suspended_machine_logs_in_again_when_the_platform_must_have_lost_the_agent(
    machine: Machine, platform: SimulatedPlatform, policy: str, seconds: float, logins: int
):
    machine.agent("ana", "  targets: [json]")
    machine.main.write_text(machine.main.read_text().replace("splay: 0s", f"splay: 0s, again_after: {policy}"))
    async with serving(machine) as workstation:
        workstation.resumed(seconds)
        await platform.arrived(logins)
    assert len(platform.logins) == logins


async def test_a_refused_refresh_is_not_repeated_each_time_the_machine_wakes_up(
    machine: Machine, platform: SimulatedPlatform
):
    machine.agent("ana", "  targets: [json]")
    machine.agent("beto", "  targets: [json]")
    async with serving(machine) as workstation:
        platform.answer_next("ana", REFUSAL)
        assert await workstation.refresh("ana")
        workstation.resumed(1e6)
        await platform.arrived(4)
    assert platform.logins == ["ana", "beto", "ana", "beto"]


async def test_what_came_due_while_the_machine_was_suspended_is_done_when_it_wakes_up(
    machine: Machine, platform: SimulatedPlatform
):
    machine.agent("ana", "  targets: [json]")
    machine.main.write_text(machine.main.read_text().replace("first_retry: 1s", "first_retry: 10m"))
    platform.answer_next("ana", ERROR)
    clock = [1_000_000.0]
    async with serving(machine, lambda: clock[0]) as workstation:
        clock[0] += 601.0
        workstation.resumed(601.0)
        await platform.arrived(2)


async def test_what_the_state_did_not_take_is_there_after_a_restart(machine: Machine, platform: SimulatedPlatform):
    file = machine.agent("ana", "  targets: [json]")
    machine.agent("beto", "  targets: [json]")
    machine.agent("carla", "  targets: [json]")
    async with machine.running() as service:
        await service.logged_in("ana", "beto", "carla")
        with state_cannot_be_written(machine):
            platform.put(SimulatedAgent("ana", "newer", "1001"))
            file.write_text(file.read_text().replace("pw-ana", "newer"))
            assert (await machine.command("log-off", "beto")).code == 0
            platform.answer_next("carla", REFUSAL)
            assert (await machine.command("refresh", "carla")).code == 1
            await until(lambda: platform.logins.count("ana") == 2)
            (problem,) = (await service.status())["configuration"]["problems"]
            assert "the state cannot be used: database is locked" in problem["what"]
        assert (await service.reload()).code == 0
        assert (await service.status())["configuration"]["problems"] == []
        said = service.log.read_text()
        assert f"over: {problem['where']}: {problem['what']}" in said
        logins = [*platform.logins]
    async with machine.running() as service:
        found = {agent["agent"]: agent["login"] for agent in (await service.logged_in("ana"))["agents"]}
        assert found["beto"]["state"] == "logged off" and found["carla"]["cause"].startswith("the last login: refused")
        assert (await service.reload()).code == 0
    assert platform.logins == logins


async def test_what_the_state_did_not_take_is_kept_at_the_stop(machine: Machine, platform: SimulatedPlatform):
    machine.agent("ana", "  targets: [json]")
    async with machine.running() as service:
        await service.logged_in("ana")
        with state_cannot_be_written(machine):
            assert (await machine.command("log-off", "ana")).code == 0
    async with machine.running() as service:
        assert (await service.status())["agents"][0]["login"]["state"] == "logged off"
    assert platform.logins == ["ana"]


@pytest.mark.parametrize("restarted", [False, True])
async def test_files_of_agents_who_are_gone_are_told_until_they_can_be_removed(machine: Machine, restarted: bool):
    machine.agent("beto", "  targets: [json]")
    file = machine.agent("ana", "  targets: [{target: json, path: /srv/phones}]")
    folder, elsewhere = machine.root / "srv", machine.root / "elsewhere"
    async with machine.running() as service:
        await service.logged_in("ana", "beto")
        assert (await service.reload()).code == 0  # nothing is brought any more
        folder.rename(elsewhere)
        folder.symlink_to(elsewhere)
        if not restarted:
            file.unlink()
            await service.until(lambda status: len(status["agents"]) == 1)
            await still_there_until_the_link_is_gone(service, folder, elsewhere)
    if restarted:
        file.unlink()
        async with machine.running() as service:
            await still_there_until_the_link_is_gone(service, folder, elsewhere)


async def still_there_until_the_link_is_gone(service: Service, folder: Path, elsewhere: Path) -> None:
    assert (await service.reload()).code == 0
    (problem,) = (await service.status())["configuration"]["problems"]
    assert (problem["where"], problem["what"][:23]) == (str(folder), "this is a symbolic link")
    assert "files removed" not in service.log.read_text()
    folder.unlink()
    elsewhere.rename(folder)
    assert (await service.reload()).code == 0
    assert (await service.status())["configuration"]["problems"] == []
    assert list(folder.rglob("*.json")) == []
    said = service.log.read_text()
    assert said.count("symbolic link, which is not followed (") == 1 and "agent ana: files removed" in said


async def test_files_that_could_not_be_removed_are_those_of_an_agent_who_came_back(machine: Machine):
    phone = "  targets: [{target: json, path: /srv/phones}]"
    file = machine.agent("ana", phone)
    folder, elsewhere = machine.root / "srv", machine.root / "elsewhere"
    async with machine.running() as service:
        await service.logged_in("ana")
        folder.rename(elsewhere)
        folder.symlink_to(elsewhere)
        file.unlink()
        await service.until(lambda status: not status["agents"])
        folder.unlink()
        elsewhere.rename(folder)
        machine.agent("ana", phone)
        await service.logged_in("ana")
        assert (await service.reload()).code == 0
        assert (folder / "phones" / "account.json").exists()


async def test_nobody_is_logged_in_anew_at_an_old_address_while_others_still_leave_it(
    machine: Machine, platform: SimulatedPlatform
):
    machine.agent("ana", "  targets: [json]")
    machine.agent("beto", "  targets: [json]")
    new = SimulatedPlatform([SimulatedAgent(login, f"pw-{login}", "2001") for login in ("ana", "beto")])
    async with serve(new) as url, serving(machine) as workstation:
        platform.answer_next("beto", Hold(), path=LOGOFF)
        machine.main.write_text(machine.main.read_text().replace(machine.url, url))
        reload = asyncio.ensure_future(workstation.reload())
        await until(lambda: len(platform.log_offs) == 1)
        workstation.resumed(1e6)
        assert await reload == ()
        platform.release()
        await new.arrived(2)
    assert sorted(platform.logins) == sorted(new.logins) == ["ana", "beto"]


async def test_a_stop_in_the_middle_of_a_removal_waits_for_nobody_who_is_gone(
    machine: Machine, platform: SimulatedPlatform
):
    platform.answer_next(None, ERROR, times=1000)
    gone = [machine.agent(login, "  targets: [json]") for login in ("ana", "beto")]
    machine.agent("carla", "  targets: [json]")
    async with serving(machine) as workstation:
        for path in gone:
            path.unlink()
        with state_cannot_be_written(machine):
            reload = asyncio.ensure_future(workstation.reload())
            while len(workstation.status()["agents"]) > 1:  # noqa: ASYNC110 - not until it is all done
                await asyncio.sleep(0)
            reload.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reload


async def test_a_log_off_that_is_under_way_is_finished_by_the_stop(machine: Machine, platform: SimulatedPlatform):
    machine.agent("ana", "  targets: [json]")
    async with serving(machine) as workstation:
        platform.answer_next("ana", Hold(), path=LOGOFF)
        leaving = asyncio.ensure_future(workstation.log_off("ana"))
        await platform.arrived(1, LOGOFF)
        stopping = asyncio.ensure_future(workstation.stop())
        for _ in range(100):
            await asyncio.sleep(0)
        platform.release()
        assert await leaving == ()
        await stopping
    assert platform.available == frozenset()
