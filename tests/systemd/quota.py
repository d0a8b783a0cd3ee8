"""A disk on which no more may be written: a btrfs with a quota that is used up."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.systemd.boot import Booted


@contextmanager
def quota(machine: Booted, folder: Path, path: str, user: str) -> Iterator[None]:
    """Mount such a disk at ``path`` in the machine, a folder of ``user``'s; its blocks are in ``folder``."""
    owner = int(machine.do("id", "--user", user))
    device = _used_up(folder, owner)
    number = os.stat(device).st_rdev
    try:
        machine.do("mknod", "/dev/quota", "b", str(os.major(number)), str(os.minor(number)))
        machine.do("mount", "--options=subvol=full", "/dev/quota", path)
        yield
    finally:
        machine.run("umount", "--lazy", path)
        _run("losetup", "--detach", device)


def _used_up(folder: Path, owner: int) -> str:
    image, mounted = folder / "image", folder / "mounted"
    mounted.mkdir()
    with image.open("wb") as blocks:
        blocks.truncate(128 << 20)
    _run("mkfs.btrfs", "--quiet", image)
    device = _run("losetup", "--find", "--show", image).strip()
    _run("mount", device, mounted)
    try:
        _run("btrfs", "quota", "enable", mounted)
        full = mounted / "full"
        _run("btrfs", "subvolume", "create", full)
        os.chown(full, owner, owner)
        full.chmod(0o700)
        _run("btrfs", "qgroup", "limit", "256K", full)
        with suppress(OSError), (full / "fill").open("wb", 0) as fill:
            while True:
                fill.write(bytes(4096))
    finally:
        _run("umount", mounted)
    return device


def _run(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
