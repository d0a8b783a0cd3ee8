"""The unit, as systemd itself judges it."""

from __future__ import annotations

import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

UNIT = Path(__file__).parents[1] / "systemd" / "softphone-provisioner.service"


def test_systemd_finds_nothing_wrong(tmp_path: Path):
    # It looks for the command too, which is where this Python's commands are.
    here = Path(sys.executable).with_name("provisioner")
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/bin/provisioner", str(here)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=yes", "--man=no", copy], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_it_says_what_the_program_relies_on():
    unit = RawConfigParser(strict=False, delimiters=("=",))
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(UNIT.read_text())
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["ExecReload"] == "/usr/bin/provisioner reload --wait"
    assert service["RestartPreventExitStatus"] == "78"
    assert (service["StateDirectoryMode"], service["LimitCORE"]) == ("0700", "0")
    assert service["WatchdogSec"]
