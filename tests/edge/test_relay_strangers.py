"""Another user of the same machine at the relay's port: nothing to be had, and nobody stalled."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from provisioner.core.sip.message import print_message
from provisioner.edge.relay_tcp import PhoneConnection
from provisioner.edge.socket_owner import SocketOwners
from tests.edge.handset import handset
from tests.edge.test_relay import NAME, Bench, bench
from tests.machine import PATIENCE, until
from tests.ports import free_port
from tests.session import root_only
from tests.sip_server import SipServer, asked, ha1_of

STRANGER = 65_500
# Seconds for which somebody waits who is to get nothing.
NOT_LONG = 1.0
pytestmark = root_only

# What the stranger runs: it says how much it got.
TCP = """
import socket, sys
one = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
one.settimeout(20)
try:
    one.sendall(sys.stdin.buffer.read())
    print(len(one.recv(65536)))
except ConnectionError:
    print(0)
"""
_UDP = """
import socket, sys
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.bind(("127.0.0.1", int(sys.argv[2])))
one.settimeout(float(sys.argv[3]))
one.sendto(sys.stdin.buffer.read(), ("127.0.0.1", int(sys.argv[1])))
try:
    print(len(one.recv(65536)))
except TimeoutError:
    print(0)
"""
_FLOOD = """
import socket, sys
port = int(sys.argv[1])
print("begun", flush=True)
held = []
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex(("127.0.0.1", port))
    held = [*held[-200:], one]
    udp.sendto(b"OPTIONS sip:a SIP/2.0\\r\\n\\r\\n", ("127.0.0.1", port))
"""


@pytest.fixture
async def desk(tmp_path: object) -> AsyncIterator[Bench]:
    async with bench(tmp_path, SipServer({NAME: ha1_of(NAME)})) as one:
        yield one


@asynccontextmanager
async def stranger(program: str, *arguments: object, uid: int = STRANGER) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--pdeathsig", "KILL",
        sys.executable, "-c", program, *map(str, arguments),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def gets(program: str, packet: bytes, *arguments: object, uid: int = STRANGER) -> int:
    async with stranger(program, *arguments, uid=uid) as process:
        out, _ = await asyncio.wait_for(process.communicate(packet), 2 * PATIENCE)
        return int(out)


async def a_registration(desk: Bench) -> bytes:
    async with handset(desk.port, NAME, "udp") as phone:
        return print_message(phone.request("REGISTER"))


async def test_another_user_gets_not_one_byte_and_the_server_hears_nothing(desk: Bench):
    packet = await a_registration(desk)
    assert await gets(TCP, packet, desk.port) == 0
    assert await gets(_UDP, packet, desk.port, free_port(), NOT_LONG) == 0
    assert await gets(_UDP, b"\r\n\r\n", desk.port, free_port(), NOT_LONG) == 0
    await until(lambda: desk.relay.state().strangers == 3)
    assert desk.server.opened == 0


async def test_the_same_program_of_the_right_user_gets_an_answer(desk: Bench):
    packet = await a_registration(desk)
    assert await gets(TCP, packet, desk.port, uid=0) > 0
    assert await gets(_UDP, packet, desk.port, free_port(), PATIENCE, uid=0) > 0


async def test_root_is_another_user_too(tmp_path: object):
    async with bench(tmp_path, SipServer({NAME: ha1_of(NAME)})) as one:
        packet = await a_registration(one)
        await one.relay.use(type(one.account)(NAME, one.account.credential, True, one.account.server, STRANGER))
        assert await gets(TCP, packet, one.port, uid=0) == 0
        assert await gets(_UDP, packet, one.port, free_port(), NOT_LONG, uid=0) == 0
        assert await gets(TCP, packet, one.port) > 0
        assert await gets(_UDP, packet, one.port, free_port(), PATIENCE) > 0


async def test_who_takes_over_the_port_of_a_phone_hears_of_no_call_and_says_nothing(desk: Bench):
    port = free_port()
    async with handset(desk.port, NAME, "udp", port) as phone:
        await phone.registers()
        packet = print_message(phone.request("MESSAGE"))
    count = len(desk.server.heard)
    assert await gets(_UDP, packet, desk.port, port, NOT_LONG) == 0
    assert len(desk.server.heard) == count
    await until(lambda: desk.relay.state().phones == ())


async def test_a_call_for_a_phone_whose_port_is_another_users_now_is_not_told(desk: Bench):
    port = free_port()
    async with handset(desk.port, NAME, "udp", port) as phone:
        await phone.registers()
    listener = "import socket,sys\none=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n" \
               "one.bind(('127.0.0.1',int(sys.argv[1])))\none.settimeout(1)\nprint('here',flush=True)\n" \
               "try: print(len(one.recv(65536)))\nexcept TimeoutError: print(0)\n"  # fmt: skip
    async with stranger(listener, port) as process:
        assert process.stdout is not None
        assert (await process.stdout.readline()).strip() == b"here"
        await desk.server.ask(NAME, asked("INVITE", NAME, "secret-call"))
        assert (await process.stdout.readline()).strip() == b"0"


@pytest.mark.slow
async def test_a_flood_from_another_user_does_not_stop_the_phone(desk: Bench):
    async with handset(desk.port, NAME) as phone, stranger(_FLOOD, desk.port) as process:
        await phone.registers()
        assert process.stdout is not None
        await process.stdout.readline()
        await until(lambda: desk.relay.state().strangers > 50)
        for _ in range(20):
            assert (await phone.registers()).status == 200
        assert process.returncode is None, "the flood ended before"
        process.kill()
        async with handset(desk.port, NAME) as another:
            assert (await another.registers()).status == 200


async def test_owners_are_told_by_address(desk: Bench):
    owners = SocketOwners()
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as both, socket.socket() as one:
        both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        both.bind(("::", 0))
        assert await owners.of_sender(("127.0.0.1", both.getsockname()[1])) == {0}
        one.connect(("127.0.0.1", desk.port))
        assert await owners.of_connection(one.getsockname(), one.getpeername()) == {0}
        assert await owners.of_connection(one.getpeername(), ("127.0.0.1", 1)) == set()
    assert await owners.of_sender(("127.0.0.1", free_port())) == set()
    owners.close()


async def test_tables_that_cannot_be_read_name_nobody_until_they_can_be_again():
    owners = SocketOwners()
    files = [file for file in map(int, os.listdir("/proc/self/fd")) if _is_table(file)]
    tables = {file: os.dup(file) for file in files}
    pipe = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as one:
        far, near = one.getsockname(), one.getpeername()
        for file in tables:
            os.dup2(pipe[0], file)  # of a pipe nothing can be read by offset
        assert await asyncio.wait_for(owners.of_connection(far, near), PATIENCE) == set()
        assert await owners.of_sender(far) == set()
        for file, table in tables.items():
            os.dup2(table, file)
        assert await asyncio.wait_for(owners.of_connection(far, near), PATIENCE) == {os.getuid()}
    for file in (*tables.values(), *pipe):
        os.close(file)
    owners.close()


def _is_table(file: int) -> bool:
    with suppress(OSError):  # the folder's own descriptor is gone by now
        return re.search(r"/net/(tcp|udp)6?$", os.readlink(f"/proc/self/fd/{file}")) is not None
    return False


async def test_who_asks_whose_a_connection_is_when_the_end_comes_is_answered():
    owners, gate, loop = SocketOwners(), threading.Event(), asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as only:
        loop.set_default_executor(only)
        only.submit(gate.wait)
        asked = asyncio.ensure_future(owners.of_connection(("127.0.0.1", 1), ("127.0.0.1", 2)))
        for _ in range(5):
            await asyncio.sleep(0)  # by now a thread is to read the tables
        owners.close()
        gate.set()
        assert await asyncio.wait_for(asked, PATIENCE) == set()


# What is imported late is imported before: who it becomes may not see where Python lies.
_CONFINED = """
import asyncio, concurrent.futures.thread, encodings.idna, os, socket, sys
from provisioner.edge.relay_tcp import PhoneConnection
from provisioner.edge.socket_owner import SocketOwners

uid = int(sys.argv[1])
os.setgroups([])
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)

async def look():
    owners = SocketOwners()
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as one:
        print(await owners.of_connection(one.getsockname(), one.getpeername()))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        print(await owners.of_sender(one.getsockname()))

asyncio.run(look())
"""


async def test_owners_are_known_where_a_service_sees_only_its_own_processes():
    script = 'mount -t proc -o subset=pid,hidepid=invisible proc /proc && test ! -e /proc/net && exec "$@"'
    process = await asyncio.create_subprocess_exec(
        "unshare", "--mount", "--pid", "--fork", "--propagation", "private",
        "sh", "-c", script, "sh", sys.executable, "-c", _CONFINED, str(STRANGER), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert out.decode().split() == [f"{{{STRANGER}}}"] * 2


async def test_who_was_let_in_a_moment_before_the_line_was_another_users_is_hung_up_on(desk: Bench):
    here, there = socket.socketpair()
    await desk.relay.use(replace(desk.account, uid=STRANGER))
    loop = asyncio.get_running_loop()
    with there:
        there.setblocking(False)
        await loop.connect_accepted_socket(lambda: PhoneConnection(desk.relay, {os.getuid()}), here)
        assert await asyncio.wait_for(loop.sock_recv(there, 1), PATIENCE) == b""
    assert desk.relay.state().phones == ()
