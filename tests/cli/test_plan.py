"""`provisioner plan`: what would change, masked, with nothing touched."""

from __future__ import annotations

import re
from pathlib import Path

from provisioner.demo.platform import Canned, SimulatedPlatform
from tests.machine import Machine

JSON = "  targets: [json]"


def everything(root: Path) -> dict[str, tuple[int, bytes]]:
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in root.rglob("*") if path.is_file()}


async def test_before_anything_was_applied_everybody_would_be_logged_in(machine: Machine, platform: SimulatedPlatform):
    machine.agent("ana", JSON)
    before = everything(machine.root)
    done = await machine.command("plan")
    assert done.code == 0
    assert "ana: would be logged in" in done.out
    assert everything(machine.root) == before and platform.logins == []


async def test_a_refresh_that_failed_would_be_tried_again(machine: Machine, platform: SimulatedPlatform):
    machine.agent("ana", JSON)
    async with machine.running() as service:
        await service.logged_in("ana")
        platform.answer_next("ana", Canned(503, headers={"Retry-After": "600"}))
        assert (await machine.command("refresh", "ana")).code == 1
        assert "ana: would be logged in again, as the last refresh failed\n" in (await machine.command("plan")).out


async def test_it_names_what_would_change_and_hides_secrets(machine: Machine, platform: SimulatedPlatform):
    path = machine.agent("ana", JSON)
    assert (await machine.command("apply")).code == 0
    assert "nothing to change" in (await machine.command("plan")).out
    (account,) = machine.home("ana").rglob("account.json")
    account.write_text(account.read_text().replace("pw-ana", "pw-old"))
    path.write_text(path.read_text() + "  account: {display_name: Ana X}\n")
    before = everything(machine.root)
    done = await machine.command("plan")
    assert f"update {account}" in done.out
    assert "\n  json: over wss\n" in done.out
    assert "~ .display_name: Ana X" in done.out
    assert "~ .password: ********" in done.out
    assert "pw-" not in done.out
    planned = (await machine.command("plan", "--format", "json")).json
    (agent,) = planned["agents"]
    assert [change["action"] for change in agent["changes"]] == ["update"]
    assert agent["targets"] == [{"target": "json", "transport": "wss", "via": "direct", "relay": None}]
    assert {key: value for key, value in everything(machine.root).items() if "state" not in key} == {
        key: value for key, value in before.items() if "state" not in key
    }
    assert platform.logins == ["ana"]


async def test_it_names_what_would_be_removed(machine: Machine):
    machine.agent("ana", JSON)
    path = machine.agent("beto", "  targets: [json, linphone]")
    assert (await machine.command("apply")).code == 0
    path.write_text(path.read_text().replace("json, ", ""))
    (machine.agents_d / "ana.yaml").unlink()
    done = await machine.command("plan")
    assert f"remove {machine.home('beto')}/.config/softphone-provisioner/json/account.json" in done.out
    assert "ana: not served here any more" in done.out
    assert (await machine.command("apply")).code == 0
    assert not list(machine.home("ana").rglob("*.json"))


async def test_the_way_through_the_relay_is_told_before_and_after_there_is_one(machine: Machine):
    path = machine.agent("ana", JSON)
    assert (await machine.command("apply")).code == 0
    path.write_text(path.read_text().replace("json", "linphone"))
    done = await machine.command("plan")
    assert (done.code, "\n  linphone: over wss through the relay at 127.0.0.1:PORT\n" in done.out) == (0, True)
    assert (await machine.command("apply")).code == 0
    done = await machine.command("plan")
    assert re.search(r"\n  linphone: over wss through the relay at 127\.0\.0\.1:2[0-9]{4}\n", done.out)
    assert "update" not in done.out and "create" not in done.out


async def test_a_mistake_is_told_with_its_line(machine: Machine):
    machine.agent("ana", "  tragets: [json]")
    done = await machine.command("plan")
    assert done.code == 1
    assert "ana.yaml:5:3" in done.err and "did you mean `targets`?" in done.err


async def test_a_phone_that_could_not_work_is_told(machine: Machine):
    machine.agent("ana", "  targets: [twinkle]")
    assert (await machine.command("apply")).code == 4
    done = await machine.command("plan")
    assert done.code == 4
    assert "twinkle registers through the relay, but calls would be refused (488)" in done.out


async def test_a_refused_phone_is_told_the_same_beforehand_and_by_the_service(machine: Machine):
    machine.agent("ana", "  targets: [twinkle, pjsua]")
    async with machine.running() as service:
        status = await service.until(lambda status: len(status["agents"][0]["targets"]) == 2)
        told = [problem for target in status["agents"][0]["targets"] for problem in target["problems"]]
        planned = (await machine.command("plan", "--format", "json")).json["agents"][0]["problems"]
        verified = (await machine.command("verify", "--format", "json")).json["agents"][0]["targets"]
    assert told == planned == [problem for target in verified for problem in target["problems"]]
    assert all("use baresip or browser-phone or jssip" in problem["fix"] for problem in told if not problem["remark"])


async def test_files_of_another_agent_would_not_be_touched(machine: Machine):
    machine.agent("ana", JSON)
    assert (await machine.command("apply")).code == 0
    other = machine.agent("beto", JSON)
    other.write_text(other.read_text().replace("/home/beto", "/home/ana"))
    assert (await machine.command("apply")).code == 4
    done = await machine.command("plan")
    assert done.code == 4 and "update" not in done.out
    assert "account.json belongs to the target json of agent ana already (give one of them another" in done.out


async def test_a_file_that_is_nested_without_end_is_one_that_cannot_be_compared(machine: Machine):
    machine.agent("ana", JSON)
    assert (await machine.command("apply")).code == 0
    [account] = machine.home("ana").rglob("account.json")
    account.write_text("[" * 50_000)
    done = await machine.command("plan")
    assert (done.code, done.err) == (0, "") and f"update {account}" in done.out and "+ .agent: ana" in done.out


async def test_what_is_in_the_way_is_named_by_its_whole_path(machine: Machine):
    machine.agent("ana", "  targets: [{target: json, path: ~/link/x}]")
    (machine.home("ana") / "link").symlink_to("/tmp")
    assert (await machine.command("apply")).code == 4
    done = await machine.command("plan")
    assert f"{machine.home('ana')}/link: this is a symbolic link" in done.out
