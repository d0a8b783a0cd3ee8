"""The state's folder: private, of one user, and locked by one process at a time."""

from __future__ import annotations

import fcntl
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provisioner.core.problem import Place, Problem, ProvisionerError

NAME, LOCK = "state.sqlite", "lock"


@contextmanager
def lock_state(folder: Path) -> Iterator[None]:
    """Hold the state for this process alone. Raises ProvisionerError when another one has it, it is another user's, or
    it cannot be had."""
    make_private(folder)
    uid = state_owner(folder)
    if uid != os.geteuid():
        # What root wrote here, its owner could not read any more.
        what, fix = "this state belongs to another user", f"run this as that user: `{_becoming(uid)} …`"
        if os.geteuid() != 0:
            fix = f"{fix}, or name a folder of your own with `--state DIR`"
        raise ProvisionerError(Problem(Place(str(folder)), what, fix))
    with reported(folder / LOCK):
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        # Not flock(2): a command that is just beginning when we are killed would hold that for a while.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        what, fix = "another provisioner runs with this state", "use `provisioner reload`, or stop the service first"
        raise ProvisionerError(Problem(Place(str(folder)), what, fix)) from None
    try:
        yield
    finally:
        os.close(descriptor)


def _becoming(uid: int) -> str:
    """The command that runs another one as this user, who may have lost the name."""
    try:
        return f"runuser -u {pwd.getpwuid(uid).pw_name} --"
    except KeyError:
        return f"setpriv --reuid={uid} --clear-groups --"


def state_owner(folder: Path) -> int:
    """The user whose state this is, and whom the service runs as. Raises ProvisionerError when we may not look."""
    with reported(folder):
        return folder.stat().st_uid


def state_exists(folder: Path) -> bool:
    """Is there a state in ``folder``? Raises ProvisionerError when we may not look."""
    with reported(folder):
        return (folder / NAME).exists()


def make_private(folder: Path) -> None:
    """Make the state's folder, mode 0700, or tighten it. Raises ProvisionerError when that cannot be, or when it holds
    other things: `--state /tmp` must lock nobody out."""
    with reported(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not folder.stat().st_mode & 0o077:
            return
        names = {entry.name for entry in folder.iterdir()}
        if names and not names & {NAME, LOCK}:
            what = "others can look into this folder, and it holds other things than the state"
            raise ProvisionerError(Problem(Place(str(folder)), what, "name an empty folder, or chmod 700 it"))
        folder.chmod(0o700)


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """What the system refuses inside, said of ``path``: raises ProvisionerError."""
    try:
        yield
    except OSError as error:
        fix = "it must be a file of the user that this runs as; or name another folder with `--state DIR`"
        raise ProvisionerError(Problem(Place(str(path)), f"no state here: {error.strerror}", fix)) from None
