"""The Unix users of this machine."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from provisioner.core.parcel import Home
from provisioner.core.problem import Place, Problem, ProvisionerError


class People:
    """Looks users up, each once: with a directory service behind it that may take its time, so keep it for one reading
    of the settings and no longer. ``root`` is what absolute paths hang under, ``uid`` who we are (default: whom
    this process runs as)."""

    def __init__(self, root: Path = Path("/"), uid: int | None = None) -> None:
        self._root = root
        self._uid = os.geteuid() if uid is None else uid
        self._known: dict[str | None, pwd.struct_passwd | None] = {}

    def home_of(self, user: str | None, folder: str | None, place: Place) -> Home:
        """The user whose phones are configured and the folder below which they look; None means our own.

        Raises ProvisionerError, said of ``place``, when there is nobody of that name.
        """
        entry = self._entry(user)
        if entry is None:
            what = f"there is no user `{user or self._uid}` on this machine"
            raise ProvisionerError(Problem(place, what, "correct `user:`, or create the user"))
        # Nothing privileged writes inside a folder that another user controls: that user's own courier does.
        uid = None if entry.pw_uid == self._uid else entry.pw_uid
        return Home(entry.pw_name, str(self._root / (folder or entry.pw_dir).lstrip("/")), uid)

    def _entry(self, user: str | None) -> pwd.struct_passwd | None:
        if user not in self._known:
            try:
                self._known[user] = pwd.getpwnam(user) if user else pwd.getpwuid(self._uid)
            except (KeyError, ValueError):  # ValueError: no name at all, such as one with NUL
                self._known[user] = None
        return self._known[user]


def is_still(user: str, uid: int) -> bool:
    """Is ``uid`` the number of ``user``? When a user is deleted, the next one may get the number.

    A directory that is out of reach does not know the user, as one that was deleted; then the number speaks, and one
    that nobody has is taken to be as it was.
    """
    try:
        return pwd.getpwnam(user).pw_uid == uid
    except KeyError:
        pass
    try:
        return pwd.getpwuid(uid).pw_name == user
    except KeyError:
        return True


def owner_for(uid: int) -> tuple[int, int]:
    """User and group of the files that user ``uid`` writes."""
    try:
        return uid, pwd.getpwuid(uid).pw_gid
    except KeyError:
        return uid, uid


def own() -> tuple[int, int]:
    """User and group of this process, who own the files it writes."""
    return os.geteuid(), os.getegid()
