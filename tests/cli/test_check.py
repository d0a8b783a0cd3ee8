"""`provisioner check`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from provisioner.cli import main
from tests.edge.mistakes import MISTAKES, SENTINEL
from tests.warm import run

MAIN = "platform: {url: https://acme.example}\n"
MANIFEST = """\
title: Own
folder: .own
credential: [ha1]
transports: {wss: wss}
dtmf: {rfc4733: rtp}
media_encryption: {dtls: dtls}
codecs: {pcma: PCMA}
files: [{name: a, template: a.j2, format: text}]
"""
AGENTS = """\
agents:
- {login: ana, password: x, workstations: [ws-17], targets: [jssip]}
- {login: bob, password: x, home: /home/bob, targets: [jssip, {target: json, path: /srv/json}]}
- {login: eva, password: {file: /nowhere}, workstations: [reception], targets: [jssip]}
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "provisioner.yaml", MAIN)
    write(tmp_path / "agents.d/a.yaml", AGENTS)
    return tmp_path


def check(*words: object, code: int) -> subprocess.CompletedProcess[str]:
    """The real program."""
    done = run("check", *words)
    assert done.returncode == code, done.stderr
    return done


def test_what_is_right_is_counted(folder):
    done = check("--config", folder, "--workstation", "ws-17", code=0)
    assert done.stdout == "3 agents, 2 of them for this workstation (ws-17), 2 targets: right\n"
    assert done.stderr == ""


def test_phones_that_displace_each_other_are_remarked_once_for_all_who_have_them(folder):
    write(folder / "agents.d/a.yaml", AGENTS.replace("[jssip", "[sipjs, jssip"))
    done = check("--config", folder, "--workstation", "ws-17", code=0)
    assert [line.partition(", and the server")[0] for line in done.stderr.splitlines()] == [
        "agent ana and 1 other: sipjs and jssip share one account"
    ]


def test_two_agents_of_a_workstation_cannot_have_one_port_for_their_relays(folder):
    write(folder / "agents.d/a.yaml", AGENTS)
    write(folder / "provisioner.yaml", f"{MAIN}defaults: {{relay: {{port: 25060}}}}\n")
    done = check("--config", folder, "--workstation", "ws-17", code=1)
    assert done.stderr.startswith(f"{folder}/agents.d/a.yaml:3:3: the relay of agent `ana` has the port 25060 already")
    # One at each workstation is another matter.
    assert "25060" not in check("--config", folder, "--all", code=1).stderr
    write(folder / "agents.d/a.yaml", AGENTS.replace("bob, password: x,", "bob, password: x, workstations: [ws-18],"))
    check("--config", folder, "--workstation", "ws-17", code=0)


def test_two_agents_of_a_workstation_cannot_have_the_same_files(folder):
    write(folder / "agents.d/a.yaml", AGENTS.replace("home: /home/bob, ", ""))
    done = check("--config", folder, "--workstation", "ws-17", code=1)
    line, source, caret = done.stderr.splitlines()
    assert (source.partition("password")[0], caret) == ("    - {login: bob, ", "      ^")
    assert line.startswith(f"{folder}/agents.d/a.yaml:3:3: jssip of agent `bob` would write ")
    assert "/jssip/account.json, which is jssip of agent `ana`'s already" in line
    # Those of another workstation are not in the way.
    check("--config", folder, "--workstation", "ws-18", code=0)


@pytest.mark.parametrize("home", ["/home/./bob", "/home//bob/", "//home/bob"])
def test_two_agents_cannot_have_the_same_files_however_their_home_is_written(folder, home):
    write(folder / "agents.d/a.yaml", AGENTS.replace("ana, password: x", f"ana, password: x, home: {home}"))
    assert "would write /home/bob/.config" in check("--config", folder, "--workstation", "ws-17", code=1).stderr


@pytest.mark.parametrize(("name", "path"), [("sipjs", "~/phone"), ("jssip", "~/phone/"), ("jssip", "~/./phone")])
def test_two_targets_of_an_agent_cannot_have_the_same_files(folder, name, path):
    twice = f"[{{target: jssip, path: ~/phone}}, {{target: {name}, path: {path}}}]"
    write(folder / "agents.d/a.yaml", f"agents: [{{login: ana, password: x, targets: {twice}}}]\n")
    assert f"{name} of agent `ana` would write" in check("--config", folder, code=1).stderr


def test_a_name_that_cannot_be_a_folder_is_told_before_it_has_to_be_one(folder):
    write(
        folder / "agents.d/a.yaml", "agents: [{login: a/b, password: x, targets: [{target: json, path: '~/{login}'}]}]"
    )
    done = check("--config", folder, code=1)
    assert done.stderr.startswith(f"{folder}/agents.d/a.yaml:1:10: the login 'a/b' cannot be a part of a path")


def test_a_target_without_a_command_of_its_own_is_told_in_its_line(folder):
    write(
        folder / "agents.d/a.yaml", "agents:\n- {login: ana, password: x, targets: [{target: json, reload: shipped}]}\n"
    )
    done = check("--config", folder, code=1)
    assert done.stderr.startswith(f"{folder}/agents.d/a.yaml:2:3: agent `ana`: json has no reload command of its own")


OPTIONS = """\
defaults: {targets: [{target: linphone, options: {x: 1}}]}
agents:
- login: ana
  password: x
  workstations: [elsewhere]
  targets: [{target: jssip, options: {rtcpmux: x, rtcp_mux: maybe}}, {target: gone, options: {a: b}}, json]
"""


@pytest.mark.parametrize("alone", [True, False], ids=["the file alone", "the whole"])
@pytest.mark.parametrize("more", ["", "- {logn: bob}\n", "- []\n"])
def test_options_that_a_target_does_not_have_are_told_in_their_lines_whatever_else_is_wrong(folder, alone, more: str):
    file = write(folder / "agents.d/a.yaml", OPTIONS + more)
    said = check(*([file] if alone else ["--config", folder]), code=1).stderr.splitlines()
    assert [line for line in said if "option `" in line] == [
        f"{file}:1:51: linphone has no option `x` (it has: ice)",
        f"{file}:6:39: jssip has no option `rtcpmux` (did you mean `rtcp_mux`?)",
        f"{file}:6:61: the option `rtcp_mux` cannot be `maybe` (one of: require, negotiate)",
    ]
    assert any("there is no target `gone`" in line for line in said)


@pytest.mark.parametrize(("text", "why"), [(None, "No such file"), ("x", "not a PEM file")])
def test_authorities_that_cannot_be_read_are_told(folder, text: str | None, why: str):
    if text:
        (folder / "ca.pem").write_text(text)
    write(folder / "provisioner.yaml", f"platform: {{url: https://acme.example, ca_file: {folder}/ca.pem}}\n")
    done = check("--config", folder, "--workstation", "ws-17", code=1)
    line, source, caret = done.stderr.splitlines()
    assert line.startswith(
        f"{folder}/provisioner.yaml:1:48: the authorities in `{folder}/ca.pem` cannot be read: {why}"
    )
    assert source[: caret.index("^")].endswith("ca_file: ")


def test_every_turn_password_that_is_not_to_be_had_is_told_in_its_line(folder):
    turn = "".join(f"  - server: t\n    user: u\n    password: {{file: /nowhere-{name}}}\n" for name in "ab")
    write(folder / "provisioner.yaml", f"platform:\n  url: https://acme.example\n  turn:\n{turn}")
    done = check("--config", folder, "--workstation", "ws-17", code=1)
    told = [line.partition(": ") for line in done.stderr.splitlines() if "/nowhere-" in line and "yaml:" in line]
    assert [(where, what.split()[3]) for where, _, what in told] == [
        (f"{folder}/provisioner.yaml:6:15", "/nowhere-a"),
        (f"{folder}/provisioner.yaml:9:15", "/nowhere-b"),
    ]


def test_without_a_name_it_is_this_machine(folder, capsys):
    write(folder / "agents.d/a.yaml", "agents: [{login: ana, password: x, targets: [jssip]}]\n")
    assert main(["check", "--config", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("1 agent, 1 of them for this workstation (")


def test_every_mistake_of_every_file_comes_at_once(folder):
    write(folder / "provisioner.yaml", "platform: {url: http://acme.example}\nwatch: {settle: 10}\n")
    write(folder / "agents.d/b.yaml", "agents:\n\t- login: x\n")
    write(folder / "agents.d/c.yaml", "agents: [{login: ana, targets: [jsip]}]\n")
    done = check("--config", folder, code=1)
    assert done.stdout == ""
    places = [line.split(": ")[0] for line in done.stderr.split("\n") if line.startswith(str(folder))]
    assert [place.removeprefix(f"{folder}/") for place in places] == [
        "provisioner.yaml:1:17", "provisioner.yaml:2:17", "agents.d/b.yaml:2:1",
        "agents.d/c.yaml:1:18", "agents.d/c.yaml:1:33",
    ]  # fmt: skip
    assert "did you mean `jssip`?" in done.stderr and "\033" not in done.stderr


def test_programs_get_json(folder):
    write(folder / "agents.d/b.yaml", "agents: [{login: x, colour: red}]\n")
    done = check("--config", folder, "--format", "json", code=1)
    (problem,) = json.loads(done.stdout)["problems"]
    assert problem == {
        "where": f"{folder}/agents.d/b.yaml", "line": 1, "column": 21,
        "what": "`colour` is not a setting of an item of `agents`",
        "fix": "known here: login, password, user, home, workstations, targets, account, relay", "remark": False,
    }  # fmt: skip
    (folder / "agents.d/b.yaml").unlink()
    write(folder / "agents.d/x.yml", "")
    whole = json.loads(check("--config", folder, "--workstation", "ws-17", "--format", "json", code=0).stdout)
    assert [problem["remark"] for problem in whole.pop("problems")] == [True]
    assert whole == {"workstation": "ws-17", "agents": 3, "served": 2, "targets": 2}


def test_passwords_of_this_workstation_are_looked_for(folder):
    done = check("--config", folder, "--workstation", "reception.acme.example", code=1)
    assert f"{folder}/agents.d/a.yaml:4:3: the password's file" in done.stderr
    assert check("--config", folder, "--workstation", "ws-17", "--all", code=1).stderr == done.stderr
    write(folder / "agents.d/a.yaml", AGENTS.replace("/nowhere", str(write(folder / "pw", "secret\n"))))
    done = check("--config", folder, "--all", code=0)
    assert done.stdout == "3 agents, all of them looked at, 2 targets: right\n"


@pytest.mark.parametrize("source", ["{env: NOBODY_SETS_THIS}", "{credential: ana}"])
def test_what_only_the_service_has_is_a_remark(folder, source, capsys, monkeypatch):
    monkeypatch.delenv("INVOCATION_ID", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    write(folder / "agents.d/a.yaml", f"agents: [{{login: ana, password: {source}, targets: [jssip]}}]\n")
    assert main(["check", "--config", str(folder)]) == 0
    assert "a.yaml:1:10" in capsys.readouterr().err
    turn = f"turn: [{{server: t, user: u, password: {source}}}]"
    write(folder / "provisioner.yaml", f"platform: {{url: https://acme.example, {turn}}}\n")
    write(folder / "agents.d/a.yaml", "agents: [{login: ana, password: x, targets: [jssip]}]\n")
    assert main(["check", "--config", str(folder)]) == 0
    assert "provisioner.yaml:1:77" in capsys.readouterr().err
    monkeypatch.setenv("INVOCATION_ID", "as systemd sets it")
    assert main(["check", "--config", str(folder)]) == 1


def test_targets_of_the_site_count(folder):
    write(folder / "agents.d/a.yaml", "agents: [{login: ana, password: x, targets: [own]}]\n")
    check("--config", folder, code=1)
    write(folder / "templates/own/manifest.yaml", "titel: x\n")
    done = check("--config", folder, code=1)
    assert "templates/own/manifest.yaml:1:1: `titel` is not a setting" in done.stderr


def test_one_file_can_be_checked_alone_as_ansible_does(folder):
    copy = write(folder / "tmp" / "ansible.x1y2", AGENTS)
    assert check("--config", folder, copy, code=0).stdout == "right\n"
    copy.write_text(MAIN)
    check("--config", folder, copy, code=0)
    copy.write_text(MAIN.replace("https", "ftp"))
    assert f"{copy}:1:17" in check("--config", folder, copy, code=1).stderr
    copy.write_text("agents: [{login: a}, {login: a, targets: [jsip]}]\n")
    done = check("--config", folder, copy, "--format", "json", code=1)
    assert [problem["column"] for problem in json.loads(done.stdout)["problems"]] == [30, 43]
    copy.write_text(AGENTS)
    assert json.loads(check(copy, "--format", "json", code=0).stdout) == {"problems": []}
    assert "cannot be read: No such file or directory (check the path)" in check(folder / "nothing", code=1).stderr
    assert "a folder" in check(folder, code=1).stderr


def test_nothing_is_changed_by_it(folder):
    before = {path: (path.stat().st_mtime_ns, path.stat().st_mode) for path in folder.rglob("*")}
    check("--config", folder, "--workstation", "ws-17", code=0)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_mode) for path in folder.rglob("*")} == before


def test_no_output_shows_a_password(folder, capsys):
    for number, (_, name, text, *_) in enumerate(MISTAKES):
        if SENTINEL in text and name != "provisioner.yaml":
            write(folder / f"agents.d/{number}.yaml", text)
    for mode in (0o600, 0o644):
        for path in (folder / "agents.d").iterdir():
            path.chmod(mode)
        for form in ("text", "json"):
            assert main(["check", "--config", str(folder), "--all", "--format", form]) == 1
            said = capsys.readouterr()
            assert len(said.out + said.err) > 1000
            assert SENTINEL not in said.out + said.err


def test_it_asks_no_network_and_starts_quickly(folder):
    words = ["check", "--config", str(folder), "--workstation", "ws-17"]
    code = f"import sys; from provisioner.cli import main; main({words!r}); print(sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "provisioner.site" in done.stderr
    assert not any(f"'{name}'" in done.stderr for name in ("aiohttp", "watchdog", "sqlite3", "fastjsonschema"))


def test_help_says_how_ansible_uses_it(capsys):
    with pytest.raises(SystemExit):
        main(["check", "--help"])
    assert "validate: provisioner check %s" in capsys.readouterr().out


def test_a_template_with_a_mistake_is_named_once_and_by_its_whole_path(folder):
    own = folder / "templates/jssip"
    write(own / "manifest.yaml", MANIFEST)
    write(own / "a.j2", "x\n{{ nmae }}\n")
    done = check("--config", folder, "--workstation", "ws-17", code=1)
    assert done.stderr == f"{own}/a.j2:2:1: there is no value `nmae` (did you mean `name`?)\n"
