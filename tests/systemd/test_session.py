"""Sessions of people, as logind and their own systemd make them: who gets what, when, and what is in the way."""

from __future__ import annotations

import json
import re
import stat
from base64 import b64decode
from pathlib import Path

from tests.systemd.boot import PATIENCE, Booted
from tests.systemd.desktop import FOLDER, agent, employ, log_in, log_out, manage, place, session
from tests.systemd.quota import quota
from tests.systemd.workstation import COURIER, DAEMON, configure, logged_in, seen, status

SECRETS = ("pw-ana", "836ee64b1a117a88af8f23644b787e4f")
# The courier, with everything that it is sent printed, until its standard input ends.
_COURIER = """
import os, sys, threading
from provisioner.cli import make_parser, session

class Line:
    def __init__(self, line):
        self._line = line

    def __getattr__(self, name):
        return getattr(self._line, name)

    def messages(self):
        for message in self._line.messages():
            print(message, flush=True)
            yield message

call = session.call
session.call = lambda path: Line(call(path))
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0))).start()
session.run(make_parser("session").parse_args(["session"]))
"""


def serve(machine: Booted, *agents: str, login: str = "") -> None:
    """Let users of the names of ``agents``'s logins be served."""
    employ(machine, "ana", "beto")
    configure(machine, *agents, login=login)
    machine.do("systemctl", "start", DAEMON)


def targets(machine: Booted, login: str) -> dict[str, str]:
    """What became of this agent's targets."""
    (found,) = (one for one in status(machine)["agents"] if one["agent"] == login)
    return {one["target"]: one["state"] for one in found["targets"]}


def when(machine: Booted, words: str) -> float:
    """When these words were in the journal for the last time, in seconds since the machine's boot."""
    return float(re.findall(rf"^\[ *([0-9.]+)\].*{words}", machine.journal(), re.MULTILINE)[-1])


def test_a_desktop_brings_its_user_s_files_within_a_second(machine: Booted):
    serve(machine, agent("ana"), agent("beto"))
    taken = [PATIENCE]
    while min(taken) >= 1 and len(taken) <= 10:  # the machine has other things to do, too
        machine.do("rm", "-rf", "/home/ana/.config")
        log_in(machine, "ana")
        taken.append(machine.until(place(machine, "ana").exists, "ana's file"))
        log_out(machine, "ana")
    assert min(taken) < 1
    log_in(machine, "ana")
    told = machine.do("find", "/home/ana", "-path", f"*{FOLDER}*", "-printf", "%u:%g %M %P\n").splitlines()
    assert told == [
        f"ana:ana drwx------ {FOLDER}",
        f"ana:ana drwx------ {FOLDER}/json",
        f"ana:ana -rw------- {FOLDER}/json/account.json",
    ]
    assert machine.run("ls", "/home/beto/.config").code and targets(machine, "beto") == {
        "json": "waits for the session"
    }


def test_a_session_logs_in_and_its_end_logs_off_after_the_grace_time(machine: Booted):
    agents = agent("ana"), agent("beto")
    serve(machine, *agents, login="at: session, session_grace: 60s")
    assert seen(machine).logins == []
    with session(machine, "ana"):
        logged_in(machine, "ana")
        manage(machine, "ana", "restart", COURIER)  # a hiccup logs nobody off
        machine.until(
            lambda: "session began" in machine.journal(DAEMON).partition("session over")[2], "the new courier"
        )
        assert (seen(machine).logins, seen(machine).log_offs) == (["ana"], [])
        configure(machine, *agents, login="at: session, session_grace: 2s")
        machine.do("systemctl", "reload", DAEMON)
        machine.do("systemd-cat", "echo", "the desktop is about to end")
    machine.until(lambda: seen(machine).log_offs == ["ana"], "the log-off")
    ends, over, off = [when(machine, words) for words in ("about to end", "session over", "ana: logged off")]
    # Not at once, and with the desktop: the user's own systemd ends 10 s later only.
    assert over - ends < 9 and off - over > 1.9
    assert seen(machine).logins == ["ana"] and place(machine, "ana").exists()


def test_the_reload_command_runs_in_the_session(machine: Booted):
    said = "(id --user --name; cat /proc/self/cgroup; echo $XDG_RUNTIME_DIR; pwd) >/home/ana/said"
    target = f"{{target: json, reload: [sh, -c, {json.dumps(said)}]}}"
    serve(machine, agent("ana", target=target))
    with session(machine, "ana"):
        machine.until(lambda: machine.run("test", "-s", "/home/ana/said").code == 0, "the reload")
        name, *cgroup, runtime, _ = machine.read("/home/ana/said").splitlines()
        uid = machine.do("id", "--user", "ana").strip()
        assert (name, runtime) == ("ana", f"/run/user/{uid}")
        assert f"/user@{uid}.service/" in cgroup[-1] and COURIER in cgroup[-1]


def test_two_users_never_see_each_other_s_secrets(machine: Booted):
    serve(machine, agent("ana"), agent("beto"))
    with session(machine, "ana"):
        logged_in(machine, "ana")
        assert all(secret in place(machine, "ana").read_text() for secret in SECRETS)
        courier = machine.start("env", "HOME=/home/beto", "python3", "-c", _COURIER, user="beto")
        machine.until(lambda: targets(machine, "beto") in ({"json": "written"}, {"json": "unchanged"}), "beto's file")
        messages, _ = courier.communicate(timeout=PATIENCE)
        sent = "\n".join(b64decode(one).decode() for one in re.findall("[A-Za-z0-9+/=]{60,}", messages))
        assert "pw-beto" in sent
        asked = [
            messages,
            sent,
            machine.run("cat", f"/home/ana/{FOLDER}/json/account.json", user="beto").out,
            machine.run("sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ", user="beto").out,
            machine.run("journalctl", "--no-pager", user="beto").out,
            machine.run("sh", "-c", "cat /tmp/* /var/tmp/* /run/softphone-provisioner/*", user="beto").out,
            machine.journal(),  # not even root's
            machine.do("sh", "-c", "cat /proc/[0-9]*/cmdline"),
        ]
        assert [secret for secret in SECRETS for text in asked if secret in text] == []
        assert machine.run("ls", "/home/ana", user="beto").code


def test_a_greeter_gets_no_courier(machine: Booted):
    serve(machine, agent("ana"))
    machine.do("useradd", "--system", "--create-home", "--shell", "/bin/bash", "greeter")
    log_in(machine, "greeter")
    machine.until(lambda: "graphical-session.target" in machine.journal(), "the greeter's desktop")
    assert "ConditionResult=no" in manage(machine, "greeter", "show", "--property=ConditionResult", COURIER)


def test_text_sessions_get_one_where_it_is_added_to_the_default_target(machine: Booted):
    serve(machine, agent("ana"))
    machine.do("systemctl", "--global", "add-wants", "default.target", COURIER)
    log_in(machine, "ana", desktop=False)
    machine.until(place(machine, "ana").exists, "ana's file")


# What is in the way in somebody's home, and what is said of it.
HINDRANCES = {
    "carla": ("ln -s /home/beto .config", "symbolic link"),
    "dora": ("mkfifo .config", "no folder"),
    "elsa": ("mkdir .config; mount -t tmpfs -o size=4k,uid=$UID,mode=700 t .config; echo x >.config/x", "full"),
    "fabio": ("mkdir .config; mount -t tmpfs -o ro,uid=$UID,mode=700 t .config", "read-only"),
    "gina": ("mkdir -m 0755 .config", "permission"),
    "ana": ("install -d -o ana .config", "quota"),
}


def test_what_is_in_the_way_of_one_is_said_and_nobody_else_s_trouble(machine: Booted, tmp_path: Path):
    names = ["beto", *HINDRANCES]
    employ(machine, *names)
    for name, (script, _) in HINDRANCES.items():
        uid = machine.do("id", "--user", name).strip()
        machine.do("sh", "-ec", f"cd /home/{name}; {script.replace('$UID', uid)}")
    configure(machine, *map(agent, names))
    machine.do("systemctl", "start", DAEMON)
    with quota(machine, tmp_path, "/home/ana/.config", "ana"), session(machine, *names):
        logged_in(machine, *names)
        machine.until(place(machine, "beto").exists, "beto's file")
        for name, (_, said) in HINDRANCES.items():
            machine.until(lambda name=name: targets(machine, name) == {"json": "not written"}, name)  # type: ignore[misc]
            assert said in json.dumps([one for one in status(machine)["agents"] if one["agent"] == name])
        assert machine.run("ls", "/home/beto/softphone-provisioner").code  # carla's link was not followed
        for name in HINDRANCES:
            machine.run("sh", "-c", f"cd /home/{name}; umount .config; rm -rf .config")
        machine.do("provisioner", "reload", "--wait")
        for name in HINDRANCES:
            machine.until(place(machine, name).exists, f"{name}'s file, now that the way is free")


def test_a_home_behind_a_link_is_a_home_and_a_pipe_is_put_aside(machine: Booted):
    employ(machine, "ana", "beto")
    machine.do("sh", "-ec", "mkdir -m 0755 /srv/homes; mv /home/ana /srv/homes/ana; ln -s /srv/homes/ana /home/ana")
    folder = f"/home/beto/{FOLDER}/json"
    machine.do("sh", "-ec", f"mkdir -p {folder}; mkfifo {folder}/account.json", user="beto")
    configure(machine, agent("ana"), agent("beto"))
    machine.do("systemctl", "start", DAEMON)
    with session(machine, "ana", "beto"):
        logged_in(machine, "ana")
        written = machine.root / "srv/homes/ana" / FOLDER / "json/account.json"
        machine.until(written.exists, "ana's file")
        assert stat.S_IMODE(written.stat().st_mode) == 0o600
        machine.until(lambda: targets(machine, "beto") == {"json": "not written"}, "an outcome for beto")
