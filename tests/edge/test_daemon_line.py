"""The courier's line: a real socket, several threads that speak, and a service that reads slowly or goes away."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.core.frame import HEAD, LONGEST_TO_COURIER, LONGEST_TO_DAEMON, FrameError, frame
from provisioner.edge.daemon_line import DaemonLine, call
from tests.machine import PATIENCE


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        one.settimeout(PATIENCE)
        other.settimeout(PATIENCE)
        yield one, other


Ends = tuple[socket.socket, socket.socket]


def test_what_several_threads_say_stays_whole(ends: Ends):
    courier, service = DaemonLine(ends[0]), DaemonLine(ends[1])
    long = "x" * (LONGEST_TO_DAEMON - 100)
    speakers = [threading.Thread(target=speak, args=(courier, name, long)) for name in "abc"]
    for speaker in speakers:
        speaker.start()
    said = service.messages()
    heard = [next(said) for _ in range(30)]
    for speaker in speakers:
        speaker.join(PATIENCE)
    assert {message["long"] for message in heard} == {long}
    assert sorted((message["who"], message["turn"]) for message in heard) == [(n, t) for n in "abc" for t in range(10)]


def speak(line: DaemonLine, name: str, long: str) -> None:
    for turn in range(10):
        line.say({"who": name, "turn": turn, "long": long})


def test_the_longest_message_arrives(ends: Ends):
    whole = frame({"a": "x" * (LONGEST_TO_COURIER - len('{"a": ""}'))}, LONGEST_TO_COURIER)
    sender = threading.Thread(target=ends[1].sendall, args=(whole,))
    sender.start()
    message = next(DaemonLine(ends[0]).messages())
    sender.join(PATIENCE)
    assert len(message["a"]) == LONGEST_TO_COURIER - len('{"a": ""}')


@pytest.mark.parametrize("length", [HEAD, HEAD + 3])
def test_a_message_that_is_cut_short_is_none(ends: Ends, length: int):
    ends[1].sendall(frame({"a": 1}, 100)[:length])
    ends[1].close()
    with pytest.raises(FrameError, match="cut short"):
        list(DaemonLine(ends[0]).messages())


@pytest.mark.parametrize("length", [0, HEAD - 1])
def test_a_service_that_hangs_up_between_messages_has_no_more_to_say(ends: Ends, length: int):
    ends[1].sendall(frame({"a": 1}, 100) + frame({"b": 1}, 100)[:length])
    ends[1].close()
    assert list(DaemonLine(ends[0]).messages()) == [{"a": 1}]


def test_what_the_service_would_not_take_is_not_sent(ends: Ends):
    with pytest.raises(FrameError, match="longer than it may be"):
        DaemonLine(ends[0]).say({"a": "x" * LONGEST_TO_DAEMON})
    DaemonLine(ends[0]).say({"a": 1})
    assert next(DaemonLine(ends[1]).messages()) == {"a": 1}


@pytest.mark.parametrize("name", ["nowhere/s", "a file"])
def test_where_nobody_listens_there_is_no_line(tmp_path: Path, name: str):
    (tmp_path / "a file").touch()
    with pytest.raises(OSError, match=r"No such file|refused"):
        call(tmp_path / name)


def test_a_long_path_is_no_hindrance(tmp_path: Path):
    folder = tmp_path / ("x" * 150)
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as service:
        service.bind(str(tmp_path / "s"))
        (tmp_path / "s").rename(folder / "s")
        service.listen()
        call(folder / "s").close()
