"""People who sit down at a booted workstation: sessions of logind with a desktop in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.systemd.boot import Booted
from tests.systemd.workstation import COURIER

FOLDER = ".config/softphone-provisioner"
# What GNOME, KDE and their kin have under other names.
_DESKTOP = "[Unit]\nBindsTo=graphical-session.target\nBefore=graphical-session.target\n"


def employ(machine: Booted, *names: str) -> None:
    """Make users with homes that nobody else can look into."""
    machine.write("/etc/systemd/user/desktop.target", _DESKTOP)
    for name in names:
        machine.do("useradd", "--create-home", "--key", "HOME_MODE=0700", "--shell", "/bin/bash", name)


def agent(name: str, *more: str, target: str = "json") -> str:
    """Somebody with one softphone in the home of the user of their name, in YAML."""
    return "{" + ", ".join([f"login: {name}, password: pw-{name}, user: {name}, targets: [{target}]", *more]) + "}"


def log_in(machine: Booted, name: str, *, desktop: bool = True) -> None:
    """Begin a session of ``name``, with a desktop or as at a text console."""
    first = "systemctl --user start desktop.target; " if desktop else ""
    machine.do(
        "systemd-run", "--quiet", "--collect", f"--unit=seat-{name}", f"--uid={name}", "--property=PAMName=login",
        "--property=StandardInput=null", "--setenv=XDG_SESSION_TYPE=x11", "--setenv=XDG_SESSION_CLASS=user",
        "sh", "-c", f"{first}exec sleep infinity",
    )  # fmt: skip


def log_out(machine: Booted, name: str) -> None:
    """End it, as a desktop does: first its target, then the session."""
    manage(machine, name, "stop", "desktop.target")
    machine.do("systemctl", "stop", f"seat-{name}")


def manage(machine: Booted, name: str, *words: str) -> str:
    """``systemctl --user`` of ``name``, which must succeed; gives what it printed."""
    return machine.do(*_manager(machine, name), *words, user=name)


@contextmanager
def session(machine: Booted, *names: str) -> Iterator[None]:
    """Sessions that last as long as the block, with their couriers."""
    for name in names:
        log_in(machine, name)
    try:
        for name in names:
            machine.until(lambda name=name: _is_up(machine, name), f"the courier of {name}")  # type: ignore[misc]
        yield
    finally:
        for name in names:
            log_out(machine, name)


def place(machine: Booted, name: str, target: str = "json") -> Path:
    """Where a target's main file is in the home of ``name``, seen from here."""
    return machine.root / "home" / name / FOLDER / target / "account.json"


def _manager(machine: Booted, name: str) -> tuple[str, ...]:
    return "env", f"XDG_RUNTIME_DIR=/run/user/{machine.do('id', '--user', name).strip()}", "systemctl", "--user"


def _is_up(machine: Booted, name: str) -> bool:
    return machine.run(*_manager(machine, name), "is-active", COURIER, user=name).code == 0
