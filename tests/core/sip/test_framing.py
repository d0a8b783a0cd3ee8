"""Messages and keep-alives out of streams and packets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.sip.framing import MOST_BYTES, Ping, TooLargeError, read_packet, take_from_stream, take_message
from provisioner.core.sip.grammar import NotSipError
from provisioner.core.sip.message import MOST_FIELDS, Request, parse_message
from tests.core.sip import torture

HEAD = "OPTIONS sip:a SIP/2.0\r\nVia: x\r\nl: {}\r\n\r\n"


def everything(pieces: list[bytes]) -> list[object]:
    found, received = [], b""
    for piece in pieces:
        received += piece
        while True:
            one, received = take_from_stream(received)
            if one is None:
                break
            found.append(one)
    return [*found, received]


@given(st.integers(1, 40), st.integers(0, 3))
def test_a_stream_may_be_cut_anywhere(size: int, pings: int):
    stream = b"\r\n\r\n" * pings + torture.WSINV + b"\r\n" + torture.MPART01 + b"\r\n\r\n" + torture.ESCNULL
    expected: list[object] = [Ping()] * pings
    expected += [parse_message(torture.WSINV), parse_message(torture.MPART01), Ping(), parse_message(torture.ESCNULL)]
    assert everything([stream[at : at + size] for at in range(0, len(stream), size)]) == [*expected, b""]


def test_on_a_stream_the_length_is_a_must():
    with pytest.raises(NotSipError, match="Content-Length is missing"):
        take_from_stream(b"OPTIONS sip:a SIP/2.0\r\nVia: x\r\n\r\n")


def test_a_packet_ends_by_itself():
    assert isinstance(read_packet(b"OPTIONS sip:a SIP/2.0\r\nVia: x\r\n\r\n"), Request)


@pytest.mark.parametrize("packet", [b"\0\0\0\0", b"\r\n", b""])
def test_a_keep_alive_of_another_kind_wants_no_answer(packet: bytes):
    assert read_packet(packet) is None


def test_a_packet_that_asks_gets_an_answer():
    assert read_packet(b"\r\n\r\n") == Ping()


def test_the_largest_message_passes_and_one_byte_more_does_not():
    fits = MOST_BYTES - len(HEAD.format(10000))
    packet = HEAD.format(fits).encode() + b"x" * fits
    assert len(packet) == MOST_BYTES
    assert take_from_stream(packet) == (parse_message(packet), b"")
    with pytest.raises(TooLargeError) as caught:
        take_from_stream(HEAD.format(fits + 1).encode())
    assert isinstance(caught.value.message, Request)
    with pytest.raises(TooLargeError):
        read_packet(HEAD.format(fits + 1).encode() + b"x" * (fits + 1))


@pytest.mark.parametrize("stream", [b"x" * (MOST_BYTES + 1), b"x" * MOST_BYTES + b"\r\n\r\n\r\n\r\n"])
def test_headers_without_end_are_refused(stream: bytes):
    with pytest.raises(NotSipError, match="headers are longer"):
        take_from_stream(stream)


def test_headers_without_number_are_refused():
    with pytest.raises(NotSipError, match="more than"):
        take_message(b"OPTIONS sip:a SIP/2.0\r\n" + b"X: y\r\n" * MOST_FIELDS + b"l: 0\r\n\r\n")
