"""Couriers that do what no courier should, as processes of another user."""

from __future__ import annotations

import asyncio
import os
import pwd
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.machine import PATIENCE, Machine

_AS_USER = """
import ctypes, json, os, socket, sys, time
libc, parent = ctypes.CDLL(None), os.getppid()
uid, gid, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
os.setgroups([])
os.setresgid(gid, gid, gid)
os.setresuid(uid, uid, uid)
libc.prctl(1, 15)  # PR_SET_PDEATHSIG: not without whoever started it
if os.getppid() != parent:
    sys.exit()

def call(timeout=None):
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(timeout)
    line.connect(path)
    return line

def say(line, message):
    body = json.dumps(message).encode()
    line.sendall(len(body).to_bytes(4, "big") + body)

def exactly(line, length):
    got = b""
    while len(got) < length:
        piece = line.recv(length - len(got))
        if not piece:
            raise ConnectionError
        got += piece
    return got

def heard(line):
    return json.loads(exactly(line, int.from_bytes(exactly(line, 4), "big")))

def hello(line):
    say(line, {"courier": 1, "version": "0"})

def folders(parcels):
    return [one["place"]["base"] + "/" + one["place"]["folder"] for one in parcels if one["place"]]

def nothing(question):
    nobody = dict.fromkeys(("targets", "problems", "freed", "agents"), [])
    return {"id": question["id"], **nobody, "folders": folders(question.get("parcels", [])), "back": False}

def for_ever(act):
    while True:
        try:
            act()
        except OSError:
            time.sleep(0.05)

print("up", flush=True)
"""


@asynccontextmanager
async def hostile(machine: Machine, user: pwd.struct_passwd, script: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of ``user`` that does ``script`` to the couriers' socket; it is ended with the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _AS_USER + script, str(user.pw_uid), str(user.pw_gid),
        str(machine.places.courier_socket), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[1],
        env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
