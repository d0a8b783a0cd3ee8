"""The whole program: real processes, sockets, files and inotify, against the simulated platform."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
from pathlib import Path

import pytest

from provisioner.demo.platform import BUSY, Canned, Hold, LogOff, SimulatedAgent, SimulatedPlatform
from provisioner.edge.platform import LOGOFF
from tests.machine import Machine, until
from tests.readings import readings
from tests.saving import STYLES, rename_over

JSON = "  targets: [json]"


def account(machine: Machine, login: str) -> Path:
    (path,) = machine.home(login).rglob("json/account.json")
    return path


def display_name(machine: Machine, login: str) -> str:
    name: str = json.loads(account(machine, login).read_text())["display_name"]
    return name


async def test_agents_are_logged_in_and_files_are_where_phones_look(machine: Machine, platform: SimulatedPlatform):
    machine.agent("ana", "  targets: [jssip, json]")
    machine.agent("beto", "  targets: [linphone]")
    async with machine.running() as service:
        status = await service.logged_in("ana", "beto")
    assert sorted(platform.logins) == ["ana", "beto"]
    assert status["everybody_served"]
    assert display_name(machine, "ana") == "Ana Núñez"
    assert (machine.home("beto") / ".config/linphone/linphonerc").exists()
    files = [path for path in machine.root.joinpath("home").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


async def test_the_service_manager_is_told_everything(machine: Machine):
    machine.agent("ana", JSON)
    async with machine.running(WATCHDOG_USEC="200000") as service:
        await service.told("WATCHDOG=1", count=3)
        await service.told("STATUS=1 of 1 agents served")
        service.process.send_signal(signal.SIGHUP)
        await service.told("RELOADING=1")
        await service.told("READY=1", count=2)
        service.process.terminate()
        await service.told("STOPPING=1")
        assert await service.process.wait() == 0


async def test_a_configuration_folder_that_takes_the_place_of_another_is_followed(machine: Machine):
    machine.agent("ana", JSON)
    folder = machine.places.config
    async with machine.running(WATCHDOG_USEC="200000") as service:
        await service.logged_in("ana")
        assert (await service.reload()).code == 0  # nothing is on its way any more
        shutil.copytree(folder, folder.with_name("new"))
        folder.rename(folder.with_name("old"))
        folder.with_name("new").rename(folder)
        machine.agent("ana", JSON, "  account: {display_name: Eva}")
        await until(lambda: display_name(machine, "ana") == "Eva")


@pytest.mark.parametrize("save", STYLES, ids=lambda save: save.__name__)
async def test_an_edit_changes_the_files_and_logs_nobody_in(machine: Machine, platform: SimulatedPlatform, save):
    # Longer than a busy machine pauses between a deletion and the file that comes after it.
    machine.main.write_text(machine.main.read_text().replace("settle: 50ms", "settle: 500ms"))
    path = machine.agent("ana", JSON)
    text = path.read_text()
    async with machine.running() as service:
        await service.logged_in("ana")
        for name in ("One", "Two", "Three"):
            save(path, text + f"  account: {{display_name: {name}}}\n")
            await until(lambda name=name: display_name(machine, "ana") == name)
    assert platform.logins == ["ana"]


async def test_a_reload_that_is_asked_for_while_it_starts_comes_after_the_start(machine: Machine):
    asks = "'kill -HUP $PPID && echo pw-ana'"
    path = machine.agent("ana", JSON, password=f"{{command: [sh, -c, {asks}]}}")
    async with machine.running() as service:
        await service.logged_in("ana")
        await service.told("READY=1", count=2)
        path.write_text(path.read_text().replace("kill -HUP $PPID && ", ""))
        assert (await service.reload()).code == 0


async def test_a_hundred_edits_are_no_login(machine: Machine, platform: SimulatedPlatform):
    path = machine.agent("ana", JSON)
    text = path.read_text()
    async with machine.running() as service:
        await service.logged_in("ana")
        for number in range(100):
            path.write_text(text + f"  account: {{display_name: Name {number}, expires: {60 + number}}}\n")
            await asyncio.sleep(0)
        await until(lambda: display_name(machine, "ana") == "Name 99")
    assert platform.logins == ["ana"]


async def test_an_edit_that_follows_another_before_that_has_settled_is_the_one_that_counts(machine: Machine):
    path = machine.agent("ana", JSON)
    text = path.read_text()
    machine.main.write_text(machine.main.read_text().replace("settle: 50ms", "settle: 1s"))
    async with machine.running() as service:
        await service.logged_in("ana")
        assert (await service.reload()).code == 0  # nothing is on its way any more
        with readings(path) as next_reading:
            path.write_text(text + "  account: {display_name: One}\n")
            await next_reading()
            path.write_text(text + "  account: {display_name: Two}\n")
        await until(lambda: display_name(machine, "ana") == "Two")


async def test_bad_settings_change_nothing_and_the_status_shows_the_mistake(
    machine: Machine, platform: SimulatedPlatform
):
    path = machine.agent("ana", JSON)
    text = path.read_text()
    async with machine.running() as service:
        await service.logged_in("ana")
        files = machine.files()
        rename_over(path, text.replace("targets", "tagrets"))
        status = await service.until(lambda status: status["configuration"]["refused_at"] is not None)
        (problem,) = status["configuration"]["problems"]
        assert (Path(problem["where"]).name, problem["line"], problem["column"]) == ("ana.yaml", 5, 3)
        assert "targets" in problem["fix"]
        assert machine.files() == files
        refused = await service.reload()
        assert refused.code == 1 and "tagrets" in refused.err and "^" not in refused.out
        shown = await machine.command("status")
        assert shown.code == 4 and "refused since" in shown.out
        path.write_text(text)
        await service.until(lambda status: status["configuration"]["refused_at"] is None)
        assert (await service.reload()).code == 0
    assert platform.logins == ["ana"]


async def test_a_restart_goes_on_with_the_sessions(machine: Machine, platform: SimulatedPlatform):
    machine.agent("ana", JSON)
    async with machine.running() as service:
        await service.logged_in("ana")
    async with machine.running() as service:
        await service.logged_in("ana")
        await service.kill()
    async with machine.running() as service:
        await service.logged_in("ana")
    assert platform.logins == ["ana"]


async def test_a_boot_without_network_serves_the_last_good_files(machine: Machine, platform: SimulatedPlatform):
    machine.agent("ana", JSON)
    async with machine.running() as service:
        await service.logged_in("ana")
    platform.answer_next(None, Canned(status=502), times=1000)
    account(machine, "ana").unlink()
    async with machine.running() as service:
        status = await service.logged_in("ana")
    assert status["everybody_served"]
    assert display_name(machine, "ana") == "Ana Núñez"


async def test_a_removed_agent_is_logged_off_and_leaves_no_file(machine: Machine, platform: SimulatedPlatform):
    machine.agent("ana", JSON)
    path = machine.agent("beto", JSON)
    async with machine.running() as service:
        await service.logged_in("ana", "beto")
        path.unlink()
        await until(lambda: bool(platform.log_offs))
        status = await service.status()
    assert [agent["agent"] for agent in status["agents"]] == ["ana"]
    assert platform.log_offs == [LogOff("beto", "SIP/1002", accepted=True)]
    assert all(name.startswith("ana/") for name in machine.files())


async def test_an_agent_removed_while_the_service_was_down_is_logged_off_too(
    machine: Machine, platform: SimulatedPlatform
):
    machine.agent("ana", JSON)
    path = machine.agent("beto", JSON)
    async with machine.running() as service:
        await service.logged_in("ana", "beto")
    path.unlink()
    async with machine.running() as service:
        await service.logged_in("ana")
    assert platform.log_offs == [LogOff("beto", "SIP/1002", accepted=True)]
    assert all(name.startswith("ana/") for name in machine.files())


async def test_a_refusal_is_final_until_the_settings_change(machine: Machine, platform: SimulatedPlatform):
    path = machine.agent("ana", JSON, password="wrong")
    text = path.read_text()
    async with machine.running() as service:
        await service.until(lambda status: status["agents"][0]["login"]["state"] == "refused")
        path.write_text(text + "  account: {display_name: X}\n")
        assert (await service.reload()).code == 0
        assert platform.logins == ["ana"]
        path.write_text(text.replace("wrong", "pw-ana"))
        await service.logged_in("ana")
    assert platform.logins == ["ana", "ana"]


async def test_trouble_is_tried_again_and_told(machine: Machine, platform: SimulatedPlatform):
    platform.answer_next("ana", Canned(status=503, headers={"Retry-After": "1"}))
    platform.answer_next("ana", Hold())
    machine.agent("ana", JSON)
    async with machine.running() as service:
        status = await service.until(lambda status: "cause" in status["agents"][0]["login"])
        assert "503" in status["agents"][0]["login"]["cause"]
        await platform.arrived(2)
        platform.release()
        await service.logged_in("ana")
    assert platform.logins == ["ana", "ana"]


async def test_log_off_and_refresh_by_command(machine: Machine, platform: SimulatedPlatform):
    path = machine.agent("ana", JSON)
    async with machine.running() as service:
        await service.logged_in("ana")
        assert (await machine.command("log-off", "ana")).code == 0
        assert platform.log_offs == [LogOff("ana", "SIP/1001", accepted=True)]
        # Nobody undoes what IT asked for: neither an edit nor a restart.
        path.write_text(path.read_text() + "  account: {display_name: X}\n")
        assert (await service.reload()).code == 0
        assert platform.logins == ["ana"]
    async with machine.running() as service:
        status = await service.status()
        assert status["agents"][0]["login"]["state"] == "logged off"
        assert (await machine.command("refresh", "ana")).code == 0
        assert platform.logins == ["ana", "ana"]
        assert display_name(machine, "ana") == "X"
        unknown = await machine.command("refresh", "nobody")
        assert unknown.code == 1 and "it serves: ana" in unknown.err
        platform.put(SimulatedAgent("ana", "changed", "1001"))
        refused = await machine.command("refresh", "ana")
        assert "(correct `password:`, or ask the platform's administrator)" in refused.err
        assert refused.code == 1 and "refused" in refused.err


async def test_everybody_is_logged_off_at_the_stop_where_that_is_set(machine: Machine, platform: SimulatedPlatform):
    machine.main.write_text(machine.main.read_text().replace("splay: 0s", "splay: 0s, log_off_on_stop: true"))
    machine.agent("ana", JSON)
    machine.agent("beto", JSON)
    async with machine.running() as service:
        await service.logged_in("ana", "beto")
    assert sorted(one.login for one in platform.log_offs) == ["ana", "beto"]
    assert platform.available == frozenset()


async def test_another_address_is_another_login_and_the_old_session_is_ended(machine, platform: SimulatedPlatform):
    machine.agent("ana", JSON)
    async with machine.running() as service:
        await service.logged_in("ana")
        machine.main.write_text(machine.main.read_text().replace("127.0.0.1", "localhost"))
        await until(lambda: len(platform.logins) == 2)
        await service.logged_in("ana")
    assert platform.log_offs == [LogOff("ana", "SIP/1001", accepted=True)]


async def test_a_change_that_removes_many_needs_force(machine: Machine, platform: SimulatedPlatform):
    logins = [f"agent{number}" for number in range(10)]
    for login in logins:
        platform.put(SimulatedAgent(login, f"pw-{login}", login[5:]))
    files = [machine.agent(login, JSON) for login in logins]
    leaving = files[0]  # four who leave in one moment, whenever somebody looks
    leaving.write_text("agents:\n" + "".join(file.read_text().removeprefix("agents:\n") for file in files[:4]))
    for file in files[1:4]:
        file.unlink()
    async with machine.running() as service:
        await service.logged_in(*logins)
        leaving.unlink()
        refused = await service.reload()
        assert refused.code == 1 and "would remove 4 of 10 agents" in refused.err
        assert len(machine.files()) == 10
        assert (await service.reload("--force")).code == 0
        assert len(machine.files()) == 6


async def test_a_reload_that_somebody_asks_for_repairs_drift(machine: Machine, platform: SimulatedPlatform):
    machine.agent("ana", JSON)
    async with machine.running() as service:
        await service.logged_in("ana")
        before = machine.files()
        for path in machine.home("ana").rglob("account.json"):
            path.unlink()
        assert (await service.reload()).code == 0
        assert machine.files() == before and len(before) == 1
    assert platform.logins == ["ana"]


async def test_drift_is_repaired_by_the_slow_check_and_nobody_is_logged_in(machine: Machine, platform):
    machine.main.write_text(machine.main.read_text().replace("settle: 50ms", "settle: 50ms, check_every: 1s"))
    machine.agent("ana", JSON)
    async with machine.running() as service:
        await service.logged_in("ana")
        path = account(machine, "ana")
        good = path.read_text()
        path.unlink()
        await until(path.exists)
        path.write_text("{}")
        await until(lambda: path.read_text() == good)
        path.chmod(0o644)
        await until(lambda: path.stat().st_mode & 0o777 == 0o600)
    assert platform.logins == ["ana"]


async def test_a_slow_check_that_is_to_come_sooner_does(machine: Machine):
    text = machine.main.read_text()
    machine.main.write_text(text.replace("settle: 50ms", "settle: 50ms, check_every: 1h"))
    machine.agent("ana", JSON)
    async with machine.running() as service:
        await service.logged_in("ana")
        machine.main.write_text(text.replace("settle: 50ms", "settle: 50ms, check_every: 1s"))
        assert (await service.reload()).code == 0
        path = account(machine, "ana")
        path.unlink()
        await until(path.exists)


async def test_a_site_target_that_is_dropped_in_works_at_once(machine: Machine):
    path = machine.agent("ana", JSON)
    async with machine.running() as service:
        await service.logged_in("ana")
        shipped = Path(__file__).parents[1] / "templates" / "json"
        shutil.copytree(shipped, machine.places.site_templates / "own")
        path.write_text(path.read_text().replace("[json]", "[json, {target: own, path: ~/own}]"))
        await until(lambda: (machine.home("ana") / "own" / "account.json").exists())


async def test_a_target_that_cannot_work_is_explained_and_the_others_go_on(machine: Machine):
    machine.agent("ana", "  targets: [twinkle, json]")
    async with machine.running() as service:
        status = await service.logged_in("ana")
    twinkle, other = status["agents"][0]["targets"]
    assert twinkle["state"] == "not written"
    assert any("488" in problem["what"] for problem in twinkle["problems"])
    assert other["state"] in ("written", "unchanged")
    assert not status["everybody_served"]


async def test_the_reload_command_is_run_when_files_were_written_and_only_then(machine: Machine):
    runs = machine.root / "runs"
    command = f"[/bin/sh, -c, 'echo x >> {runs}']"
    path = machine.agent("ana", f"  targets: [{{target: json, reload: {command}}}]")
    async with machine.running() as service:
        await service.logged_in("ana")
        await until(lambda: runs.exists() and runs.read_text() == "x\n")
        assert (await service.reload()).code == 0
        path.write_text(path.read_text() + "  account: {display_name: X}\n")
        await until(lambda: runs.read_text() == "x\nx\n")
        assert (await service.reload()).code == 0
        assert runs.read_text() == "x\nx\n"
        assert (await service.status())["everybody_served"]


async def test_a_reload_command_that_fails_is_told(machine: Machine):
    machine.agent("ana", "  targets: [{target: json, reload: [/bin/false]}]")
    async with machine.running() as service:
        status = await service.until(lambda status: bool(status["agents"][0]["problems"]))
    assert "/bin/false failed with exit code 1" in status["agents"][0]["problems"][0]["what"]


async def test_only_agents_of_this_workstation_are_served(machine: Machine, platform: SimulatedPlatform):
    machine.agent("ana", JSON, "  workstations: [ws-1*]")
    machine.agent("beto", JSON, "  workstations: [ws-2*]")
    async with machine.running("--workstation", "WS-17.contact-centre.example") as service:
        await service.logged_in("ana")
    assert platform.logins == ["ana"]


async def test_a_second_service_with_the_same_state_is_refused(machine: Machine):
    machine.agent("ana", JSON)
    async with machine.running():
        second = await machine.command("run")
    assert second.code == 1
    assert "another provisioner runs with this state" in second.err


async def test_without_a_usable_configuration_it_ends_with_78(machine: Machine):
    machine.main.write_text("platform: {}\n")
    done = await machine.command("run")
    assert done.code == 78
    assert "provisioner.yaml:1:11: `url` is missing here" in done.err


async def test_the_log_says_once_what_keeps_an_agent_from_being_logged_in(machine: Machine):
    agent = machine.agent("ana", JSON)
    agent.write_text(agent.read_text().replace("pw-ana", "{file: /nowhere}"))
    async with machine.running() as service:
        await service.reload()
        machine.agent("beto", JSON)
        await service.reload()
        agent.write_text(agent.read_text().replace("/nowhere", "/nowhere-else"))
        await service.reload()
    said = [line for line in service.log.read_text().splitlines() if "nowhere" in line]
    assert len(said) == 3 and "nowhere-else" in said[1] and "agent ana: over: " in said[2]
    assert all(f"{agent}:2:3: the password's file" in line for line in said)


async def test_the_log_tells_of_a_broken_template_and_of_a_refusal_and_when_they_are_over(machine: Machine):
    shipped, own = Path(__file__).parents[1] / "templates" / "json", machine.places.site_templates / "own"
    shutil.copytree(shipped, own)
    machine.agent("ana", "  targets: [own]")
    template, mistake = own / "account.json.j2", machine.agents_d / "mistake.yaml"
    right = template.read_text()
    async with machine.running() as service:
        await service.logged_in("ana")
        before = len(service.log.read_text())
        rename_over(mistake, "agents: [")
        assert (await service.reload()).code == 1  # what is refused hides what is broken, so the refusal comes first
        rename_over(template, "{% if")
        assert (await service.reload()).code == 1
        mistake.unlink()
        for _ in range(2):
            assert (await service.reload()).code == 0
        rename_over(template, right)
        assert (await service.reload()).code == 0
        said = [line.split(maxsplit=1)[1] for line in service.log.read_text()[before:].splitlines()]
    refused, in_force, broken, over = said
    assert refused.startswith(f"ERROR   configuration refused: {mistake}:")
    assert in_force == "INFO    configuration: what is on the disk is in force"
    assert broken.startswith(f"WARNING {template}:1:1: this is not a Jinja template")
    assert over.startswith(f"INFO    over: {template}:1:1: this is not a Jinja template")


async def test_files_stay_as_they_are_while_a_password_cannot_be_read_and_nobody_logs_in_with_it(
    machine: Machine, platform: SimulatedPlatform
):
    platform.put(SimulatedAgent("ana", "pw-ana", "1001", realm="acme"))
    machine.main.write_text(machine.main.read_text().replace("platform:\n", "platform:\n  realms: [acme]\n"))
    agent, password = machine.agent("ana", JSON), machine.root / "password"
    agent.write_text(agent.read_text().replace("pw-ana", "{file: /password}"))
    password.touch(mode=0o600)
    password.write_text("pw-ana\n")
    async with machine.running() as service:
        await service.logged_in("ana")
        before = machine.files()
        password.rename(machine.root / "away")
        for _ in range(2):
            assert (await service.reload()).code == 0
        assert not (await service.status())["everybody_served"] and machine.files() == before
        assert (await machine.command("refresh", "ana")).code == 1
        (machine.root / "away").rename(password)
        assert (await service.reload()).code == 0
        await service.until(lambda status: status["everybody_served"])
    assert platform.logins == ["ana", "ana"]  # the refresh was still due
    assert machine.files() == before


@pytest.mark.parametrize("verb", [["status"], ["reload", "--wait"], ["refresh", "ana"], ["log-off", "ana"]])
async def test_without_a_service_the_light_verbs_end_with_3(machine: Machine, verb: list[str]):
    done = await machine.command(*verb)
    assert done.code == 3
    # `systemctl start` alone says nothing where it starts nothing, as without a configuration.
    assert "the service is not running (`provisioner check`, then `systemctl start" in done.err


async def test_the_status_as_metrics_says_who_is_served_and_whether_anybody_answers(machine: Machine):
    machine.agent("ana", JSON)
    async with machine.running() as service:
        await service.logged_in("ana")
        told = await machine.command("status", "--format", "metrics")
    down = await machine.command("status", "--format", "metrics")
    assert told.code == 0
    for line in ("up 1", 'agent_served{agent="ana"} 1', 'target_in_place{agent="ana",target="json"} 1'):
        assert f"softphone_provisioner_{line}\n" in told.out
    assert (down.code, down.out.splitlines()[-1]) == (3, "softphone_provisioner_up 0")
    assert "the service is not running" in down.err


async def test_a_log_off_that_fails_is_told_and_the_session_forgotten(machine: Machine, platform: SimulatedPlatform):
    machine.agent("ana", JSON)
    async with machine.running() as service:
        await service.logged_in("ana")
        platform.answer_next("ana", BUSY, path=LOGOFF)
        done = await machine.command("log-off", "ana")
        assert done.code == 1 and "the log-off failed" in done.err
        assert (await service.status())["agents"][0]["login"]["state"] == "logged off"
