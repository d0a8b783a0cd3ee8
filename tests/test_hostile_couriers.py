"""A hostile local user, as a real process, against the real service: nobody else waits, reads or suffers."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator

import pytest

from provisioner.demo.platform import SimulatedPlatform
from tests.hostile import hostile
from tests.machine import Machine, Service, until
from tests.session import ANA, BETO, home_of, root_only, session, shared_machine

pytestmark = root_only

# All of these come again and again.
DEAF = "for_ever(lambda: (line := call(), hello(line), time.sleep(3600)))"
MUTE = """
def act():
    line = call()
    hello(line)
    while True:
        heard(line)
for_ever(act)
"""
FLOOD = """
kept = []
def act():
    line = call(1.0)
    kept.append(line)
    del kept[:-200]
    line.send(b"\\0\\0\\2\\0{")
for_ever(act)
"""
OVERSIZED = """
def act():
    line = call()
    hello(line)
    heard(line)
    line.sendall(b"\\xff\\xff\\xff\\xff")
    while True:
        line.sendall(b"x" * 65536)
for_ever(act)
"""
DRIP = """
def act():
    line = call()
    hello(line)
    heard(line)
    line.sendall((200_000).to_bytes(4, "big"))
    while True:
        line.send(b"x")
for_ever(act)
"""
GARBAGE = """
def act():
    line = call()
    hello(line)
    heard(line)
    line.sendall(os.urandom(100_000))
for_ever(act)
"""
LIAR = """
def act():
    line = call()
    hello(line)
    while True:
        question = heard(line)
        if question["do"] == "bring":
            changed = ["/etc/shadow"]
            reports = [
                {"target": one["target"], "state": "written", "changed": changed, "problems": [], "renewed": True}
                for one in question["parcels"]
            ]
            say(line, {**nothing(question), "targets": reports})
        elif question["do"] != "run":
            say(line, {**nothing(question), "freed": ["beto", "carla"] * 1000})
for_ever(act)
"""
ASTRAY = """
def act():
    line = call()
    hello(line)
    while True:
        question = heard(line)
        if question["do"] == "bring":
            reports = [
                {
                    "target": one["target"],
                    "state": "written",
                    "changed": [one["place"]["base"] + "/" + file["path"] for file in one["files"]],
                    "problems": [],
                    "renewed": True,
                }
                for one in question["parcels"]
            ]
            say(line, {**nothing(question), "targets": reports})
        elif question["do"] != "run":
            say(line, nothing(question))
for_ever(act)
"""
ALL = {
    "deaf": DEAF,
    "mute": MUTE,
    "flood": FLOOD,
    "oversized": OVERSIZED,
    "drip": DRIP,
    "garbage": GARBAGE,
    "liar": LIAR,
    "never done with a command": ASTRAY,
}
AT_ONCE = 10.0  # seconds: on a busy machine, and far less than any time limit of ours


@pytest.fixture
async def floor(platform: SimulatedPlatform) -> AsyncIterator[Machine]:
    """ana is the hostile one, beto another user of the machine, carla is served by the daemon itself."""
    async with shared_machine(platform) as machine:
        machine.main.write_text(machine.main.read_text().replace("settle: 50ms", "settle: 50ms, check_every: 1s"))
        machine.agent("ana", f"  user: {ANA.pw_name}", "  targets: [{target: json, reload: [sleep, '600']}]")
        machine.agent("beto", f"  user: {BETO.pw_name}", "  targets: [json]")
        machine.agent("carla", "  targets: [json]")
        home_of(machine, "ana", ANA)
        home_of(machine, "beto", BETO)
        yield machine


def name_of(machine: Machine, login: str) -> str:
    try:
        (path,) = machine.home(login).rglob("account.json")
        return str(json.loads(path.read_text())["display_name"])
    except (ValueError, OSError):
        return ""


async def served(service: Service, *logins: str) -> None:
    def true(status: dict) -> bool:
        states = {one["agent"]: [target["state"] for target in one["targets"]] for one in status["agents"]}
        return all(states[login] and {*states[login]} <= {"written", "unchanged"} for login in logins)

    await service.until(true)


async def edits_arrive(machine: Machine, login: str, times: int = 3) -> None:
    """Edits one after the other reach the files of ``login`` at once."""
    path = machine.agents_d / f"{login}.yaml"
    for number in range(times):
        name = f"{login} {time.monotonic_ns()}"
        began = time.monotonic()
        plain = "".join(line for line in path.read_text().splitlines(keepends=True) if "account:" not in line)
        path.write_text(f"{plain}  account: {{display_name: {name}}}\n")
        await until(lambda name=name: name_of(machine, login) == name)
        assert time.monotonic() - began < AT_ONCE, f"edit {number} took long"


@pytest.mark.slow
@pytest.mark.parametrize("script", ALL.values(), ids=ALL)
async def test_nobody_waits_for_a_hostile_user(floor: Machine, script: str):
    async with floor.running() as service, session(floor, BETO, floor.home("beto")):
        await served(service, "beto", "carla")
        async with hostile(floor, ANA, script), hostile(floor, ANA, script):
            await edits_arrive(floor, "carla")
            await edits_arrive(floor, "beto")
            (path,) = floor.home("carla").rglob("account.json")
            path.unlink()
            began = time.monotonic()
            await until(path.exists)
            assert time.monotonic() - began < AT_ONCE
            reloaded = time.monotonic()
            assert (await service.reload()).code == 0
            assert time.monotonic() - reloaded < AT_ONCE
        async with session(floor, ANA, home_of(floor, "ana", ANA)):
            await served(service, "ana")


@pytest.mark.parametrize("script", [MUTE, ASTRAY], ids=["mute", "never done with a command"])
async def test_the_service_stops_at_once_while_an_errand_is_under_way(floor: Machine, script: str):
    async with floor.running() as service:
        await served(service, "carla")
        async with hostile(floor, ANA, script):
            await service.until(lambda status: status["agents"][0]["present"])
            began = time.monotonic()
            service.process.terminate()
            assert await service.process.wait() == 0
            assert time.monotonic() - began < AT_ONCE


async def test_commands_of_one_user_without_end_keep_no_other_phone_waiting(floor: Machine):
    many = ", ".join(f"{{target: json, path: ~/phone{number}, reload: [sleep, '600']}}" for number in range(20))
    floor.agent("ana", f"  user: {ANA.pw_name}", f"  targets: [{many}]")
    told = floor.root / "told"
    floor.agent("carla", f"  targets: [{{target: json, reload: [touch, {told}]}}]")
    async with floor.running() as service:
        await until(told.exists)
        async with hostile(floor, ANA, ASTRAY):
            await service.until(lambda status: len(status["agents"][0]["targets"]) == 20)
            await served(service, "ana")
            for _ in range(3):
                told.unlink()
                began = time.monotonic()
                await edits_arrive(floor, "carla", times=1)
                await until(told.exists)
                assert time.monotonic() - began < AT_ONCE


async def test_a_courier_that_dies_while_it_runs_a_command_harms_nobody(floor: Machine):
    started = floor.home("ana") / "started"
    command = f"['sh', '-c', 'touch {started}; sleep 60']"
    floor.agent("ana", f"  user: {ANA.pw_name}", f"  targets: [{{target: json, reload: {command}}}]")
    async with floor.running() as service:
        async with session(floor, ANA, floor.home("ana")) as courier:
            await until(started.exists)
            courier.kill()
        await until(lambda: "the courier is gone" in service.log.read_text())
        await edits_arrive(floor, "carla")


async def test_what_a_courier_makes_up_is_not_believed(floor: Machine):
    async with floor.running() as service, hostile(floor, ANA, LIAR):
        await until(lambda: "does not say what it should" in service.log.read_text())
        status = await service.status()
        assert "/etc/shadow" not in json.dumps(status) + service.log.read_text()
        await edits_arrive(floor, "carla")


async def test_nobody_reads_what_another_user_is_sent(floor: Machine):
    """Who says that they are somebody else is served as who they are: nobody, with nothing."""
    script = """
line = call()
say(line, {"courier": 1, "version": "0", "uid": %d, "user": %r, "agents": ["ana", "beto"], "agent": "beto"})
question = heard(line)
say(line, nothing(question))
line.settimeout(1.0)
try:
    print(json.dumps([question, line.recv(10)]))
except TimeoutError:
    print(json.dumps([question]))
""" % (BETO.pw_uid, BETO.pw_name)  # noqa: UP031 - braces
    floor.agent("ana", "  targets: [json]")
    async with floor.running() as service, session(floor, BETO, floor.home("beto")):
        await served(service, "beto", "ana")
        async with hostile(floor, ANA, script) as stranger:
            assert stranger.stdout is not None
            heard = json.loads(await stranger.stdout.readline())
    assert heard == [{"id": 1, "do": "keep", "agents": []}]
