"""The package as apt installs, upgrades and removes it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.real.needs import need
from tests.systemd.boot import Booted
from tests.systemd.desktop import FOLDER, agent, employ, log_in, manage, place, session
from tests.systemd.workstation import (
    COURIER,
    DAEMON,
    ETC,
    KIOSK,
    configure,
    install,
    kiosk,
    kiosk_file,
    logged_in,
    newer,
    pid,
    seen,
)
from tests.test_unit import MOST_EXPOSED


def test_a_fresh_installation_is_calm_and_waits_for_its_settings(installed: Booted):
    assert installed.do("systemctl", "is-system-running").strip() == "running"
    assert installed.do("systemctl", "is-enabled", DAEMON).strip() == "enabled"
    assert installed.do("systemctl", "--global", "is-enabled", COURIER).strip() == "enabled"
    assert installed.unit(DAEMON, "ActiveState", "ConditionResult") == {
        "ActiveState": "inactive",
        "ConditionResult": "no",
    }
    assert installed.do("dpkg-query", "--show", "--showformat=${Conffiles}", "softphone-provisioner") == ""
    assert installed.do("dpkg", "--verify", "softphone-provisioner") == ""


def test_nobody_but_root_and_the_service_can_look_into_the_settings(installed: Booted):
    told = installed.do("stat", "--format=%A %U:%G", ETC, f"{ETC}/agents.d").splitlines()
    assert told == ["drwxr-s--- root:softphone-provisioner"] * 2
    assert installed.do("getent", "passwd", "softphone-provisioner").endswith(":/usr/sbin/nologin\n")
    assert installed.do("id", "--groups", "--name", "softphone-provisioner").split() == ["softphone-provisioner"]


def test_what_comes_with_it_is_found(installed: Booted):
    assert "linphone" in installed.do("provisioner", "targets")
    assert "manifest.yaml" in installed.do("ls", "/usr/share/softphone-provisioner/templates/linphone").split()
    sample = "/usr/share/doc/softphone-provisioner/examples/agents.d/example.yaml"
    installed.do("provisioner", "init")
    assert installed.read(f"{ETC}/agents.d/example.yaml") == installed.read(sample)
    assert installed.do("stat", "--format=%a %G", f"{ETC}/agents.d/example.yaml").split() == [
        "640",
        "softphone-provisioner",
    ]


def test_a_password_s_file_may_be_read_by_the_service_s_group_until_it_has_members(installed: Booted):
    configure(installed, "{login: ana, password: pw-ana}")
    assert installed.run("provisioner", "check").code == 0
    installed.do("useradd", "--groups", "softphone-provisioner", "curious")
    refused = installed.run("provisioner", "check")
    assert refused.code == 1 and "others can read this file" in refused.err
    installed.do("gpasswd", "--delete", "curious", "softphone-provisioner")
    installed.do("chgrp", "curious", f"{ETC}/agents.d/a.yaml")
    assert installed.run("provisioner", "check").code == 1


def test_root_is_told_what_only_the_service_would_meet(installed: Booted):
    configure(installed, "{login: ana, password: pw-ana}")
    installed.do("chmod", "600", f"{ETC}/agents.d/a.yaml")
    hidden = installed.run("provisioner", "check")
    assert hidden.code == 1 and f"chgrp softphone-provisioner {ETC}/agents.d/a.yaml; chmod 640" in hidden.err
    # Before the first start, too: what root wrote for the service, the service could not use.
    applied = installed.run("provisioner", "apply")
    assert applied.code == 1 and "`runuser -u softphone-provisioner -- …`" in applied.err
    assert installed.do("ls", "-A", "/var/lib/softphone-provisioner") == ""


def test_systemd_finds_both_units_right_and_the_daemon_confined(installed: Booted):
    installed.do("systemd-analyze", "verify", "--man=no", "--recursive-errors=yes", DAEMON)
    user = ("env", "XDG_RUNTIME_DIR=/run", "systemd-analyze", "--user")
    installed.do(*user, "verify", "--man=no", "--recursive-errors=yes", COURIER)
    installed.do("systemd-analyze", "security", f"--threshold={MOST_EXPOSED}", DAEMON)


def test_an_upgrade_logs_nobody_off_and_keeps_files(machine: Booted, package: Path, tmp_path: Path):
    employ(machine, "beto", "carla")
    configure(
        machine,
        kiosk(machine),
        *map(agent, ("beto", "carla")),
        login="log_off_on_stop: true, at: session, session_grace: 20s",
    )
    machine.do("systemctl", "start", DAEMON)
    with session(machine, "beto"):
        logged_in(machine, "ana", "beto")
        log_in(machine, "carla", desktop=False)
        before = kiosk_file(machine), place(machine, "beto").read_text(), machine.read(f"{ETC}/provisioner.yaml")
        processes = pid(machine), manage(machine, "beto", "show", "--property=MainPID", COURIER)
        machine.do("touch", "/before")
        install(machine, newer(package, tmp_path))
        assert machine.unit(DAEMON, "ActiveState") == {"ActiveState": "active"}
        assert manage(machine, "beto", "is-active", COURIER)
        assert pid(machine) != processes[0]
        assert manage(machine, "beto", "show", "--property=MainPID", COURIER) != processes[1]
        logged_in(machine, "ana", "beto")
        assert "MainPID=0" in manage(machine, "carla", "show", "--property=MainPID", COURIER)
        assert (sorted(seen(machine).logins), seen(machine).log_offs) == (["ana", "beto"], []), machine.journal(DAEMON)
        after = kiosk_file(machine), place(machine, "beto").read_text(), machine.read(f"{ETC}/provisioner.yaml")
        assert after == before
        assert machine.do("find", KIOSK, f"/home/beto/{FOLDER}", ETC, "-newer", "/before") == ""


def test_removing_it_stops_it_and_purging_it_removes_its_state(machine: Booted):
    employ(machine, "beto")
    configure(machine, kiosk(machine), agent("beto"))
    machine.do("systemctl", "start", DAEMON)
    with session(machine, "beto"):
        logged_in(machine, "ana", "beto")
        machine.do("apt-get", "remove", "--yes", "softphone-provisioner")
        assert machine.run("pgrep", "--full", "/usr/bin/provisioner").code
    assert machine.run("systemctl", "cat", DAEMON).code and machine.run("systemctl", "--global", "cat", COURIER).code
    assert kiosk_file(machine)["name"] == "1001" and place(machine, "beto").exists()
    assert machine.do("ls", "/var/lib/softphone-provisioner")
    machine.do("apt-get", "purge", "--yes", "softphone-provisioner")
    assert machine.run("test", "-e", "/var/lib/softphone-provisioner").code
    assert "a.yaml" in machine.do("ls", f"{ETC}/agents.d")
    assert machine.do("systemctl", "is-system-running").strip() == "running"


def test_purging_leaves_nothing_where_nothing_was_configured(installed: Booted):
    installed.do("apt-get", "purge", "--yes", "softphone-provisioner")
    assert installed.run("test", "-e", ETC).code
    found = installed.do("find", "/etc", "/usr", "/var/lib/systemd", "-name", "*softphone-provisioner*")
    assert found == ""


def test_lintian_finds_nothing_to_say(package: Path):
    need("lintian")
    done = subprocess.run(["lintian", "--pedantic", "--fail-on=error,warning", package], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
