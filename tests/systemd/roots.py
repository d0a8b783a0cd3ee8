"""Fresh Debian in folders of its own, to be booted: as installed, and nothing of ours in it.

``python -m tests.systemd.roots`` makes them once, outside the tree; it needs root, mmdebstrap and the machine's own
package mirror. What our package depends on is there as files, so that apt can install it without network.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.real.debian11 import KEYS, cache, mirror

RELEASES = ("bookworm", "trixie")
INCLUDED = ("systemd-sysv", "dbus-user-session", "libpam-systemd", "passwd", "ca-certificates")
# The last is for Ansible's module `apt`.
DEPENDENCIES = (
    "python3-aiohttp",
    "python3-fastjsonschema",
    "python3-jinja2",
    "python3-jsonschema",
    "python3-watchdog",
    "python3-yaml",
    "python3-apt",
)
# They would look for the network, or work while the tests measure.
_MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer")
_OPTIONS = (
    "--quiet",
    "--variant=minbase",
    "--skip=cleanup/apt",  # apt's lists are what it installs from later
    '--aptopt=APT::Install-Recommends "0"',
    '--aptopt=Binary::apt-get::APT::Keep-Downloaded-Packages "true"',
    "--dpkgopt=force-unsafe-io",
    f"--include={','.join(INCLUDED)}",
    '--customize-hook=chroot "$1" apt-get -qq update',
    f'--customize-hook=chroot "$1" apt-get -qq install --yes --download-only {" ".join(DEPENDENCIES)}',
)
_RECIPE = repr((INCLUDED, DEPENDENCIES, _MASKED, _OPTIONS, "1"))


def folder(release: str) -> Path:
    """Where the root of ``release`` is, made or not."""
    return cache() / f"{release}-booted-{hashlib.sha256(_RECIPE.encode()).hexdigest()[:12]}"


def ready(release: str) -> bool:
    """Is it made?"""
    return folder(release).is_dir()


def make(release: str) -> None:
    """Make it, whole or not at all."""
    place, half = folder(release), cache() / f"half-made-{release}-{os.getpid()}"
    place.parent.mkdir(parents=True, exist_ok=True)
    source = f"deb [signed-by={KEYS}] {mirror()} {release} main"
    try:
        subprocess.run(
            ["mmdebstrap", *_OPTIONS, release, half, source], check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr
        )
        _furnish(half)
        half.rename(place)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _furnish(root: Path) -> None:
    """What an installer does beside the packages."""
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    (root / "etc/hostname").write_text("ws-17\n")
    # With one, this is not the first boot, at which systemd would enable every service that it finds.
    (root / "etc/machine-id").write_text(f"{hashlib.md5(str(root).encode(), usedforsecurity=False).hexdigest()}\n")
    for unit in _MASKED:
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")


if __name__ == "__main__":
    if not mirror():
        sys.exit("this machine's apt knows no Debian mirror")
    for name in RELEASES:
        if not ready(name):
            make(name)
