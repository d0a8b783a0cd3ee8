"""Hostile bytes on both sides of a flow: they are refused as what they are, or pass, and break nothing.

Each example is a message of RFC 4475 or of a call, changed at random: bytes cut, doubled, swapped, put in.
"""

from __future__ import annotations

from contextlib import suppress

from hypothesis import example, given, settings
from hypothesis import strategies as st

from provisioner.core.problem import ProvisionerError
from provisioner.core.sip.framing import Ping, read_packet, take_from_stream
from provisioner.core.sip.headers import Header
from provisioner.core.sip.message import print_message
from tests.core.sip import torture
from tests.core.sip.conversing import Handset, Talk, answers, numbers, server_asks
from tests.core.sip.test_message import UNDERSTOOD
from tests.tries import TRIES

_PHONE = Handset()
CORPUS = [
    *UNDERSTOOD.values(),
    *torture.REFUSED.values(),
    print_message(_PHONE.registers()),
    print_message(_PHONE.asks("INVITE", Header("Route", "<sip:127.0.0.1:40001;lr>,<sip:far;lr>"))),
    print_message(_PHONE.asks("CANCEL", branch="z9hG4bK-call-1-2", number=2)),
    print_message(_PHONE.asks("ACK", to="<sip:600@x>;tag=far", number=2)),
    print_message(_PHONE.asks("PRACK", Header("RAck", "1 2 INVITE"), to="<sip:600@x>;tag=far")),
    print_message(_PHONE.asks("SUBSCRIBE", Header("Event", "message-summary"))),
    print_message(server_asks("INVITE")),
    print_message(server_asks("BYE")),
    print_message(answers(server_asks("INVITE"), 200)),
    b"\r\n\r\n",
]
_BITS = [
    *(b"\r\n", b"\r\n ", b"\0", b",", b";", b'"', b"<", b">", b"@", b":", b"\xff", b";branch=z9hG4bK"),
    *(b"Via: x\r\n", b"f: <sip:1002@x>\r\n", b"l: 9\r\n", b"Max-Forwards: 0\r\n", b"CSeq: 4294967296 INVITE\r\n"),
    *(b"Max-Forwards: x\r\n", b"m: <>\r\n", b"Route: <>\r\n", b"SIP/2.0 401 x\r\n"),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    packet = draw(st.sampled_from(CORPUS))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(packet)))
        end = draw(st.integers(start, min(len(packet), start + 40)))
        bit = draw(st.sampled_from([*_BITS, b"", packet[start:end] * 2]) | st.binary(max_size=4))
        packet = packet[:start] + bit + packet[end:]
    return packet


def _read(packet: bytes) -> object:
    with suppress(ProvisionerError):
        return read_packet(packet)
    return None


def _said(talk: Talk, messages: list[tuple[bool, bytes]]) -> None:
    """What can be read of ``messages``, each of the server or of the phone, is said."""
    for of_server, packet in messages:
        message = _read(packet)
        if message is None or isinstance(message, Ping):
            continue
        with suppress(ProvisionerError):
            talk.server_says(message) if of_server else talk.say(message)  # type: ignore[arg-type]


@settings(max_examples=4 * TRIES)
@given(st.lists(st.tuples(st.booleans(), mutated()), min_size=1, max_size=4))
@example([(False, print_message(_PHONE.registers())), (True, print_message(answers(_PHONE.registers(), 401)))])
def test_no_message_of_either_side_breaks_the_flow(messages: list[tuple[bool, bytes]]):
    talk = Talk().up()
    _said(talk, messages)
    # Whatever came: what went out can be read, carries no more than one signature each, and the phone still registers.
    for request in talk.heard:
        assert len(list(request.headers.every("Authorization"))) <= 1
        if request.headers.first("Authorization"):
            assert not any("1002" in value for value in request.headers.every("From"))
    by_call: dict[str, list[int]] = {}
    for request in talk.requests("INVITE"):
        by_call.setdefault(request.headers.first("Call-ID"), []).extend(numbers([request]))
    assert all(len(set(found)) == len(found) for found in by_call.values())
    if not talk.signer.refused:
        talk.say(Handset(made=1000).registers())
        assert talk.statuses()[-1] == 200


@settings(max_examples=4 * TRIES)
@given(st.lists(st.tuples(st.booleans(), mutated()), min_size=1, max_size=4), st.booleans())
def test_whatever_came_the_websocket_may_open_and_go_and_the_phone_leave(
    messages: list[tuple[bool, bytes]], is_open: bool
):
    talk = Talk().up() if is_open else Talk()
    _said(talk, messages)
    # None of these is anybody's message, so there is nobody who could be refused.
    talk.take(talk.flow.lost(1.0))
    talk.up()
    for step in (talk.flow.replay, talk.flow.ask, talk.flow.lost, talk.flow.down):
        talk.take(step(2.0))
    talk.up()
    talk.take(talk.flow.gone())
    talk.take(talk.flow.leave(3.0))


@settings(max_examples=2 * TRIES)
@given(st.lists(mutated(), max_size=4).map(b"".join), st.integers(1, 200))
def test_no_stream_raises_anything_else_or_reads_for_ever(stream: bytes, size: int):
    received, found = b"", 0
    with suppress(ProvisionerError):
        for start in range(0, len(stream), size):
            received += stream[start : start + size]
            while True:
                one, rest = take_from_stream(received)
                assert len(rest) < len(received) or one is None
                received = rest
                if one is None:
                    break
                found += 1
    assert found <= len(stream)
