"""A session of another user for tests: the real courier as a process of that user's."""

from __future__ import annotations

import asyncio
import os
import pwd
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from provisioner.demo.platform import SimulatedPlatform, serve
from tests import warm
from tests.machine import PATIENCE, Machine

# What a courier needs is read before it is another user's, who may not see where the program lies.
_AS_USER = """
import ctypes, hashlib, hmac, os, sys
libc, parent = ctypes.CDLL(None), os.getppid()
from provisioner.cli import make_parser, session
uid, gid, *arguments = sys.argv[1:]
options = make_parser("session").parse_args(["session", *arguments])
os.setgroups([])
os.setresgid(int(gid), int(gid), int(gid))
os.setresuid(int(uid), int(uid), int(uid))
libc.prctl(1, 15)  # PR_SET_PDEATHSIG: not without whoever started it
if os.getppid() != parent:
    sys.exit()
sys.exit(options.run(options))
"""
# In a file system of its own, as far as it is mounted: CLONE_NEWNS, MS_REC | MS_PRIVATE, MS_BIND.
_WITH_USERS = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
done = libc.unshare(0x20000) or libc.mount(None, b"/", None, 0x44000, None)
if done or libc.mount({file}, b"/etc/passwd", None, 0x1000, None):
    raise OSError(ctypes.get_errno(), "mount")
"""
# Users of every Debian who own nothing.
ANA, BETO = pwd.getpwnam("games"), pwd.getpwnam("news")
root_only = pytest.mark.skipif(
    os.geteuid() != 0 and os.environ.get("CI") != "true", reason="only root can be several users"
)


@asynccontextmanager
async def shared_machine(platform: SimulatedPlatform) -> AsyncIterator[Machine]:
    """A workstation that every user of this machine can look into, as /run and /home are; its platform runs."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        async with serve(platform) as url:
            yield Machine(Path(folder), url, cold=False)


def home_of(machine: Machine, login: str, user: pwd.struct_passwd) -> Path:
    """The home of ``login``, which belongs to ``user`` alone."""
    home = machine.home(login)
    home.mkdir(parents=True, exist_ok=True)
    os.chown(home, user.pw_uid, user.pw_gid)
    home.chmod(0o700)
    return home


def users(machine: Machine, *changes: tuple[str, str]) -> None:
    """Let the service see users of its own: this machine's, with ``changes`` of their names."""
    text = Path("/etc/passwd").read_text()
    for old, new in changes:
        text = text.replace(f"\n{old}:", f"\n{new}:")
    file = machine.root / "passwd"
    file.write_text(text)  # in place: it is mounted
    machine.before = _WITH_USERS.format(file=bytes(file))


@asynccontextmanager
async def session(machine: Machine, user: pwd.struct_passwd, home: Path) -> AsyncIterator[warm.Process]:
    """A courier of ``user``; it is ended with the block."""
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    arguments = (str(user.pw_uid), str(user.pw_gid), "--root", str(machine.root))
    with (machine.root / f"courier-{user.pw_name}.log").open("ab") as log:
        process = warm.Process(warm.Start(_AS_USER, arguments, environment, {1: log.fileno(), 2: log.fileno()}))
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), PATIENCE)
