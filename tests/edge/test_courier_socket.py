"""The couriers' socket: real sockets, good couriers and hostile ones."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from provisioner.core.errand import PROTOCOL, Hello, hello_as_json
from provisioner.core.frame import HEAD, LONGEST_HELLO, LONGEST_TO_COURIER, LONGEST_TO_DAEMON, FrameError, frame
from provisioner.core.frame import message_of as read
from provisioner.core.problem import ProvisionerError
from provisioner.edge.courier_connection import Connection, LostError
from provisioner.edge.courier_socket import Limits, Reception, courier_socket
from tests.machine import LOOK_AGAIN, PATIENCE

LIMITS = Limits(hello=PATIENCE, rest=0.0, of_one=4, strangers=3)
HELLO = frame(hello_as_json(Hello(PROTOCOL, "1.0")), LONGEST_HELLO)
LONG = 10 * 1024 * 1024
Serve = Callable[[Connection], Any]


class Talk:
    """What a courier, good or bad, says and hears."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, whole: bytes) -> None:
        self.writer.write(whole)

    def answer(self, **message: object) -> None:
        self.writer.write(frame(message, LONGEST_TO_DAEMON))

    async def heard(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            length = int.from_bytes(await self.reader.readexactly(HEAD), "big")
            return read(await self.reader.readexactly(length))

    async def hung_up(self) -> bool:
        """Did the daemon hang up, without a word?"""
        with suppress(ConnectionError):
            return await asyncio.wait_for(self.reader.read(), PATIENCE) == b""
        return True


class Desk:
    """Keeps the connections, and those that are over."""

    def __init__(self) -> None:
        self.served: asyncio.Queue[Connection] = asyncio.Queue()

    async def serve(self, connection: Connection) -> None:
        self.served.put_nowait(connection)
        await connection.lost()

    async def next(self) -> Connection:
        return await asyncio.wait_for(self.served.get(), PATIENCE)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "courier.sock"


@asynccontextmanager
async def receiving(path: Path, serve: Serve, *, expected: bool = True, limits: Limits = LIMITS) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        reception = Reception(serve, lambda _: expected, group.create_task, limits)
        async with courier_socket(path, reception):
            yield


@asynccontextmanager
async def talk(path: Path, *, hello: bytes = HELLO) -> AsyncIterator[Talk]:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(hello)
    try:
        yield Talk(reader, writer)
    finally:
        writer.transport.abort()


async def test_who_it_is_says_the_kernel(path: Path, desk: Desk):
    async with receiving(path, desk.serve), talk(path):
        connection = await desk.next()
        assert (connection.uid, connection.hello) == (os.geteuid(), Hello(PROTOCOL, "1.0"))


async def test_anybody_may_connect_and_the_socket_goes_with_the_service(path: Path, desk: Desk):
    async with receiving(path, desk.serve):
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
    assert not path.exists()


async def test_a_socket_that_cannot_be_made_is_said(tmp_path: Path, desk: Desk):
    (tmp_path / "file").touch()
    with pytest.raises(BaseExceptionGroup) as caught:
        async with receiving(tmp_path / "file" / "s", desk.serve):
            pass
    assert caught.group_contains(ProvisionerError)


async def test_questions_get_their_own_answers_in_whatever_order_these_come(path: Path, desk: Desk):
    async with receiving(path, desk.serve), talk(path) as courier:
        connection = await desk.next()
        asked = [asyncio.ensure_future(connection.ask({"number": number}, PATIENCE)) for number in range(3)]
        for question in reversed([await courier.heard() for _ in asked]):
            courier.answer(id=question["id"], twice=2 * question["number"])
        assert await asyncio.gather(*asked) == [{"twice": 0}, {"twice": 2}, {"twice": 4}]


async def test_a_question_that_nobody_waits_for_any_more_costs_the_courier_nothing(path: Path, desk: Desk):
    async with receiving(path, desk.serve), talk(path) as courier:
        connection = await desk.next()
        given_up = asyncio.ensure_future(connection.ask({}, PATIENCE))
        number = (await courier.heard())["id"]
        given_up.cancel()
        await asyncio.wait([given_up])
        asked = asyncio.ensure_future(connection.ask({}, PATIENCE))
        courier.answer(id=number)
        courier.answer(id=(await courier.heard())["id"], good=True)
        assert await asked == {"good": True}


HEAD_OF_TOO_MUCH = (LONGEST_TO_DAEMON + 1).to_bytes(HEAD, "big")
GARBAGE = {
    "nothing": bytes(HEAD),
    "4 GiB": b"\xff" * 100,
    "too much": HEAD_OF_TOO_MUCH,
    "a web browser": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no JSON": b"\0\0\0\4nope",
    "a list": b"\0\0\0\2[]",
    "deep": (LONGEST_HELLO).to_bytes(HEAD, "big") + b"[" * LONGEST_HELLO,
    "no hello": frame({"do": "bring"}, 100),
}


LONG_HELLO = frame(hello_as_json(Hello(PROTOCOL, "1" * LONGEST_HELLO)), LONGEST_TO_DAEMON)


@pytest.mark.parametrize("hello", [*GARBAGE.values(), LONG_HELLO])
async def test_garbage_instead_of_a_hello_is_hung_up_on(path: Path, desk: Desk, hello: bytes):
    async with receiving(path, desk.serve):
        async with talk(path, hello=hello) as courier:
            assert await courier.hung_up()
        assert desk.served.empty()
        async with talk(path):
            await desk.next()


ANSWERS = [
    {},
    {"id": None},
    {"id": 2},
    {"id": 0},
    {"id": "1"},
    {"id": True},
    {"id": 1.0},
    {"id": [1]},
    {"id": {"a": 1}},
    {"id": 10**400},
]


@pytest.mark.parametrize("answer", [*GARBAGE.values(), *(frame(answer, 1000) for answer in ANSWERS)])
async def test_garbage_instead_of_an_answer_ends_the_connection_and_whoever_waits_is_told(
    path: Path, desk: Desk, answer: bytes
):
    async with receiving(path, desk.serve), talk(path) as courier:
        connection = await desk.next()
        asked = [asyncio.ensure_future(connection.ask({}, PATIENCE)) for _ in range(1)]
        await courier.heard()
        courier.say(answer)
        for one in asked:
            with pytest.raises(LostError):
                await one
        with pytest.raises(LostError):
            await connection.ask({}, PATIENCE)
        assert await courier.hung_up()


async def test_an_answer_comes_once(path: Path, desk: Desk):
    async with receiving(path, desk.serve), talk(path) as courier:
        connection = await desk.next()
        asked = asyncio.ensure_future(connection.ask({}, PATIENCE))
        number = (await courier.heard())["id"]
        courier.answer(id=number)
        courier.answer(id=number)
        assert await asked == {}
        await asyncio.wait_for(connection.lost(), PATIENCE)


async def test_who_was_asked_nothing_has_nothing_to_say(path: Path, desk: Desk):
    async with receiving(path, desk.serve), talk(path) as courier:
        connection = await desk.next()
        courier.say((1000).to_bytes(HEAD, "big"))
        assert await asyncio.wait_for(connection.lost(), PATIENCE) == "the courier answered what nobody asked"


async def test_a_courier_of_another_protocol_is_told_and_served_nothing(path: Path, desk: Desk):
    hello = frame({"courier": PROTOCOL + 1, "files": "new"}, LONGEST_HELLO)
    async with receiving(path, desk.serve), talk(path, hello=hello) as courier:
        assert await courier.heard() == {"refused": "protocol", "courier": PROTOCOL}
        courier.writer.write_eof()
        assert await courier.hung_up()
        assert desk.served.empty()


@pytest.mark.parametrize("hello", [b"", HELLO[:3], HELLO[:-1]])
async def test_who_does_not_say_hello_in_time_is_hung_up_on(path: Path, desk: Desk, hello: bytes):
    async with receiving(path, desk.serve, limits=replace(LIMITS, hello=0.2)), talk(path, hello=hello) as courier:
        assert await courier.hung_up()


async def test_a_courier_that_does_not_answer_in_time_is_hung_up_on(path: Path, desk: Desk):
    async with receiving(path, desk.serve), talk(path) as courier:
        connection = await desk.next()
        other = asyncio.ensure_future(connection.ask({}, PATIENCE))
        with pytest.raises(LostError, match=r"did not answer within 0\.2 s"):
            await connection.ask({}, 0.2)
        with pytest.raises(LostError, match=r"did not answer within 0\.2 s"):
            await other
        await courier.heard()
        await courier.heard()
        assert await courier.hung_up()


async def test_a_courier_that_ends_in_the_middle_of_an_answer_is_gone(path: Path, desk: Desk):
    async with receiving(path, desk.serve), talk(path) as courier:
        connection = await desk.next()
        asked = asyncio.ensure_future(connection.ask({}, PATIENCE))
        await courier.heard()
        courier.say(frame({"id": 1, "good": True}, 1000)[:-3])
        courier.writer.write_eof()
        with pytest.raises(LostError, match="the courier is gone"):
            await asked


async def test_somebody_who_reads_nothing_stalls_nobody(path: Path, desk: Desk):
    async with receiving(path, desk.serve), talk(path) as deaf, talk(path) as good:
        first, second = await desk.next(), await desk.next()
        deaf.writer.transport.pause_reading()
        lost = [asyncio.ensure_future(first.ask({"much": "x" * LONG}, PATIENCE)) for _ in range(5)]
        asked = asyncio.ensure_future(second.ask({"are you": "there"}, PATIENCE))
        good.answer(id=(await good.heard())["id"], yes=True)
        assert await asked == {"yes": True}
        assert LONG / 2 < held_for(first) < 2 * LONG
        lost.append(asyncio.ensure_future(first.ask({}, 0.2)))
        for one in lost:
            with pytest.raises(LostError, match="did not answer within"):
                await one
        assert held_for(first) == 0


def held_for(connection: Connection) -> int:
    """Bytes that wait for a courier to read them."""
    return connection._writer.transport.get_write_buffer_size()


async def test_what_no_courier_would_take_is_not_sent(path: Path, desk: Desk):
    async with receiving(path, desk.serve), talk(path) as courier:
        connection = await desk.next()
        with pytest.raises(FrameError, match="longer than it may be"):
            await connection.ask({"much": "x" * LONGEST_TO_COURIER}, PATIENCE)
        asked = asyncio.ensure_future(connection.ask({}, PATIENCE))
        courier.answer(id=(await courier.heard())["id"])
        assert await asked == {}


async def test_one_user_has_so_many_places_and_no_more(path: Path, desk: Desk):
    async with receiving(path, desk.serve):
        async with talk(path), talk(path, hello=b""), talk(path, hello=b""), talk(path, hello=b"") as last:
            connection = await desk.next()
            for _ in range(50):
                async with talk(path, hello=b"") as refused:
                    assert await refused.hung_up()
            last.writer.write(HELLO)
            await desk.next()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(connection.lost(), 0)
        await connected(path, desk)


async def test_a_place_that_was_left_is_free_after_a_rest(path: Path, desk: Desk):
    async with receiving(path, desk.serve, limits=replace(LIMITS, of_one=1, rest=3.0)):
        async with talk(path):
            connection = await desk.next()
        await connection.lost()
        async with talk(path) as again:
            assert await again.hung_up()
        await connected(path, desk)


async def connected(path: Path, desk: Desk) -> None:
    """Come again and again, until somebody opens."""
    async with asyncio.timeout(PATIENCE):
        while desk.served.empty():
            async with talk(path) as courier:
                with suppress(TimeoutError):
                    await asyncio.wait_for(courier.hung_up(), 0.05)
            await asyncio.sleep(LOOK_AGAIN)


async def test_strangers_have_so_many_places_in_all(path: Path, desk: Desk):
    strangers = receiving(path, desk.serve, expected=False)
    async with strangers, talk(path), talk(path), talk(path), talk(path) as fourth:
        assert await fourth.hung_up()
        assert [(await desk.next()).uid for _ in range(3)] == [os.geteuid()] * 3


async def test_those_who_wait_outside_are_let_in_one_by_one(path: Path, desk: Desk):
    """Between two of them everything else has its turn."""
    let_in: list[int] = []

    def is_expected(uid: int) -> bool:
        let_in.append(uid)
        return True

    async with asyncio.TaskGroup() as group:
        reception = Reception(desk.serve, is_expected, group.create_task, replace(LIMITS, of_one=1000))
        async with courier_socket(path, reception):
            outside = [knock(path) for _ in range(100)]
            await turns(lambda: bool(let_in))
            assert len(let_in) < 5
            await turns(lambda: len(let_in) == len(outside))
            for one in outside:
                one.close()


async def turns(true: Callable[[], bool]) -> None:
    """Let the event loop turn until ``true`` holds."""
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - each turn counts
            await asyncio.sleep(0)


def knock(path: Path) -> socket.socket:
    one = socket.socket(socket.AF_UNIX)
    one.setblocking(False)
    one.connect(str(path))
    return one


async def test_a_flood_of_connections_keeps_nobody_from_being_served(path: Path, desk: Desk):
    async with receiving(path, desk.serve), talk(path) as courier:
        connection = await desk.next()
        flood = await asyncio.create_subprocess_exec("python3", "-c", FLOOD, str(path), stdout=asyncio.subprocess.PIPE)
        try:
            assert flood.stdout is not None
            await asyncio.wait_for(flood.stdout.readline(), PATIENCE)
            for _ in range(200):
                asked = asyncio.ensure_future(connection.ask({}, PATIENCE))
                courier.answer(id=(await courier.heard())["id"])
                assert await asked == {}
        finally:
            flood.kill()
            await flood.wait()


FLOOD = """
import socket, sys
kept = []
for number in range(10**9):
    one = socket.socket(socket.AF_UNIX)
    try:
        one.connect(sys.argv[1])
        one.send(b"\\0\\0\\4\\0{")
    except OSError:
        pass
    kept = [*kept[-200:], one]
    if number == 500:
        print("there are many", flush=True)
"""


async def test_without_a_descriptor_left_couriers_wait_outside(path: Path, desk: Desk):
    with socket.socket(socket.AF_UNIX) as courier:
        async with receiving(path, desk.serve, limits=replace(LIMITS, rest=0.05)):
            with without_descriptors():
                courier.connect(str(path))
                courier.send(HELLO)
                with pytest.raises(OSError, match="Too many open files"):
                    os.dup(0)
                await asyncio.sleep(0.2)
                assert desk.served.empty()
            await desk.next()


@contextmanager
def without_descriptors() -> Iterator[None]:
    """This process gets no new descriptor."""
    lowest = os.dup(0)
    os.close(lowest)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_whoever_is_connected_is_hung_up_on_at_the_end(path: Path, desk: Desk):
    async with talk_later(path) as couriers:
        async with receiving(path, desk.serve):
            couriers += [await open_talk(path, HELLO), await open_talk(path, b"")]
            connection = await desk.next()
            asked = asyncio.ensure_future(connection.ask({}, PATIENCE))
            await couriers[0].heard()
        with pytest.raises(LostError, match="the service ends the connection"):
            await asked
        for courier in couriers:
            assert await courier.hung_up()


async def open_talk(path: Path, hello: bytes) -> Talk:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(hello)
    return Talk(reader, writer)


@asynccontextmanager
async def talk_later(path: Path) -> AsyncIterator[list[Talk]]:
    couriers: list[Talk] = []
    try:
        yield couriers
    finally:
        for courier in couriers:
            courier.writer.transport.abort()


async def test_a_bug_in_the_service_is_no_secret(path: Path):
    async def broken(_: Connection) -> None:
        raise ZeroDivisionError

    with pytest.raises(BaseExceptionGroup) as caught:
        async with asyncio.timeout(PATIENCE), receiving(path, broken), talk(path):
            await asyncio.Event().wait()  # until the bug ends us
    assert caught.group_contains(ZeroDivisionError)
