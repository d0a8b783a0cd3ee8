"""The service as systemd starts, watches, reloads and ends it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.systemd.boot import Booted, booted
from tests.systemd.roots import folder
from tests.systemd.workstation import (
    DAEMON,
    ETC,
    KIOSK,
    URL,
    configure,
    drop_in,
    kiosk,
    kiosk_file,
    layers,
    logged_in,
    pid,
    seen,
    simulate_platform,
    status,
)

SLOW = "{login: beto, password: {command: [sh, -c, sleep 1; echo pw-beto]}}"


@pytest.fixture
def serving(machine: Booted) -> Booted:
    """A machine whose service runs and has logged ana in."""
    configure(machine, kiosk(machine))
    machine.do("systemctl", "start", DAEMON)
    logged_in(machine, "ana")
    return machine


def test_the_start_lasts_until_it_serves(machine: Booted):
    configure(machine, kiosk(machine), SLOW)
    began = time.monotonic()
    machine.do("systemctl", "start", DAEMON)
    assert time.monotonic() - began > 1
    assert {one["agent"] for one in status(machine)["agents"]} == {"ana", "beto"}
    assert "agents served" in machine.unit(DAEMON, "StatusText")["StatusText"]


def test_a_reload_lasts_until_it_is_in_force(serving: Booted):
    configure(serving, kiosk(serving).replace("[json]", "[json, jssip]"), SLOW)
    serving.do("systemctl", "reload", DAEMON)
    assert {one["agent"] for one in status(serving)["agents"]} == {"ana", "beto"}
    assert seen(serving).logins.count("ana") == 1


def test_a_reload_of_a_mistake_fails_and_the_journal_says_why(serving: Booted):
    process, before = pid(serving), kiosk_file(serving)
    serving.write(f"{ETC}/provisioner.yaml", f"platform:\n  url: {URL}\n  tiemout: 5s\n")
    assert serving.run("systemctl", "reload", DAEMON).code == 1
    assert "provisioner.yaml:3:3" in serving.journal(DAEMON) and "tiemout" in serving.journal(DAEMON)
    told = serving.unit(DAEMON, "ActiveState", "ReloadResult")
    assert told == {"ActiveState": "active", "ReloadResult": "exit-code"}
    assert (pid(serving), kiosk_file(serving)) == (process, before)
    configure(serving, kiosk(serving))
    serving.do("systemctl", "reload", DAEMON)


def test_without_usable_settings_it_is_not_tried_again(machine: Booted):
    machine.write(f"{ETC}/provisioner.yaml", "platform: {}\n")
    assert machine.run("systemctl", "start", DAEMON).code == 1
    told = machine.unit(DAEMON, "ActiveState", "ExecMainStatus", "NRestarts")
    assert told == {"ActiveState": "failed", "ExecMainStatus": "78", "NRestarts": "0"}


# SIGUSR2 lets the loop hang, as a bug would.
_HANG = "import signal, time\nsignal.signal(signal.SIGUSR2, lambda *_: time.sleep(3600))\n"


@pytest.mark.parametrize(("signal", "result"), [("STOP", "watchdog"), ("USR2", "watchdog"), ("KILL", "signal")])
def test_it_comes_back_with_its_sessions(machine: Booted, signal: str, result: str):
    machine.write("/opt/hang/sitecustomize.py", _HANG)
    drop_in(machine, "WatchdogSec=4", "RestartSec=100ms", "Environment=PYTHONPATH=/opt/hang")
    configure(machine, kiosk(machine))
    machine.do("systemctl", "start", DAEMON)
    logged_in(machine, "ana")
    process, before = pid(machine), kiosk_file(machine)
    machine.do("systemctl", "kill", "--kill-who=main", f"--signal={signal}", DAEMON)
    machine.until(lambda: pid(machine) not in (0, process), "another process")
    logged_in(machine, "ana")
    assert f"Failed with result '{result}'" in machine.journal(DAEMON)
    assert ("Fatal Python error: Aborted" in machine.journal(DAEMON)) is (result == "watchdog")  # it says where it hung
    assert machine.unit(DAEMON, "NRestarts")["NRestarts"] == "1"
    assert (seen(machine).logins, seen(machine).log_offs) == (["ana"], [])
    assert kiosk_file(machine) == before


@pytest.mark.parametrize(("verb", "log_offs"), [("restart", []), ("stop", ["ana"])])
def test_a_stop_logs_off_where_the_settings_say_so_and_a_restart_does_not(
    machine: Booted, verb: str, log_offs: list[str]
):
    configure(machine, kiosk(machine), login="log_off_on_stop: true")
    machine.do("systemctl", "start", DAEMON)
    logged_in(machine, "ana")
    machine.do("systemctl", verb, DAEMON)
    assert seen(machine).log_offs == log_offs
    machine.do("systemctl", "start", DAEMON)
    logged_in(machine, "ana")
    assert seen(machine).logins == ["ana"] * (1 + len(log_offs))


def test_credentials_reach_it_plain_and_encrypted(machine: Booted):
    secrets = f"{ETC}/secrets"
    machine.do("install", "-d", "-m", "0700", secrets)
    machine.write(f"{secrets}/ana", "pw-ana\n", 0o600)
    machine.do("systemd-creds", "encrypt", "--name=beto", "-", f"{secrets}/beto.cred", stdin="pw-beto\n")
    drop_in(machine, f"LoadCredential=ana:{secrets}/ana", f"LoadCredentialEncrypted=beto:{secrets}/beto.cred")
    agent = kiosk(machine).replace("pw-ana", "{credential: ana}")
    configure(machine, agent, agent.replace("ana", "beto").replace(KIOSK, f"{KIOSK}/beto"))
    machine.do("install", "-d", "-o", "softphone-provisioner", "-m", "0700", f"{KIOSK}/beto")
    machine.do("systemctl", "start", DAEMON)
    logged_in(machine, "ana", "beto")
    assert sorted(seen(machine).logins) == ["ana", "beto"]


def test_the_control_socket_is_for_root_and_the_service_only(serving: Booted):
    serving.do("useradd", "curious")
    assert serving.run("provisioner", "status").code == 0
    refused = serving.run("provisioner", "status", user="curious")
    assert refused.code == 3 and "may not talk" in refused.err
    for path in (ETC, "/var/lib/softphone-provisioner", f"{KIOSK}/.config"):
        assert serving.run("ls", path, user="curious").code
    assert "pw-ana" not in serving.journal()
    assert "836ee64b" not in serving.journal()  # the beginning of ana's HA1


def test_a_boot_without_network_goes_on_with_the_last_good_files(release: str, layer: Path, tmp_path: Path):
    lower = layers(layer, root=folder(release))
    with booted(lower, tmp_path) as machine:
        simulate_platform(machine)
        configure(machine, kiosk(machine))
        machine.do("systemctl", "start", DAEMON)
        logged_in(machine, "ana")
        before = kiosk_file(machine)
        inode = machine.do("stat", "--format=%i %Y", f"{KIOSK}/.config/softphone-provisioner/json/account.json")
    with booted(lower, tmp_path) as machine:
        machine.until(lambda: machine.unit(DAEMON, "ActiveState")["ActiveState"] == "active", "the service")
        logged_in(machine, "ana")
        assert kiosk_file(machine) == before
        assert machine.do("stat", "--format=%i %Y", f"{KIOSK}/.config/softphone-provisioner/json/account.json") == inode
        configure(machine, kiosk(machine).replace("[json]", "[json, jssip]"))
        machine.do("systemctl", "reload", DAEMON)
        machine.until(lambda: machine.run("ls", f"{KIOSK}/.config/softphone-provisioner/jssip").code == 0, "files")
