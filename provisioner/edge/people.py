"""The Unix users of this machine."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from provisioner.core.layout import Home
from provisioner.core.problem import Place, Problem, ProvisionerError


def home_of(user: str | None, folder: str | None, root: Path, place: Place) -> Home:
    """The user whose phones are configured and the folder below which they look; None means our own.

    Raises ProvisionerError: nobody of that name, or somebody else than who this process runs as (nothing privileged
    writes inside a folder that another user controls).
    """
    own = os.geteuid()
    try:
        entry = pwd.getpwnam(user) if user else pwd.getpwuid(own)
    except KeyError:
        what = f"there is no user `{user or own}` on this machine"
        raise ProvisionerError(Problem(place, what, "correct `user:`, or create the user")) from None
    if entry.pw_uid != own:
        what = f"the files are for `{entry.pw_name}`, and this runs as `{pwd.getpwuid(own).pw_name}`"
        raise ProvisionerError(Problem(place, what, f"run it as {entry.pw_name}, or remove `user:`"))
    return Home(entry.pw_name, str(root / (folder or entry.pw_dir).lstrip("/")))


def own() -> tuple[int, int]:
    """User and group of this process, who own the files it writes."""
    return os.geteuid(), os.getegid()
