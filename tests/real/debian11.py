"""Debian 11 in a folder of its own: it has the Asterisk of the platform's family, with chan_sip.

``python -m tests.real.debian11`` makes it once, outside the tree; it needs root, mmdebstrap and the machine's own
package mirror.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

RELEASE = "bullseye"
PACKAGES = ("asterisk", "asterisk-modules")
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


def cache() -> Path:
    """What the tests keep outside the tree."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "softphone-provisioner-tests"


def folder() -> Path:
    """Where it is, made or not."""
    return cache() / f"{RELEASE}-asterisk"


def ready() -> bool:
    """Is it made?"""
    return (folder() / "usr/sbin/asterisk").exists()


def mirror() -> str:
    """The mirror from which this machine gets Debian; "" when it is not Debian."""
    form = "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)"
    told = subprocess.run(
        ["apt-get", "indextargets", "--format", form, "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    )
    ours = [line.rpartition("|")[2] for line in told.stdout.splitlines() if line.startswith("Debian|Debian|main|")]
    return ours[0] if ours else ""


def make() -> None:
    """Make it, whole or not at all. Nothing is installed: the packages are only unpacked."""
    place, half = folder(), folder().with_name(f"half-made-{os.getpid()}")
    place.parent.mkdir(parents=True, exist_ok=True)
    source = f"deb [signed-by={KEYS}] {mirror()} {RELEASE} main"
    options = [
        "--quiet",
        "--variant=extract",
        f"--include={','.join(PACKAGES)}",
        '--aptopt=APT::Install-Recommends "0"',
    ]
    try:
        subprocess.run(["mmdebstrap", *options, RELEASE, str(half), source], check=True, stdin=subprocess.DEVNULL)
        (half / "srv").mkdir(exist_ok=True)
        half.rename(place)
    finally:
        shutil.rmtree(half, ignore_errors=True)


if __name__ == "__main__" and not ready():
    if not mirror():
        sys.exit("this machine's apt knows no Debian mirror")
    make()
