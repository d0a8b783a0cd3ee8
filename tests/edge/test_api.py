"""The control socket: real sockets, good and bad questions."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from provisioner.cli.ask import NotRunningError, ask
from provisioner.core.problem import ProvisionerError
from provisioner.edge.api import bound, control_socket


async def echo(question: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"asked": dict(question)}


async def test_a_question_gets_its_answer(tmp_path: Path):
    async with control_socket(tmp_path / "s", echo, asyncio.create_task):
        answer = await asyncio.to_thread(ask, tmp_path / "s", {"verb": "status", "name": "Ñ"})
    assert answer == {"asked": {"verb": "status", "name": "Ñ"}}


async def test_only_the_owner_can_connect(tmp_path: Path):
    async with control_socket(tmp_path / "s", echo, asyncio.create_task):
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o600, 0o666])
@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_a_socket_has_the_mode_that_is_asked_for_whatever_the_umask(tmp_path: Path, umask: int, mode: int):
    previous = os.umask(umask)
    try:
        with bound(tmp_path / "s", mode=mode):
            assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == mode
    finally:
        os.umask(previous)


def test_what_another_thread_makes_meanwhile_keeps_its_mode(tmp_path: Path):
    """The worker makes folders for agents' files while the sockets are made, and the umask is everybody's."""
    is_done = threading.Event()

    def make_folders() -> set[int]:
        modes, numbers = set(), count()
        while not is_done.is_set():
            folder = tmp_path / str(next(numbers))
            folder.mkdir(0o700)
            modes.add(stat.S_IMODE(folder.stat().st_mode))
        return modes

    with ThreadPoolExecutor(1) as worker:
        found = worker.submit(make_folders)
        for _ in range(1000):
            with bound(tmp_path / "s"):
                pass
        is_done.set()
    assert found.result() == {0o700}


async def test_the_socket_goes_with_the_service_and_one_left_behind_is_replaced(tmp_path: Path):
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(tmp_path / "s"))
    async with control_socket(tmp_path / "s", echo, asyncio.create_task):
        assert await asyncio.to_thread(ask, tmp_path / "s", {}) == {"asked": {}}
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("question", [b"", b"nonsense\n", b"[1]\n", b"\xff\n", b"x" * 200_000, b"[" * 10_000 + b"\n"])
async def test_nonsense_gets_no_answer_and_harms_nobody(tmp_path: Path, question: bytes):
    async with control_socket(tmp_path / "s", echo, asyncio.create_task):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
        writer.write(question)
        writer.write_eof()
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        assert await asyncio.to_thread(ask, tmp_path / "s", {"still": "there"}) == {"asked": {"still": "there"}}


async def test_somebody_who_says_nothing_stalls_nobody(tmp_path: Path):
    async with control_socket(tmp_path / "s", echo, asyncio.create_task):
        silent = [await asyncio.open_unix_connection(str(tmp_path / "s")) for _ in range(50)]
        assert await asyncio.to_thread(ask, tmp_path / "s", {}) == {"asked": {}}
        for _, writer in silent:
            writer.close()


def test_no_service_is_said_with_its_cure(tmp_path: Path):
    with pytest.raises(NotRunningError) as caught:
        ask(tmp_path / "s", {})
    (problem,) = caught.value.problems
    assert problem.what == "the service is not running"
    assert "systemctl start" in problem.fix


@pytest.mark.parametrize("said", [b"", b'{"problems": [', b'{"problems": []}'])
async def test_a_service_that_ends_in_the_middle_is_told(tmp_path: Path, said: bytes):
    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(said)
        writer.close()

    async with await asyncio.start_unix_server(drop, tmp_path / "s"):
        with pytest.raises(NotRunningError, match="ended before it answered"):
            await asyncio.to_thread(ask, tmp_path / "s", {})


async def test_a_service_that_hangs_is_told(tmp_path: Path):
    asked = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()
        asked.set()

    async with await asyncio.start_unix_server(hang, tmp_path / "s"):
        with pytest.raises(NotRunningError, match="did not answer within"):
            await asyncio.to_thread(ask, tmp_path / "s", {}, 0.05)
        await asked.wait()


async def test_a_place_that_cannot_hold_a_socket_is_said(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(ProvisionerError, match="cannot be made"):
        async with control_socket(tmp_path / "file" / "s", echo, asyncio.create_task):
            pass


async def test_its_folder_is_made(tmp_path: Path):
    async with control_socket(tmp_path / "run" / "s", echo, asyncio.create_task):
        assert await asyncio.to_thread(ask, tmp_path / "run" / "s", {}) == {"asked": {}}


async def test_a_bug_in_an_answer_ends_the_process_and_is_not_taken_for_nonsense(tmp_path: Path):
    async def buggy(_: Mapping[str, Any]) -> Mapping[str, Any]:
        raise ValueError("a bug")

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as group, control_socket(tmp_path / "s", buggy, group.create_task):
            with pytest.raises(NotRunningError):
                await asyncio.to_thread(ask, tmp_path / "s", {})
            await asyncio.Event().wait()
    assert repr(caught.value.exceptions) == "(ValueError('a bug'),)"


async def test_the_end_does_not_wait_for_whoever_still_asks(tmp_path: Path):
    async def slow(_: Mapping[str, Any]) -> Mapping[str, Any]:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    begun = asyncio.Event()
    async with asyncio.TaskGroup() as group, control_socket(tmp_path / "s", slow, group.create_task):
        _, silent = await asyncio.open_unix_connection(str(tmp_path / "s"))
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
        writer.write(b"{}\n")
        await begun.wait()
    assert await reader.read() == b""
    for one in (silent, writer):
        one.close()


async def test_a_long_path_is_as_good_as_a_short_one(tmp_path: Path):
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    async with control_socket(folder / "s", echo, asyncio.create_task):
        assert await asyncio.to_thread(ask, folder / "s", {}) == {"asked": {}}
    assert not (folder / "s").exists()


async def test_answers_of_any_size_arrive_whole(tmp_path: Path):
    async def much(_: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"much": "x" * 3_000_000}

    async with control_socket(tmp_path / "s", much, asyncio.create_task):
        answer = await asyncio.to_thread(ask, tmp_path / "s", {})
    assert len(json.dumps(answer)) > 3_000_000
