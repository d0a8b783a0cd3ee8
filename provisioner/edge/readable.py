"""What another user can read: root can read everything, and so sees no mistake in owners and modes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pwd import struct_passwd


def unreadable_by(user: struct_passwd, paths: Iterable[str]) -> list[str]:
    """Those of ``paths`` that are there and ``user`` cannot open to read; none where we may not be that user, as a
    container's root may not. For root alone, and no threads meanwhile."""
    there = [path for path in paths if os.path.exists(path)]  # noqa: PTH110
    groups, gid, uid = os.getgroups(), os.getegid(), os.geteuid()
    try:
        os.initgroups(user.pw_name, user.pw_gid)
        os.setegid(user.pw_gid)
        os.seteuid(user.pw_uid)
        return [path for path in there if not os.access(path, os.R_OK, effective_ids=True)]
    except OSError:
        return []
    finally:
        os.seteuid(uid)
        os.setegid(gid)
        if os.getgroups() != groups:
            os.setgroups(groups)
