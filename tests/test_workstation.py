"""All agents of a workstation together: who may write where when several change at once, and what a night costs."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from provisioner.demo.platform import SimulatedPlatform
from provisioner.edge.kept_ports import KeptPorts
from provisioner.edge.service import ServiceManager
from provisioner.opening import here, open_bench
from provisioner.workstation import Workstation
from tests.machine import Machine, until

SHARED = "  targets: [{target: json, path: /srv/shared}]"


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
        await until(lambda: shared.exists() and json.loads(shared.read_text())["agent"] == "ana")
        await service.until(lambda status: status["everybody_served"])
    assert sorted(platform.logins) == ["ana", "beto"]


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
        assert "agent ana: what is over stays in the state until the next start" in service.log.read_text()
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
    with open_bench(machine.places, "ws") as bench:
        assert bench.store.sessions().keys() == {"beto"} and bench.cycle.agents() == {"beto"}


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


@pytest.mark.parametrize(
    ("policy", "seconds", "logins"),
    [("1h", 3599.0, 1), ("1h", 3600.0, 2), ("0s", 1e6, 1), ("1m", 61.0, 2)],
)
async def test_a_suspended_machine_logs_in_again_when_the_platform_must_have_lost_the_agent(
    machine: Machine, platform: SimulatedPlatform, policy: str, seconds: float, logins: int
):
    machine.agent("ana", "  targets: [json]")
    machine.main.write_text(machine.main.read_text().replace("splay: 0s", f"splay: 0s, again_after: {policy}"))
    with open_bench(machine.places, "ws") as bench:
        async with asyncio.TaskGroup() as group:
            workstation = Workstation(bench, here().chances, group.create_task, KeptPorts(ServiceManager({})))
            assert await workstation.reload() == ()
            await workstation.first_logins()
            workstation.resumed(seconds)
            await platform.arrived(logins)
            await workstation.stop()
    assert len(platform.logins) == logins
