"""`provisioner render`: a saved answer becomes files, without network, state or configuration."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from provisioner.demo.platform import SimulatedAgent, row_of
from tests.warm import run


def render(*arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    return run("render", *arguments, stdin=stdin)


@pytest.fixture
def reply(tmp_path: Path) -> Path:
    path = tmp_path / "reply.json"
    agent = SimulatedAgent("ana", "pw-ana", "1001", row={"transport": "wss,tls", "host": "dynamic"})
    path.write_text(json.dumps(row_of(agent, "token", "acme.example")))
    return path


def test_every_target_gets_its_folder_and_what_does_not_fit_is_told(tmp_path: Path, reply: Path):
    done = render(reply, "--out", tmp_path / "out")
    assert done.returncode == 4
    assert (tmp_path / "out/jssip/account.json").exists()
    assert "baresip needs the SIP password" in done.stderr
    assert not (tmp_path / "out/baresip").exists()
    assert (tmp_path / "out/jssip/account.json").stat().st_mode & 0o777 == 0o600


def test_with_the_password_realm_and_password_are_proven(tmp_path: Path, reply: Path):
    password = tmp_path / "password"
    password.write_text("pw-ana\n")
    done = render(reply, "--out", tmp_path / "out", "--target", "baresip", "--password-file", password)
    assert done.returncode == 0, done.stderr
    assert b"pw-ana" in (tmp_path / "out/baresip/accounts").read_bytes()
    assert "pw-ana" not in done.stdout + done.stderr


def test_a_phone_without_websocket_is_rendered_for_a_relay(tmp_path: Path):
    path, agent = tmp_path / "reply.json", SimulatedAgent("ana", "pw-ana", "1001")
    path.write_text(json.dumps(row_of(agent, "token", "acme.example")))
    asked = (path, "--out", tmp_path / "out", "--target", "baresip")
    refused = render(*asked)
    assert (refused.returncode, "baresip cannot register over wss" in refused.stderr) == (4, True)
    done = render(*asked, "--relay", "25060")
    assert done.returncode == 0, done.stderr
    assert b'outbound="sip:127.0.0.1:25060;transport=tcp"' in (tmp_path / "out/baresip/accounts").read_bytes()


@pytest.mark.parametrize("host", ["sip:acme.example", "https://acme.example/", "öffice.example", "a b"])
def test_a_host_that_is_none_is_told_of_the_agent_and_not_of_settings_that_nobody_wrote(tmp_path: Path, host: str):
    path, agent = tmp_path / "reply.json", SimulatedAgent("ana", "pw-ana", "1001", row={"host": host})
    path.write_text(json.dumps(row_of(agent, "token", "acme.example")))
    done = render(path, "--out", tmp_path / "out", "--target", "jssip")
    assert done.returncode == 4
    assert done.stderr.startswith("agent ana: the platform's `host` is not a host name (set ")


def test_a_target_of_the_site_that_is_broken_is_told_when_none_is_named(tmp_path: Path, reply: Path):
    (tmp_path / "site/own").mkdir(parents=True)
    (tmp_path / "site/own/manifest.yaml").write_text("titel: Our own phone\n")
    done = render(reply, "--out", tmp_path / "out", "--templates", tmp_path / "site")
    assert "own/manifest.yaml:1:1: `titel` is not a setting (did you mean `title`?)" in done.stderr
    assert done.returncode == 4
    assert (tmp_path / "out/jssip/account.json").exists()


def test_the_answer_may_come_from_standard_input(tmp_path: Path, reply: Path):
    words = ["-", "--out", str(tmp_path / "out"), "--target", "jssip", "--format", "json"]
    command = [sys.executable, "-m", "provisioner", "render", *words]
    done = subprocess.run(command, input=reply.read_bytes(), capture_output=True, timeout=60)
    files = json.loads(done.stdout)["files"]
    assert done.returncode == 0
    assert sorted(Path(path).name for path in files) == ["account.js", "account.json"]


@pytest.mark.parametrize(
    ("body", "says"),
    [(b"0", "refuses"), (b"Error", "error"), (b"", "empty"), (b"<html>", "web page"), (b"{}", "SIP user")],
)
def test_what_is_no_login_is_told(tmp_path: Path, body: bytes, says: str):
    done = render("-", "--out", tmp_path / "out", stdin=body)
    assert done.returncode == 1
    assert says in done.stderr


def test_a_file_that_is_not_there_is_told(tmp_path: Path):
    done = render(tmp_path / "none", "--out", tmp_path / "out")
    assert (done.returncode, "cannot be read" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (["--target", "jsip"], 4, "there is no target `jsip` (did you mean `jssip`?)"),
        (["--password-file", "{reply}.latin"], 1, "this is not UTF-8 (save the file as UTF-8)"),
        (["--out", "{reply}"], 1, "this folder cannot be made: File exists (name another with --out)"),
        (["--out", "/proc/1/x"], 1, "this folder cannot be made: "),
        (["--relay", "65536"], 2, "write a port from 1 to 65535"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path: Path, reply: Path, words: list[str], code: int, what: str):
    Path(f"{reply}.latin").write_bytes(b"contrase\xf1a")
    done = render(reply, "--out", tmp_path / "out", *(word.format(reply=reply) for word in words))
    assert (done.returncode, done.stdout) == (code, "")
    assert what in done.stderr and "Traceback" not in done.stderr
