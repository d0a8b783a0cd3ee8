"""Who but the service can read a file of ours."""

from __future__ import annotations

import grp
import os
import pwd
import stat

from provisioner.places import NAME

_GROUP_READS = stat.S_IRGRP
_OTHERWISE = 0o077 & ~_GROUP_READS


def is_private(status: os.stat_result, service: str = NAME) -> bool:
    """Can nobody read the file but its owner, and perhaps the user ``service`` through that user's own group?

    So root can own the files and a daemon without rights read them: mode 0640, group softphone-provisioner. The group
    counts as the user's own as long as nobody else is a member of it.
    """
    if status.st_mode & _OTHERWISE:
        return False
    return not status.st_mode & _GROUP_READS or is_own_group(status.st_gid, service)


def is_own_group(group: int, service: str = NAME) -> bool:
    """Is ``group`` that of the user ``service`` and of nobody else?"""
    try:
        return pwd.getpwnam(service).pw_gid == group and {*grp.getgrgid(group).gr_mem} <= {service}
    except KeyError:
        return False
