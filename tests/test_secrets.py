"""No secret leaves the program but to the platform and into a phone's file, however talkative it is."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from pathlib import Path

from provisioner.demo.platform import BUSY, Canned, SimulatedAgent, SimulatedPlatform
from tests.machine import Machine, Service

# Sentinels; HA1 and tokens are found in what the simulated platform answered.
PASSWORDS = ("S3NT1NEL-inline", "S3NT1NEL-file", "S3NT1NEL-env", "S3NT1NEL-command", "S3NT1NEL-wrong", "S3NT1NEL-cred")


def agents(machine: Machine) -> None:
    secret = machine.root / "secrets" / "file"
    secret.parent.mkdir()
    secret.touch(mode=0o600)
    secret.write_text("S3NT1NEL-file\n")
    printing = machine.root / "secrets" / "print"
    printing.write_text("#!/bin/sh\necho noise S3NT1NEL-command >&2\necho S3NT1NEL-command\n")
    printing.chmod(0o700)
    machine.agent("ana", "  targets: [jssip, sipjs, browser-phone, json, linphone]", password="S3NT1NEL-inline")
    for login, source in {
        "beto": "{file: /secrets/file}",
        "carla": "{env: CARLA}",
        "dora": f"{{command: [{printing}]}}",
        "elsa": "S3NT1NEL-wrong",
        "fred": "{credential: fred}",
    }.items():
        machine.agent(login, "  targets: [linphone, baresip, twinkle, pjsua, json]", password=source)


def known(platform: SimulatedPlatform) -> SimulatedPlatform:
    row = {"transport": "tls,udp", "encryption": "no"}
    for login, password in zip(("ana", "beto", "carla", "dora", "elsa", "fred"), PASSWORDS, strict=True):
        right = "S3NT1NEL-right" if login == "elsa" else password
        generation = "older" if login == "dora" else "current"
        platform.put(SimulatedAgent(login, right, f"10{login}", generation, row={} if login == "ana" else row))
    return platform


async def exercise(machine: Machine, service: Service) -> list[str]:
    """Everything that the program can be made to say."""
    said: list[str] = []
    await service.logged_in("ana", "beto", "carla", "dora", "fred")
    commands = [["status"], ["status", "--format", "json"], ["status", "--format", "metrics"], ["plan"],
                ["plan", "--format", "json"], ["check", "--all"], ["check", "--format", "json"],
                ["refresh", "elsa"], ["refresh", "ana"], ["log-off", "beto"], ["reload", "--wait"],
                ["targets"]]  # fmt: skip
    files = machine.agents_d
    for arguments in commands:
        done = await machine.command(
            *arguments, CARLA="S3NT1NEL-env", CREDENTIALS_DIRECTORY=str(machine.root / "creds")
        )
        said += [done.out, done.err]
    for broken in ("  passwrd: S3NT1NEL-inline\n", "  password: S3NT1NEL-inline: x\n", "\tpassword: S3NT1NEL-inline\n"):
        path = files / "zz.yaml"
        path.touch(mode=0o600)
        path.write_text("agents:\n- login: zz\n" + broken)
        done = await machine.command("reload", "--wait")
        assert done.code == 1
        said += [done.out, done.err, (await machine.command("check")).err, (await machine.command("status")).out]
        path.unlink()
    for file in machine.root.joinpath("home").rglob("*.*"):
        if file.is_file():
            file.write_text("spoilt\n")
    said.append((await machine.command("plan")).out)
    return said


def arguments_of_everybody() -> str:
    """What ``ps`` shows."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                found.append((entry / "cmdline").read_text(errors="replace"))
            except OSError:
                continue
    return "\n".join(found)


def secrets_of(machine: Machine) -> set[str]:
    """What the files and the state hold and nobody may say: hashes, tokens, passwords."""
    database = sqlite3.connect(f"file:{machine.places.state}/state.sqlite?mode=ro", uri=True)
    rows = database.execute("SELECT row, token FROM session").fetchall()
    found = {bytes(token).decode() if isinstance(token, bytes) else token for _, token in rows}
    for row, _ in rows:
        found |= {json.loads(row)["md5secret"], json.loads(row)["secret"]}
    database.close()
    return {secret for secret in found if secret} | {*PASSWORDS, "S3NT1NEL-right"}


async def test_no_output_holds_a_secret(machine: Machine, platform: SimulatedPlatform):
    known(platform)
    agents(machine)
    credentials = machine.root / "creds"
    credentials.mkdir()
    (credentials / "fred").write_text("S3NT1NEL-cred\n")
    platform.answer_next("beto", BUSY)
    platform.answer_next("carla", Canned(body="Error S3NT1NEL-env"))
    machine.cold = True  # for what `ps` shows
    async with machine.running(
        "--verbose", CARLA="S3NT1NEL-env", CREDENTIALS_DIRECTORY=str(credentials), PYTHONASYNCIODEBUG="1"
    ) as service:
        machine.cold = False
        said = await exercise(machine, service)
        secrets = secrets_of(machine)
        said += [arguments_of_everybody(), *service.messages, await asyncio.to_thread(service.log.read_text)]
    said.append(service.log.read_text())
    assert len(secrets) > 12
    text = "\n".join(said)
    assert [secret for secret in secrets if secret in text] == []


async def test_a_phone_behind_the_relay_is_told_no_secret_and_one_that_was_forgets_it(
    machine: Machine, platform: SimulatedPlatform
):
    platform.put(SimulatedAgent("ana", "S3NT1NEL-inline", "1001"))
    targets = "  targets: [linphone, baresip]"
    machine.agent("ana", targets, "  relay: {mode: pass}", password="S3NT1NEL-inline")
    assert (await machine.command("apply")).code == 0
    hashed = hashlib.md5(b"1001:asterisk:S3NT1NEL-inline").hexdigest()
    assert {secret for secret in (hashed, "S3NT1NEL-inline") if secret in "".join(machine.files().values())} == {
        hashed, "S3NT1NEL-inline",
    }  # fmt: skip
    machine.agent("ana", targets, password="S3NT1NEL-inline")
    assert (await machine.command("apply")).code == 0
    written = "".join(machine.files().values())
    assert "sip:127.0.0.1:" in written
    assert hashed not in written and "S3NT1NEL" not in written
