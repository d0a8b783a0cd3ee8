"""What the machine must have; a test that cannot run says why, and where CI=true that is a failure."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.real import debian11, pjproject, scripts


def need(*commands: str) -> None:
    """Skip the test, or fail it in CI, unless these commands are there and the servers can be run."""
    if os.geteuid() != 0:
        lacking("private mounts and chroot want root")
    need_commands(*commands)


def need_commands(*commands: str) -> None:
    """Skip the test, or fail it in CI, unless these commands are there, for whoever runs it."""
    missing = [command for command in commands if not shutil.which(command)]
    if missing:
        lacking(f"not installed: {', '.join(missing)} (tests/tools.sh installs it on Debian)")


def need_linphone_desktop() -> None:
    """Skip where Debian has no such package, as Debian 13; skip, or fail in CI, where it has one and it is missing."""
    if not shutil.which("linphone") and not _is_in_debian("linphone-desktop"):
        pytest.skip("this Debian has no package linphone-desktop")
    need("linphone", "dbus-daemon")


def _is_in_debian(package: str) -> bool:
    told = subprocess.run(
        ["apt-cache", "policy", package], env={"LC_ALL": "C"}, capture_output=True, text=True, check=True
    )
    return "Candidate: " in told.stdout and "Candidate: (none)" not in told.stdout


def need_asterisk() -> None:
    """Skip, or fail in CI, unless there is the root with Asterisk."""
    need("chroot", "unshare")
    if not debian11.ready():
        lacking(f"no Asterisk in {debian11.folder()} (tests/tools.sh makes it on Debian)")


def need_browser() -> None:
    """Skip, or fail in CI, unless there are Chromium and the phones for it."""
    need("chromium", "certutil")
    if not scripts.ready():
        lacking(f"no phones for browsers in {scripts.folder()} (tests/tools.sh makes them with npm)")


def need_pjsua() -> None:
    """Skip, or fail in CI, unless pjsua was made."""
    if not pjproject.ready():
        lacking(f"no {pjproject.program()} (tests/tools.sh makes it on Debian)")


def lacking(reason: str) -> None:
    """Skip with this reason; fail in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
