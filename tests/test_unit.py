"""The units, as systemd itself judges them."""

from __future__ import annotations

import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest

from tests.real.needs import need_commands

SYSTEMD = Path(__file__).parents[1] / "systemd"
DAEMON = SYSTEMD / "softphone-provisioner.service"
COURIER = SYSTEMD / "softphone-provisioner-session.service"
MOST_EXPOSED = 13  # tenths


def sections(path: Path) -> RawConfigParser:
    unit = RawConfigParser(strict=False, delimiters=("=",))
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(path.read_text())
    return unit


@pytest.mark.parametrize(("path", "scope"), [(DAEMON, "--system"), (COURIER, "--user")], ids=["daemon", "courier"])
def test_systemd_finds_nothing_wrong(path: Path, scope: str, tmp_path: Path):
    need_commands("systemd-analyze")
    # It looks for the command too, which is where this Python's commands are.
    here = Path(sys.executable).with_name("provisioner")
    copy = tmp_path / path.name
    copy.write_text(path.read_text().replace("/usr/bin/provisioner", str(here)))
    done = subprocess.run(
        ["systemd-analyze", scope, "verify", "--recursive-errors=yes", "--man=no", copy],
        capture_output=True,
        text=True,
        env={"XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_finds_the_daemon_well_confined():
    need_commands("systemd-analyze")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={MOST_EXPOSED}", "--no-pager", DAEMON],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-200:]


def test_the_daemon_s_unit_says_what_the_program_relies_on():
    service = sections(DAEMON)["Service"]
    assert service["Type"] == "notify"
    assert service["ExecReload"] == "/usr/bin/provisioner reload --wait"
    assert service["RestartPreventExitStatus"] == "78"
    assert (service["StateDirectoryMode"], service["LimitCORE"]) == ("0700", "0")
    assert service["WatchdogSec"]
    assert service["KillMode"] == "mixed"  # `systemctl`, asked whether this is a restart, is not to be ended with it
    assert int(service["FileDescriptorStoreMax"]) >= 256  # two sockets for each relay


def test_the_daemon_has_no_rights_and_sees_who_comes():
    service = sections(DAEMON)["Service"]
    assert service["User"] == "softphone-provisioner"
    assert (service["CapabilityBoundingSet"], service["ProtectHome"]) == ("", "yes")
    assert service["RuntimeDirectoryMode"] == "0755"  # couriers pass
    assert "PrivateUsers" not in service  # every courier would seem to be 65534


def test_the_courier_lives_as_long_as_the_desktop():
    unit = sections(COURIER)
    assert unit["Service"]["ExecStart"] == "/usr/bin/provisioner session"
    assert unit["Install"]["WantedBy"] == unit["Unit"]["PartOf"] == "graphical-session.target"
    assert (unit["Service"]["Restart"], unit["Unit"]["StartLimitIntervalSec"]) == ("always", "0")
