"""pjsua, made from the sources of PJSIP that Debian's Asterisk carries: no release of Debian has it as a package.

``python -m tests.real.pjproject`` makes it once, outside the tree; it needs root and the machine's own package mirror.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.real.debian11 import KEYS, cache, mirror

# The release whose Asterisk carries a current one.
RELEASE = "sid"
# No window, no sound card, no video, and of the codecs what needs nothing more. Debian leaves out what it has as
# libraries of its own, and a file of no content that the list of sources names.
_WITHOUT = (
    "resample", "ilbc-codec", "g7221-codec", "pjsua2", "upnp", "video", "sound", "sdl", "ffmpeg", "v4l2", "openh264",
    "libwebrtc", "libwebrtc-aec3", "libyuv", "opencore-amr", "vpx", "silk", "bcg729", "opus", "lyra",
)  # fmt: skip
_OPTIONS = ("--with-external-srtp", "--with-external-speex", "--with-external-gsm")
_SITE = "#undef PJMEDIA_RESAMPLE_IMP\n#define PJMEDIA_RESAMPLE_IMP PJMEDIA_RESAMPLE_SPEEX\n"
_LEFT_OUT = "pjmedia/src/pjmedia-audiodev/bdimad_dev.c"


def program() -> Path:
    """Where it is, made or not; it is linked to the libraries of this release of Debian."""
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    return cache() / f"pjsua-{release}" / "pjsua"


def ready() -> bool:
    """Is it made?"""
    return program().exists()


def make() -> None:
    """Make it, whole or not at all."""
    program().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pjproject-") as name:
        tree = Path(name) / "tree"
        tree.mkdir()
        _run(Path(name), "tar", "xf", str(_sources(Path(name))), "--strip-components=1", "-C", str(tree))
        (tree / _LEFT_OUT).touch()
        (tree / "pjlib/include/pj/config_site.h").write_text(_SITE)
        _run(tree, "./aconfigure", *_OPTIONS, *(f"--disable-{one}" for one in _WITHOUT), "CFLAGS=-O1")
        for goal in ("dep", "lib", "-C pjsip-apps/build pjsua"):
            _run(tree, "make", f"-j{os.cpu_count()}", *goal.split())
        (made,) = (tree / "pjsip-apps/bin").glob("pjsua-*")
        half = program().with_name(f"half-made-{os.getpid()}")
        shutil.copy(made, half)
        half.rename(program())


def _sources(folder: Path) -> Path:
    """Fetch what the source package of Asterisk has of PJSIP, with package lists of its own."""
    lists = folder / "apt"
    (lists / "lists/partial").mkdir(parents=True)
    (lists / "sources").write_text(f"deb-src [signed-by={KEYS}] {mirror()} {RELEASE} main\n")
    settings = {
        "Dir::Etc::sourcelist": lists / "sources", "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": lists / "lists", "Dir::Cache": lists, "Acquire::Check-Valid-Until": "false",
        "APT::Sandbox::User": "root",
    }  # fmt: skip
    options = [f"-o{key}={value}" for key, value in settings.items()]
    _run(folder, "apt-get", *options, "-qq", "update")
    _run(folder, "apt-get", *options, "-qq", "source", "--download-only", "asterisk")
    (found,) = folder.glob("*orig-Xpjproject.tar.*")
    return found


def _run(folder: Path, *command: str) -> None:
    """Run it silently; what it said is told when it fails."""
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-4000:]}")


if __name__ == "__main__" and not ready():
    make()
