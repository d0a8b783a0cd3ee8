"""Who can read a file, by what stat(2) says of it. The user `daemon`, whom every Debian has, stands for the service."""

from __future__ import annotations

import os
import pwd

import pytest

from provisioner.edge.privacy import is_own_group, is_private

DAEMON = pwd.getpwnam("daemon")
OTHER = pwd.getpwnam("man").pw_gid


def status(mode: int, group: int) -> os.stat_result:
    return os.stat_result((0o100000 | mode, 1, 1, 1, 0, group, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "group", "private"),
    [
        (0o600, OTHER, True),
        (0o400, OTHER, True),
        (0o640, DAEMON.pw_gid, True),
        (0o440, DAEMON.pw_gid, True),
        (0o640, OTHER, False),
        (0o640, 0, False),
        (0o640, 4_000_000_000, False),
        (0o660, DAEMON.pw_gid, False),
        (0o650, DAEMON.pw_gid, False),
        (0o644, DAEMON.pw_gid, False),
        (0o642, DAEMON.pw_gid, False),
        (0o604, DAEMON.pw_gid, False),
    ],
)
def test_a_group_may_read_only_if_it_is_the_service_s_own(mode: int, group: int, private: bool):
    assert is_private(status(mode, group), "daemon") is private


def test_without_such_a_user_no_group_is_its_own():
    assert not is_own_group(DAEMON.pw_gid, "nobody-of-this-name")
    assert not is_private(status(0o640, DAEMON.pw_gid), "nobody-of-this-name")
