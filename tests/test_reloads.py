"""Phones are told that their files changed: by real commands of a real service."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from provisioner.demo.platform import SimulatedPlatform
from provisioner.edge.store import open_store
from tests.machine import Machine, Service, until
from tests.session import ANA, home_of, root_only, session, shared_machine

FAST = "first_retry: 100ms, longest_retry: 200ms, busy_every: 100ms"


@dataclass(frozen=True)
class Phone:
    """A phone made of files: whenever it is told, it writes down the display name that it finds. While ``call`` is
    there it is in a call."""

    machine: Machine
    folder: Path
    user: str = ""

    @property
    def path(self) -> Path:
        return self.machine.home("ana") / ".config/softphone-provisioner/json/account.json"

    @property
    def call(self) -> Path:
        return self.folder / "call"

    def answers(self, code: int) -> None:
        (self.folder / "code").write_text(str(code))

    def told(self) -> list[str]:
        """The names that it was told of, in order."""
        runs = self.folder / "runs"
        return runs.read_text().splitlines() if runs.exists() else []

    def name(self) -> str:
        """What is in its file now."""
        return str(json.loads(self.path.read_text())["display_name"])

    def settle(self, name: str, more: str = FAST) -> None:
        """Write the agent's YAML, as IT does."""
        user = [f"  user: {self.user}"] if self.user else []
        command = f"[{self.folder}/tell, '{{folder}}/account.json']"
        reload = f"reload: {{command: {command}, {more}}}"
        self.machine.agent(
            "ana", *user, f"  targets: [{{target: json, {reload}}}]", f"  account: {{display_name: {name}}}"
        )


def phone(machine: Machine, user: str = "") -> Phone:
    folder = machine.root / "phone"
    folder.mkdir()
    script = folder / "tell"
    script.write_text(
        "#!/bin/sh\n"
        f'sed -n \'s/.*"display_name": *"\\([^"]*\\)".*/\\1/p\' "$1" >> {folder}/runs\n'
        f"while [ -e {folder}/hold ]; do sleep 0.05; done\n"
        f"exit $(cat {folder}/code)\n"
    )
    script.chmod(0o755)
    made = Phone(machine, folder, user)
    made.answers(0)
    return made


def busy(made: Phone, limit: str = "10m") -> str:
    return f"{FAST}, busy_command: [/usr/bin/test, -e, {made.call}], busy_limit: {limit}"


def target(status: dict[str, Any]) -> dict[str, Any]:
    found = status["agents"][0]["targets"]
    return dict(found[0]) if found else {"state": "", "reload": None}


def is_at_rest(status: dict[str, Any]) -> bool:
    found = target(status)
    return found["state"] in ("written", "unchanged") and found["reload"] is None


def is_in(state: str) -> Any:
    return lambda status: (target(status)["reload"] or {}).get("state") == state


async def at_rest(service: Service, made: Phone, name: str) -> None:
    """Wait until the phone has been told of ``name`` and nothing is left to do."""
    await until(lambda: name in made.told())
    await service.until(is_at_rest)


def everything(machine: Machine, table: str) -> str:
    """All that a table of the state holds, as text."""
    database = sqlite3.connect(machine.places.state / "state.sqlite")
    try:
        return str(database.execute(f"SELECT * FROM {table}").fetchall())
    finally:
        database.close()


def rows(machine: Machine, table: str, state: Path | None = None) -> int:
    database = sqlite3.connect((state or machine.places.state) / "state.sqlite")
    try:
        return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    finally:
        database.close()


async def test_a_hundred_edits_are_told_a_few_times_and_the_last_one_for_certain(machine: Machine):
    machine.main.write_text(machine.main.read_text().replace("settle: 50ms", "settle: 500ms"))
    made = phone(machine)
    made.settle("N0")
    async with machine.running() as service:
        await at_rest(service, made, "N0")
        for number in range(1, 101):
            made.settle(f"N{number}")
        await at_rest(service, made, "N100")
    assert made.told()[-1] == "N100" and len(made.told()) < 8


async def test_files_that_come_while_the_command_runs_are_told_too(machine: Machine):
    made = phone(machine)
    made.settle("Ana")
    (made.folder / "hold").touch()
    async with machine.running() as service:
        await until(lambda: made.told() == ["Ana"])
        made.settle("Eva")
        await until(lambda: made.name() == "Eva")
        await service.until(lambda status: (target(status)["reload"] or {}).get("count") == 0)
        (made.folder / "hold").unlink()
        await at_rest(service, made, "Eva")
    assert made.told() == ["Ana", "Eva"]


async def test_a_failure_is_tried_again_until_it_works(machine: Machine, platform: SimulatedPlatform):
    made = phone(machine)
    made.answers(7)
    made.settle("Ana")
    async with machine.running() as service:
        status = await service.until(is_in("pending"))
        await until(lambda: len(made.told()) >= 3)
        status = await service.until(lambda status: (target(status)["reload"] or {}).get("count", 0) >= 2)
        assert target(status)["reload"]["code"] == 7 and target(status)["reload"]["next_at"]
        assert "failed with exit code 7" in status["agents"][0]["problems"][0]["what"]
        assert not status["everybody_served"]
        shown = await machine.command("status")
        assert shown.code == 4 and "reload pending since" in shown.out and "with exit code 7" in shown.out
        made.answers(0)
        assert (await service.until(is_at_rest))["everybody_served"]
        await until(lambda: rows(machine, "reload") == 0)
    assert platform.logins == ["ana"]


async def test_a_final_code_ends_it_until_something_changes(machine: Machine):
    made = phone(machine)
    made.answers(3)
    made.settle("Ana", f"{FAST}, final_codes: [3]")
    async with machine.running() as service:
        status = await service.until(is_in("gave up"))
        assert target(status)["reload"]["next_at"] is None
        assert (await service.reload()).code == 0
        made.answers(0)
        made.settle("Eva", f"{FAST}, final_codes: [3]")
        await at_rest(service, made, "Eva")
    assert made.told() == ["Ana", "Eva"]


async def test_another_command_is_tried_after_a_final_code(machine: Machine):
    made = phone(machine)
    made.answers(3)
    made.settle("Ana", f"{FAST}, final_codes: [3]")
    async with machine.running() as service:
        await service.until(is_in("gave up"))
        made.answers(0)
        made.settle("Ana", f"{FAST}, final_codes: [4]")
        await service.until(is_at_rest)
    assert made.told() == ["Ana", "Ana"]


async def test_asking_for_a_refresh_tries_again_after_a_final_code(machine: Machine):
    made = phone(machine)
    made.answers(3)
    made.settle("Ana", f"{FAST}, final_codes: [3]")
    async with machine.running() as service:
        await service.until(is_in("gave up"))
        made.answers(0)
        await machine.command("refresh", "ana")
        await service.until(is_at_rest)
    assert made.told() == ["Ana", "Ana"]


@pytest.mark.parametrize("killed", [False, True])
async def test_what_is_pending_survives_the_end_of_the_service(
    machine: Machine, platform: SimulatedPlatform, killed: bool
):
    made = phone(machine)
    made.answers(1)
    made.settle("Ana")
    async with machine.running() as service:
        await service.until(lambda status: (target(status)["reload"] or {}).get("count", 0) >= 2)
        if killed:
            await service.kill()
    made.answers(0)
    runs = len(made.told())
    async with machine.running() as service:
        await until(lambda: len(made.told()) > runs)
        await service.until(is_at_rest)
    assert platform.logins == ["ana"]


async def test_wherever_the_power_goes_the_phone_is_told_of_the_last_files(machine: Machine):
    made = phone(machine)
    made.settle("N0")
    for number in range(1, 7):
        async with machine.running() as service:
            await until(lambda: made.path.exists())
            # It dies anywhere between the reading of this and the end of the command.
            made.settle(f"N{number}")
            await asyncio.sleep(0.05 * number)
            await service.kill()
        async with machine.running() as service:
            await at_rest(service, made, f"N{number}")
            await service.kill()


async def test_a_crash_between_files_and_command_costs_a_second_call_and_no_missing_one(machine: Machine):
    made = phone(machine)
    made.settle("Ana")
    async with machine.running() as service:
        await at_rest(service, made, "Ana")
        (machine.root / "stop").touch()
        made.settle("Eva", f"{FAST}, running_command: [/bin/sh, -c, 'while [ -e {machine.root}/stop ]; do :; done']")
        await until(lambda: made.name() == "Eva")
        await service.kill()
    (machine.root / "stop").unlink()
    assert made.told() == ["Ana"]
    async with machine.running() as service:
        await at_rest(service, made, "Eva")


async def test_a_final_failure_stays_one_after_a_restart(machine: Machine):
    made = phone(machine)
    made.answers(3)
    made.settle("Ana", f"{FAST}, final_codes: [3]")
    async with machine.running() as service:
        await service.until(is_in("gave up"))
    made.answers(0)
    async with machine.running() as service:
        status = await service.logged_in("ana")
        assert is_in("gave up")(status)
    assert made.told() == ["Ana"]


async def test_a_command_that_changes_alone_costs_nothing(machine: Machine, platform: SimulatedPlatform):
    made = phone(machine)
    made.settle("Ana")
    async with machine.running() as service:
        await at_rest(service, made, "Ana")
        before = made.path.stat().st_ino
        made.settle("Ana", f"{FAST}, timeout: 7s")
        assert (await service.reload()).code == 0
        assert made.path.stat().st_ino == before
        made.settle("Eva", f"{FAST}, timeout: 8s")
        await at_rest(service, made, "Eva")
    assert made.told() == ["Ana", "Eva"] and platform.logins == ["ana"]


def hung_command(machine: Machine, timeout: str) -> Path:
    """ana's phone is told by a command that hangs; the number of what it started comes to be in the file."""
    pid = machine.root / "pid"
    hung = f"[/bin/sh, -c, 'sleep 1000 & echo $! >> {pid}; wait']"
    reload = f"{{command: {hung}, timeout: {timeout}, first_retry: 10m}}"
    machine.agent("ana", f"  targets: [{{target: json, reload: {reload}}}]")
    return pid


async def test_a_hung_command_keeps_nobody_waiting(machine: Machine):
    pid = hung_command(machine, "10m")
    path = machine.agent("beto", "  targets: [json]")
    async with machine.running() as service:
        await until(pid.exists)
        path.write_text(path.read_text() + "  account: {display_name: Beto B}\n")
        await until(lambda: "Beto B" in "".join(machine.files().values()))
        assert not any(agent["problems"] for agent in (await service.status())["agents"])  # it hangs still


@pytest.mark.slow
async def test_a_hung_command_is_ended_with_all_that_it_started(machine: Machine):
    pid = hung_command(machine, "5s")
    async with machine.running() as service:
        status = await service.until(lambda status: bool(status["agents"][0]["problems"]))
        assert "took longer than 5 s" in status["agents"][0]["problems"][0]["what"]
        (sleeper,) = pid.read_text().split()
        await until(lambda: not Path(f"/proc/{sleeper}").exists() or "Z" in Path(f"/proc/{sleeper}/stat").read_text())


async def test_a_phone_that_does_not_run_needs_no_telling(machine: Machine):
    made = phone(machine)
    flag = machine.root / "runs-not"
    made.settle("Ana", f"{FAST}, running_command: [/usr/bin/test, '!', -e, {flag}]")
    flag.touch()
    async with machine.running() as service:
        await service.until(is_at_rest)
        assert made.told() == [] and made.name() == "Ana"
        flag.unlink()
        made.settle("Eva", f"{FAST}, running_command: [/usr/bin/test, '!', -e, {flag}]")
        await at_rest(service, made, "Eva")


async def test_apply_tells_the_phone_before_it_ends(machine: Machine):
    made = phone(machine)
    made.settle("Ana")
    done = await machine.command("apply")
    assert done.code == 0 and made.told() == ["Ana"]
    made.answers(9)
    made.settle("Eva")
    done = await machine.command("apply")
    assert done.code == 4 and "failed with exit code 9" in done.out
    made.answers(0)
    async with machine.running() as service:
        await service.until(is_at_rest)
    assert made.told()[-1] == "Eva"


async def test_a_target_without_a_command_of_its_own_says_so(machine: Machine):
    machine.agent("ana", "  targets: [{target: json, reload: shipped}]")
    async with machine.running() as service:
        status = await service.until(lambda status: bool(status["agents"][0]["problems"]))
        (problem,) = status["agents"][0]["problems"]
        assert problem["what"] == "agent `ana`: json has no reload command of its own"
        assert problem["where"].endswith("agents.d/ana.yaml") and (problem["line"], problem["column"]) == (2, 3)
        await until(lambda: bool(machine.files()))  # the files come all the same


# Calls


async def test_a_call_puts_the_delivery_off(machine: Machine):
    made = phone(machine)
    made.settle("Ana", busy(made))
    async with machine.running() as service:
        await at_rest(service, made, "Ana")
        made.call.touch()
        for name in ("Eva", "Eva-2", "Eva-3"):
            made.settle(name, busy(made))
        status = await service.until(lambda status: bool((target(status)["reload"] or {}).get("busy_since")))
        assert target(status)["state"] == "pending" and status["everybody_served"]
        assert "in a call" in (await machine.command("status")).out
        assert (made.name(), made.told()) == ("Ana", ["Ana"])
        assert (await service.reload()).code == 0  # so the last of the three is known
        made.call.unlink()
        await at_rest(service, made, "Eva-3")
    assert made.told() == ["Ana", "Eva-3"]


async def test_a_call_puts_nothing_off_beyond_its_limit(machine: Machine):
    made = phone(machine)
    made.settle("Ana", busy(made))
    async with machine.running() as service:
        await at_rest(service, made, "Ana")
        made.call.touch()
        made.settle("Eva", busy(made, "300ms"))
        await at_rest(service, made, "Eva")
        assert "in a call for longer than is waited for" in service.log.read_text()


async def test_what_was_taken_back_during_the_call_is_told_to_nobody(machine: Machine):
    made = phone(machine)
    made.settle("Ana", busy(made))
    async with machine.running() as service:
        await at_rest(service, made, "Ana")
        made.call.touch()
        made.settle("Eva", busy(made))
        await service.until(is_in("pending"))
        made.settle("Ana", busy(made))
        await service.until(is_at_rest)
    assert made.told() == ["Ana"]


def busy_since(machine: Machine) -> list[float | None]:
    """What the state on disk says of phones in a call."""
    with closing(open_store(machine.places.state, read_only=True)) as store:
        return [one.busy_since for one in store.reloads()]


async def test_a_call_that_goes_on_over_a_restart_puts_off_still(machine: Machine):
    made = phone(machine)
    made.settle("Ana", busy(made))
    async with machine.running() as service:
        await at_rest(service, made, "Ana")
        made.call.touch()
        made.settle("Eva", busy(made))
        status = await service.until(lambda status: bool((target(status)["reload"] or {}).get("busy_since")))
        since = target(status)["reload"]["busy_since"]
        await until(lambda: since in busy_since(machine))
        await service.kill()
    async with machine.running() as service:
        status = await service.until(lambda status: target(status)["state"] == "pending")
        assert target(status)["reload"]["busy_since"] == since and made.name() == "Ana"
        made.call.unlink()
        await at_rest(service, made, "Eva")


async def test_a_retry_waits_for_the_end_of_a_call_too(machine: Machine):
    made = phone(machine)
    made.answers(1)
    made.settle("Ana", busy(made))
    async with machine.running() as service:
        await service.until(lambda status: (target(status)["reload"] or {}).get("count", 0) >= 1)
        made.call.touch()
        await service.until(lambda status: bool((target(status)["reload"] or {}).get("busy_since")))
        runs = len(made.told())
        made.answers(0)
        made.call.unlink()
        await service.until(is_at_rest)
        assert len(made.told()) == runs + 1


# Rolling back

BACK = f"{FAST}, on_failure: roll-back, roll_back_after: 2"


async def rolled_back(service: Service, made: Phone) -> dict[str, Any]:
    status = await service.until(lambda status: target(status)["state"] == "rolled back")
    return await service.until(is_told_of_the_old) if made else status


def is_told_of_the_old(status: dict[str, Any]) -> bool:
    reload = target(status)["reload"] or {}
    return reload.get("state") == "rolled back" and reload.get("since") is None


async def test_files_that_the_phone_does_not_take_are_rolled_back_once(machine: Machine, platform: SimulatedPlatform):
    made = phone(machine)
    made.settle("Ana", BACK)
    async with machine.running() as service:
        await at_rest(service, made, "Ana")
        made.answers(5)
        made.settle("Bad", BACK)
        await until(lambda: "Bad Ana" in " ".join(made.told()))
        made.answers(0)
        status = await rolled_back(service, made)
        assert made.name() == "Ana" and made.path.stat().st_mode & 0o777 == 0o600
        assert "the files from before are back" in status["agents"][0]["problems"][0]["what"]
        assert made.told().count("Bad") == 2
        runs = len(made.told())
        shown = [await machine.command(*verb) for verb in (["reload", "--wait"], ["status"])]
        secrets = [json.loads(made.path.read_text())["ha1"], "pw-ana"]
        told = service.log.read_text() + "".join(done.out + done.err for done in shown) + everything(machine, "reload")
        assert secrets[0] in made.path.read_text() and not any(secret in told for secret in secrets)
        assert (made.name(), len(made.told())) == ("Ana", runs)
        made.settle("Good", BACK)
        await at_rest(service, made, "Good")
        await until(lambda: (rows(machine, "previous"), rows(machine, "reload")) == (0, 0))
    assert platform.logins == ["ana"]


async def test_a_final_code_rolls_back_at_once_and_a_refresh_tries_the_new_files_again(machine: Machine):
    made = phone(machine)
    policy = f"{BACK}, final_codes: [5]"
    made.settle("Ana", policy)
    async with machine.running() as service:
        await at_rest(service, made, "Ana")
        made.answers(5)
        made.settle("Bad", policy)
        await until(lambda: "Bad" in made.told())
        await service.until(lambda status: target(status)["state"] == "rolled back")
        made.answers(0)
        assert made.told().count("Bad") == 1
        await machine.command("refresh", "ana")
        await service.until(is_at_rest)
        assert made.name() == "Bad"


async def test_what_was_rolled_back_stays_so_over_a_restart(machine: Machine):
    made = phone(machine)
    made.settle("Ana", BACK)
    async with machine.running() as service:
        await at_rest(service, made, "Ana")
        made.answers(5)
        made.settle("Bad", BACK)
        await service.until(lambda status: target(status)["state"] == "rolled back")
        await service.kill()
    made.answers(0)
    async with machine.running() as service:
        await rolled_back(service, made)
        assert made.name() == "Ana"


async def test_new_files_while_the_last_ones_fail_roll_back_to_what_the_phone_took(machine: Machine):
    made = phone(machine)
    made.settle("Ana", BACK)
    async with machine.running() as service:
        await at_rest(service, made, "Ana")
        made.answers(5)
        made.settle("Bad", f"{FAST}, on_failure: roll-back, roll_back_after: 99")
        await until(lambda: "Bad" in made.told())
        made.settle("Worse", BACK)
        await service.until(lambda status: target(status)["state"] == "rolled back")
        assert made.name() == "Ana"


async def test_first_files_have_nothing_to_go_back_to(machine: Machine):
    made = phone(machine)
    made.answers(5)
    made.settle("Ana", BACK)
    async with machine.running() as service:
        await service.until(lambda status: (target(status)["reload"] or {}).get("count", 0) >= 3)
        assert made.name() == "Ana"
        made.answers(0)
        await service.until(is_at_rest)


async def test_a_removed_agent_leaves_nothing_to_tell(machine: Machine):
    made = phone(machine)
    made.answers(5)
    made.settle("Ana", BACK)
    async with machine.running() as service:
        await service.until(is_in("pending"))
        (machine.agents_d / "ana.yaml").write_text("agents: []\n")
        await service.until(lambda status: not status["agents"])
        # The agent is no longer shown while the last of them is still being removed.
        await until(lambda: (rows(machine, "previous"), rows(machine, "reload")) == (0, 0))


# In the session of the phone's user


@pytest.fixture
async def desk(platform: SimulatedPlatform) -> AsyncIterator[Phone]:
    """A phone of another user, whom only a courier reaches."""
    async with shared_machine(platform) as machine:
        home_of(machine, "ana", ANA)
        made = phone(machine, ANA.pw_name)
        os.chown(made.folder, ANA.pw_uid, ANA.pw_gid)
        yield made


def kept_by_the_courier(machine: Machine) -> int:
    """How many files from before the last change the courier keeps."""
    return rows(machine, "previous", machine.home("ana") / ".local/state/softphone-provisioner")


@root_only
async def test_a_courier_rolls_back_from_its_own_store(desk: Phone):
    machine = desk.machine
    desk.settle("Ana", BACK)
    async with machine.running() as service, session(machine, ANA, machine.home("ana")):
        await at_rest(service, desk, "Ana")
        desk.answers(5)
        desk.settle("Bad", BACK)
        await service.until(lambda status: target(status)["state"] == "rolled back")
        assert desk.name() == "Ana" and desk.path.stat().st_uid == ANA.pw_uid
        assert kept_by_the_courier(machine) == 1
        assert rows(machine, "previous") == 0
        desk.answers(0)
        await service.until(is_told_of_the_old)
        await until(lambda: kept_by_the_courier(machine) == 0)


@root_only
async def test_what_is_pending_waits_for_the_session_to_come_back(desk: Phone):
    machine = desk.machine
    desk.answers(1)
    desk.settle("Ana")
    async with machine.running() as service:
        async with session(machine, ANA, machine.home("ana")):
            await service.until(lambda status: (target(status)["reload"] or {}).get("count", 0) >= 1)
        await until(lambda: "session over" in service.log.read_text())
        desk.answers(0)
        async with session(machine, ANA, machine.home("ana")):
            await service.until(is_at_rest)
    assert set(desk.told()) == {"Ana"}


@root_only
async def test_a_phone_is_told_in_the_next_session_though_its_agent_is_logged_off(desk: Phone):
    machine = desk.machine
    desk.answers(1)
    desk.settle("Ana")
    async with machine.running() as service:
        async with session(machine, ANA, machine.home("ana")):
            await service.until(lambda status: (target(status)["reload"] or {}).get("count", 0) >= 1)
        await until(lambda: "session over" in service.log.read_text())
        assert (await machine.command("log-off", "ana")).code == 0
        desk.answers(0)
        runs = len(desk.told())
        async with session(machine, ANA, machine.home("ana")):
            await until(lambda: len(desk.told()) > runs)
            await service.until(lambda status: target(status)["reload"] is None)


@root_only
async def test_a_call_in_the_session_puts_the_delivery_off(desk: Phone):
    machine = desk.machine
    desk.settle("Ana", busy(desk))
    async with machine.running() as service, session(machine, ANA, machine.home("ana")):
        await at_rest(service, desk, "Ana")
        desk.call.touch()
        desk.settle("Eva", busy(desk))
        await service.until(lambda status: bool((target(status)["reload"] or {}).get("busy_since")))
        assert desk.name() == "Ana"
        desk.call.unlink()
        await at_rest(service, desk, "Eva")
