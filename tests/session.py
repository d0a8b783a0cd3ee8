"""A session of another user for tests: the real courier as a process of that user's."""

from __future__ import annotations

import asyncio
import os
import pwd
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from provisioner.demo.platform import SimulatedPlatform, serve
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
_WITH_USERS = 'mount --bind "$1" /etc/passwd; shift; exec "$@"'
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
            yield Machine(Path(folder), url)


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
    machine.launcher = ["unshare", "--mount", "sh", "-ec", _WITH_USERS, "sh", str(file)]


@asynccontextmanager
async def session(machine: Machine, user: pwd.struct_passwd, home: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A courier of ``user``; it is ended with the block."""
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    with (machine.root / f"courier-{user.pw_name}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _AS_USER, str(user.pw_uid), str(user.pw_gid), "--root", str(machine.root),
            stdout=log, stderr=log, env=environment, cwd=Path(__file__).parents[1],
        )  # fmt: skip
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), PATIENCE)
