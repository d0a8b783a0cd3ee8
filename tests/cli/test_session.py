"""``provisioner session`` as a process, and a service at the other end."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path

import pytest

from provisioner import __version__
from provisioner.core.errand import PROTOCOL, KeepOnly, errand_as_json
from provisioner.core.frame import LONGEST_TO_COURIER, frame
from provisioner.edge.courier_connection import Connection
from provisioner.edge.courier_socket import Limits, Reception, Serve, courier_socket
from provisioner.places import places_of
from tests.machine import PATIENCE

NOT_HERE = ("aiohttp", "asyncio", "fastjsonschema", "jinja2", "jsonschema", "watchdog", "yaml")


class Session:
    """The courier's process, and what the service manager was told."""

    def __init__(self, process: asyncio.subprocess.Process, notify: socket.socket) -> None:
        self.process, self.notify = process, notify

    async def told(self, word: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while word not in (await asyncio.get_running_loop().sock_recv(self.notify, 65536)).decode():
                pass

    async def end(self) -> tuple[int | None, str]:
        _, said = await asyncio.wait_for(self.process.communicate(), PATIENCE)
        return self.process.returncode, said.decode()


@asynccontextmanager
async def session(root: Path, name: str = "notify") -> AsyncIterator[Session]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as notify:
        notify.bind(str(root / name))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "provisioner", "session", "--root", str(root), stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "HOME": str(root), "XDG_STATE_HOME": "", "NOTIFY_SOCKET": str(root / name)},
        )  # fmt: skip
        try:
            yield Session(process, notify)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@asynccontextmanager
async def receiving(path: Path, serve: Serve) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        reception = Reception(serve, lambda _: True, group.create_task, Limits(rest=0.0))
        async with courier_socket(path, reception):
            yield


class Desk:
    def __init__(self) -> None:
        self.come: asyncio.Queue[Connection] = asyncio.Queue()

    async def serve(self, connection: Connection) -> None:
        self.come.put_nowait(connection)
        await connection.lost()

    @asynccontextmanager
    async def open(self, path: Path) -> AsyncIterator[None]:
        async with receiving(path, self.serve):
            yield

    async def next(self) -> Connection:
        return await asyncio.wait_for(self.come.get(), PATIENCE)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Shorter than the usual one: the address of a socket holds 107 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where couriers look for the service."""
    found = places_of(tmp_path, None, None).courier_socket
    found.parent.mkdir(parents=True)
    return found


async def works(connection: Connection) -> bool:
    answer = await connection.ask(errand_as_json(KeepOnly(())), PATIENCE)
    return answer == {"targets": [], "problems": [], "freed": []}


async def test_it_waits_for_the_service_and_finds_it_again_after_every_restart(tmp_path: Path, path: Path):
    desk = Desk()
    async with session(tmp_path) as courier:
        for _ in range(2):
            await courier.told("waits for the service")
            async with desk.open(path):
                connection = await desk.next()
                assert (connection.uid, connection.hello.version) == (os.geteuid(), __version__)
                assert await works(connection)
                await courier.told("connected to the service")
        assert courier.process.returncode is None
        courier.process.terminate()
        _, said = await courier.end()
        assert f"{path}: waits for the service: No such file or directory" in said  # for whoever starts it by hand
        assert said.count("connected to the service") == 2


@pytest.mark.slow
async def test_it_comes_again_after_being_hung_up_on_and_not_at_once(tmp_path: Path, path: Path):
    desk = Desk()
    async with desk.open(path), session(tmp_path):
        loop, came = asyncio.get_running_loop(), []
        for _ in range(4):
            connection = await desk.next()
            came.append(loop.time())
            connection.end("for the test")
        assert [later - earlier >= 0.25 for earlier, later in pairwise(came)] == [True] * 3
        assert came[3] - came[0] >= 0.5 + 1.0


async def test_two_sessions_of_one_user_are_one(tmp_path: Path, path: Path):
    desk = Desk()
    async with desk.open(path), session(tmp_path):
        first = await desk.next()
        async with session(tmp_path, "second") as second:
            code, said = await second.end()
        assert code == 1
        assert "another provisioner runs with this state" in said
        assert await works(first)


async def test_it_ends_when_the_service_speaks_another_protocol(tmp_path: Path, path: Path):
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(LONGEST_TO_COURIER)  # as the service does: who hangs up on an unread message is not heard
        writer.write(frame({"refused": "protocol", "courier": PROTOCOL + 1}, LONGEST_TO_COURIER))
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(refuse, path), session(tmp_path) as courier:
        code, said = await courier.end()
    assert code == 0
    assert said.endswith("the service was upgraded: this courier has to start anew\n")


async def test_the_state_is_the_users_own_and_private(tmp_path: Path, path: Path):
    desk = Desk()
    async with desk.open(path), session(tmp_path):
        await desk.next()
        folder = tmp_path / ".local/state/softphone-provisioner"
        assert {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())} == {0}


async def test_a_socket_that_it_may_not_open_is_waited_for(tmp_path: Path, path: Path):
    path.mkdir()
    async with session(tmp_path) as courier:
        await courier.told("waits for the service")
        path.rmdir()
        desk = Desk()
        async with desk.open(path):
            assert await works(await desk.next())


def test_it_imports_nothing_heavy(tmp_path: Path):
    """One that is connected, and has done something."""
    code = f"""
import socket, sys, threading
from provisioner.cli import make_parser
options = make_parser("session").parse_args(["session", "--root", {str(tmp_path)!r}])
threading.Thread(target=options.run, args=(options,), daemon=True).start()
with socket.socket(socket.AF_UNIX) as here:
    here.bind(sys.argv[1])
    here.listen()
    connection, _ = here.accept()
    def say(body):
        connection.sendall(len(body).to_bytes(4, "big") + body)
    connection.recv(1000)
    say(b'{{"id": 1, "do": "run", "argv": ["true"], "seconds": 5}}')
    connection.recv(1000)
    say(b'{{"id": 2, "do": "bring", "agent": "ana", "parcels": []}}')
    connection.recv(1000)
print(*sys.modules)
"""
    path = tmp_path / "run/softphone-provisioner/courier.sock"
    path.parent.mkdir(parents=True)
    assert places_of(tmp_path, None, None).courier_socket == path
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, timeout=PATIENCE,
        env={**os.environ, "HOME": str(tmp_path), "XDG_STATE_HOME": ""},
    )  # fmt: skip
    loaded = done.stdout.split()
    assert "provisioner.courier" in loaded
    assert [name for name in NOT_HERE if name in loaded] == []
