"""The phones for browsers, each packed into one script, from pinned packages: no content network is asked.

``python -m tests.real.scripts`` makes them once, outside the tree; it needs npm.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from tests.real.debian11 import cache

SOURCE = Path(__file__).parent / "web"
PHONES = ("jssip", "sipjs", "browser-phone")


def folder() -> Path:
    """Where they are, made or not; another place for another content of ``web/``."""
    mark = hashlib.sha256(b"\0".join(path.read_bytes() for path in sorted(SOURCE.iterdir()))).hexdigest()[:16]
    return cache() / f"web-{mark}"


def ready() -> bool:
    """Are they made?"""
    return folder().exists()


def make() -> None:
    """Make them, all or none."""
    place, half = folder(), folder().with_name(f"half-made-{os.getpid()}")
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(SOURCE, half)
    try:
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=half, check=True)
        sources = [f"{phone}.js" for phone in PHONES]
        pack = ["node_modules/.bin/esbuild", *sources, "--bundle", "--outdir=packed", "--log-level=warning"]
        subprocess.run(pack, cwd=half, check=True)
        (half / "packed").rename(place)
    finally:
        shutil.rmtree(half, ignore_errors=True)


if __name__ == "__main__" and not ready():
    make()
