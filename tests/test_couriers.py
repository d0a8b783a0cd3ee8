"""The daemon and couriers of other users, all as real processes."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import stat
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from provisioner.demo.platform import LOGOFF, SimulatedPlatform
from provisioner.edge.catalog import shipped
from tests.machine import Machine, Service, until
from tests.session import ANA, BETO, home_of, root_only, session, shared_machine, users

pytestmark = root_only
NAMELESS = 54321


@pytest.fixture
async def floor(platform: SimulatedPlatform) -> AsyncIterator[Machine]:
    """A workstation that every user of this machine can look into, as /run and /home are."""
    async with shared_machine(platform) as machine:
        machine.agent("ana", f"  user: {ANA.pw_name}", "  targets: [json]")
        home_of(machine, "ana", ANA)
        yield machine


def policy(machine: Machine, **login: str) -> None:
    words = ", ".join(f"{key}: {value}" for key, value in {"splay": "0s", "first_retry": "1s", **login}.items())
    machine.main.write_text(f"platform:\n  url: {machine.url}\nlogin: {{{words}}}\nwatch: {{settle: 50ms}}\n")


def states(status: dict[str, Any], login: str = "ana") -> list[str]:
    (agent,) = [one for one in status["agents"] if one["agent"] == login]
    return [target["state"] for target in agent["targets"]]


def said(status: dict[str, Any], login: str = "ana") -> str:
    (agent,) = [one for one in status["agents"] if one["agent"] == login]
    return " ".join(problem["what"] for problem in agent["problems"])


def login_of(status: dict[str, Any], login: str = "ana") -> str:
    (agent,) = [one for one in status["agents"] if one["agent"] == login]
    return agent["login"]["state"]


def name_in(machine: Machine, login: str = "ana") -> str:
    (path,) = machine.home(login).rglob("account.json")
    return str(json.loads(path.read_text())["display_name"])


def with_files(machine: Machine) -> set[str]:
    """Whose homes hold an account."""
    homes = machine.root / "home"
    return {path.relative_to(homes).parts[0] for path in homes.rglob("account.json")}


async def delivered(service: Service, login: str = "ana") -> dict[str, Any]:
    return await service.until(lambda status: states(status, login) in (["written"], ["unchanged"]))


async def test_files_wait_for_the_session_and_are_the_users_own(floor: Machine):
    async with floor.running() as service:
        waiting = await service.until(lambda status: states(status) == ["waits for the session"])
        assert said(waiting) == f"the files wait for a session of {ANA.pw_name}"
        assert floor.files() == {}
        async with session(floor, ANA, floor.home("ana")):
            await delivered(service)
            (path,) = floor.home("ana").rglob("account.json")
            found = path.stat()
            assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (ANA.pw_uid, ANA.pw_gid, 0o600)


async def test_an_edit_reaches_the_session_and_a_courier_that_comes_back_costs_no_login(
    floor: Machine, platform: SimulatedPlatform
):
    path = floor.agents_d / "ana.yaml"
    async with floor.running() as service:
        async with session(floor, ANA, floor.home("ana")):
            await delivered(service)
            path.write_text(path.read_text() + "  account: {display_name: New Name}\n")
            await until(lambda: name_in(floor) == "New Name")
        async with session(floor, ANA, floor.home("ana")):
            await service.until(lambda status: states(status) == ["unchanged"])
    assert platform.logins == ["ana"]


async def test_a_daemon_that_comes_back_finds_the_courier_again(floor: Machine, platform: SimulatedPlatform):
    async with session(floor, ANA, floor.home("ana")):
        for _ in range(2):
            async with floor.running() as service:
                await delivered(service)
    assert platform.logins == ["ana"]


async def test_what_somebody_did_to_a_file_is_undone_in_the_session(floor: Machine):
    floor.main.write_text(floor.main.read_text().replace("settle: 50ms", "settle: 50ms, check_every: 1s"))
    async with floor.running() as service, session(floor, ANA, floor.home("ana")):
        await delivered(service)
        (path,) = floor.home("ana").rglob("account.json")
        good = path.read_text()
        path.unlink()
        await until(path.exists)
        assert path.read_text() == good


async def test_an_edit_that_was_taken_back_while_the_courier_was_slow_does_not_stay(floor: Machine):
    path = floor.agents_d / "ana.yaml"
    before = path.read_text()
    async with floor.running() as service, session(floor, ANA, floor.home("ana")) as courier:
        await delivered(service)
        assert (await service.reload()).code == 0  # nothing is under way any more
        courier.send_signal(signal.SIGSTOP)
        for text in (before + "  account: {display_name: Eva}\n", before):
            path.write_text(text)
            assert (await service.reload()).code == 0
        courier.send_signal(signal.SIGCONT)
        await until(lambda: service.log.read_text().count("json written") == 3)
        assert name_in(floor) == "Ana Núñez"


async def test_a_reload_command_is_run_by_the_user(floor: Machine):
    told = floor.home("ana") / "told"
    floor.agent("ana", f"  user: {ANA.pw_name}", f"  targets: [{{target: json, reload: [/usr/bin/touch, {told}]}}]")
    async with floor.running() as service, session(floor, ANA, floor.home("ana")):
        await delivered(service)
        await until(told.exists)
        assert told.stat().st_uid == ANA.pw_uid


async def test_nobody_is_given_the_files_of_another(floor: Machine):
    floor.agent("beto", f"  user: {BETO.pw_name}", "  targets: [json]")
    home_of(floor, "beto", BETO)
    async with floor.running() as service, session(floor, BETO, floor.home("beto")):
        status = await delivered(service, "beto")
        assert states(status, "ana") == ["waits for the session"]
        assert with_files(floor) == {"beto"}


async def test_an_agent_who_is_taken_away_while_nobody_is_there_leaves_no_file(floor: Machine):
    async with floor.running() as service:
        async with session(floor, ANA, floor.home("ana")):
            await delivered(service)
        (floor.agents_d / "ana.yaml").write_text("agents: []\n")
        await service.until(lambda status: not status["agents"])
        assert list(floor.home("ana").rglob("account.json"))
        async with session(floor, ANA, floor.home("ana")):
            await until(lambda: not list(floor.home("ana").rglob("account.json")))


async def test_an_agent_who_gets_another_user_leaves_no_file_at_the_first(floor: Machine):
    beto = home_of(floor, "beto", BETO)
    path = floor.agents_d / "ana.yaml"
    async with (
        floor.running() as service,
        session(floor, ANA, floor.home("ana")),
        session(floor, BETO, beto),
    ):
        await delivered(service)
        path.write_text(path.read_text().replace(ANA.pw_name, BETO.pw_name).replace("/home/ana", "/home/beto"))
        await until(lambda: with_files(floor) == {"beto"})


async def test_nor_by_a_login_while_others_are_still_taken_away(floor: Machine):
    def settle(user: str) -> None:
        floor.agent("ana", user, "  targets: [json]")
        floor.agent("beto", f"  user: {BETO.pw_name}" if user else f"  user: {ANA.pw_name}", "  targets: [json]")

    settle("")
    home = home_of(floor, "beto", ANA)
    async with floor.running() as service, session(floor, ANA, home) as courier:
        await delivered(service)
        await delivered(service, "beto")
        courier.send_signal(signal.SIGSTOP)
        settle(f"  user: {BETO.pw_name}")
        await until(lambda: "ana" not in with_files(floor))
        await floor.command("refresh", "ana")
        courier.send_signal(signal.SIGCONT)
        await service.until(lambda status: states(status) == states(status, "beto") == ["waits for the session"])
    assert with_files(floor) == set()


# A number that another user has now


async def test_a_new_user_with_an_old_number_gets_nothing_of_who_had_it(floor: Machine):
    users(floor)
    async with floor.running() as service:
        await service.until(lambda status: states(status) == ["waits for the session"])
        users(floor, (ANA.pw_name, "heir"))
        async with session(floor, ANA, floor.home("ana")):
            await service.until(lambda status: f"there is no user `{ANA.pw_name}`" in said(status))
            await until(lambda: f"user {ANA.pw_uid}: session began" in service.log.read_text())
        await until(lambda: f"user {ANA.pw_uid}: session over" in service.log.read_text())
    assert with_files(floor) == set()


async def test_nor_while_the_configuration_cannot_be_read(floor: Machine):
    users(floor)
    async with floor.running() as service:
        await service.until(lambda status: states(status) == ["waits for the session"])
        good = floor.main.read_text()
        floor.main.write_text("platform: {}\n")
        await service.until(lambda status: status["configuration"]["refused_at"] is not None)
        users(floor, (ANA.pw_name, "heir"))
        async with session(floor, ANA, floor.home("ana")):
            await until(lambda: service.log.read_text().count("not whom the configuration meant") > 1)
            assert with_files(floor) == set() and "session began" not in service.log.read_text()
            users(floor)
            floor.main.write_text(good)
            await delivered(service)


async def test_a_user_whom_nobody_knows_at_the_moment_goes_on(floor: Machine):
    users(floor)
    async with floor.running() as service:
        await service.until(lambda status: states(status) == ["waits for the session"])
        (floor.root / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        async with session(floor, ANA, floor.home("ana")):
            await delivered(service)


# login: {at: session}


async def test_nobody_is_logged_in_before_the_session_begins(floor: Machine, platform: SimulatedPlatform):
    policy(floor, at="session", session_grace="100ms")
    async with floor.running() as service:
        status = await service.until(lambda status: login_of(status) == "away")
        assert status["everybody_served"] and platform.logins == []
        shown = await floor.command("status")
        assert shown.code == 0 and f"ana: away, {ANA.pw_name} has no session now" in shown.out
        async with session(floor, ANA, floor.home("ana")):
            await delivered(service)
        await platform.arrived(1, LOGOFF)
        assert platform.logins == ["ana"] and platform.available == frozenset()
        async with session(floor, ANA, floor.home("ana")):
            await platform.arrived(2)
            await service.until(lambda status: login_of(status) == "logged in")
    assert platform.logins == ["ana", "ana"]


async def test_a_courier_that_is_back_within_the_grace_time_logs_nobody_off(
    floor: Machine, platform: SimulatedPlatform
):
    policy(floor, at="session", session_grace="1m")
    async with floor.running() as service:
        for _ in range(3):
            async with session(floor, ANA, floor.home("ana")):
                await delivered(service)
    assert platform.logins == ["ana"] and platform.log_offs == []


async def test_a_session_that_ended_while_the_daemon_was_away_is_logged_off(
    floor: Machine, platform: SimulatedPlatform
):
    policy(floor, at="session", session_grace="200ms")
    async with floor.running() as service, session(floor, ANA, floor.home("ana")):
        await delivered(service)
        await service.kill()
    async with floor.running() as service:
        await platform.arrived(1, LOGOFF)
        await service.until(lambda status: login_of(status) == "away")
    assert platform.logins == ["ana"]


async def test_a_policy_that_becomes_session_logs_off_whoever_is_away(floor: Machine, platform: SimulatedPlatform):
    async with floor.running():
        await platform.arrived(1)
        policy(floor, at="session", session_grace="100ms")
        await platform.arrived(1, LOGOFF)
        policy(floor, at="start")
        await platform.arrived(2)


# Other commands


async def test_plan_looks_into_a_home_as_its_user_owns_it(floor: Machine):
    async with floor.running() as service, session(floor, ANA, floor.home("ana")):
        await delivered(service)
    planned = await floor.command("plan")
    assert (planned.code, planned.out) == (0, "ana: stays logged in\n  json: over wss\n  nothing to change\n")


@pytest.mark.parametrize("uid", [ANA.pw_uid, NAMELESS])
async def test_a_state_of_another_user_is_left_alone_and_how_to_become_that_one_is_told(floor: Machine, uid: int):
    floor.places.state.mkdir(mode=0o700, parents=True)
    os.chown(floor.places.state, uid, uid)
    applied = await floor.command("apply")
    assert applied.code == 1 and "this state belongs to another user" in applied.err
    assert list(floor.places.state.iterdir()) == []
    becoming = applied.err.partition("`")[2].partition(" …`")[0]
    asked = await asyncio.create_subprocess_exec(*becoming.split(), "id", "-u", stdout=asyncio.subprocess.PIPE)
    assert (await asked.communicate())[0].decode() == f"{uid}\n"


async def test_root_who_checks_is_told_of_files_in_the_home_of_the_service(floor: Machine):
    floor.agents_d.joinpath("ana.yaml").write_text(
        "agents: [{login: ana, password: x, targets: [json]}, {login: beto, password: x, targets: [json]}]\n"
    )
    floor.places.state.mkdir(mode=0o700, parents=True)
    os.chown(floor.places.state, ANA.pw_uid, ANA.pw_gid)
    told = await floor.command("check")
    assert f"would write {floor.root}{ANA.pw_dir}/.config" in told.err


async def test_root_who_checks_is_told_what_the_service_cannot_read(floor: Machine):
    turn, secret, own = floor.root / "srv/turn", floor.root / "srv/secret", floor.places.site_templates / "own"
    secret.parent.mkdir()
    secret.write_text("pw")
    turn.write_text("pw")
    servers = "[{server: turn.acme.example, user: phones, password: {file: /srv/turn}}]"
    floor.main.write_text(floor.main.read_text().replace("platform:", f"platform:\n  turn: {servers}"))
    shutil.copytree(shipped() / "json", own)
    template = next(own.glob("*.j2"))
    # The service reads none of these: an editor's, a version control's.
    floor.agents_d.joinpath(".ana.yaml").write_text("agents: []\n")
    own.joinpath(".manifest.yaml.swp").write_text("")
    own.parent.joinpath(".git").mkdir(mode=0o700)
    agents = floor.agents_d / "ana.yaml"
    agents.write_text("agents: [{login: ana, password: {file: /srv/secret}, targets: [json]}]\n")
    floor.places.state.mkdir(mode=0o700, parents=True)
    for file in (secret, turn, agents, template, floor.agents_d / ".ana.yaml", own / ".manifest.yaml.swp"):
        file.chmod(0o600)
    assert (await floor.command("check")).code == 0
    os.chown(floor.places.state, ANA.pw_uid, ANA.pw_gid)
    told = await floor.command("check")
    assert told.code == 1
    what = f"root can read this, but not {ANA.pw_name}, whom the service runs as"
    assert [line.partition(" (")[0] for line in told.err.splitlines()] == [
        f"{agents}: {what}",
        f"{template}: {what}",
        f"{secret}: {what}",
        f"{turn}: {what}",
    ]
    for file in (secret, turn, agents, template):
        os.chown(file, ANA.pw_uid, 0)
    for folder in (floor.places.config, floor.agents_d, own.parent, own):
        folder.chmod(0o700)
        assert f"chmod 750 {folder};" in (await floor.command("check")).err
        folder.chmod(0o755)
    assert (await floor.command("check")).code == 0


@pytest.mark.parametrize("power", ["setgid", "setuid"])
async def test_root_who_cannot_become_the_service_checks_all_the_same(floor: Machine, power: str):
    floor.places.state.mkdir(mode=0o700, parents=True)
    os.chown(floor.places.state, ANA.pw_uid, ANA.pw_gid)
    check = (sys.executable, "-m", "provisioner", "check", "--root", str(floor.root))
    checked = await asyncio.create_subprocess_exec("setpriv", f"--bounding-set=-{power}", "--", *check)
    assert await checked.wait() == 0
