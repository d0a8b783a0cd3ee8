"""Bytes to messages and back: RFC 4475's torture, RFC 3261's example, and whatever bytes there are."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provisioner.core.problem import ProvisionerError
from provisioner.core.sip.digest import challenges_in
from provisioner.core.sip.framing import MOST_BYTES, take_message
from provisioner.core.sip.grammar import TOKEN, NotSipError
from provisioner.core.sip.headers import Header, Headers
from provisioner.core.sip.message import Message, Request, Response, parse_message, print_message
from provisioner.core.sip.query import Binding, bindings
from tests.core.sip import torture

UNDERSTOOD = {name: value for name, value in vars(torture).items() if name.isupper() and isinstance(value, bytes)}
UNDERSTOOD = {name: value for name, value in UNDERSTOOD.items() if not name.endswith("_BODY")}


@pytest.mark.parametrize("packet", UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_what_rfc_4475_calls_valid_is_understood_and_comes_back_whole(packet: bytes):
    message = parse_message(packet)
    printed = print_message(message)
    assert parse_message(printed) == message
    assert print_message(parse_message(printed)) == printed


@pytest.mark.parametrize("packet", torture.REFUSED.values(), ids=torture.REFUSED)
def test_what_rfc_4475_calls_invalid_is_refused(packet: bytes):
    with pytest.raises(NotSipError):
        parse_message(packet)


def test_wsinv_folded_lines_compact_names_and_joined_values():
    request = parse_message(torture.WSINV)
    assert isinstance(request, Request)
    assert (request.method, request.uri) == ("INVITE", "sip:vivekg@chair-dnrc.example.com;unknownparam")
    assert request.headers.first("To") == "sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n"
    assert request.headers.first("CSeq") == "0009 INVITE"
    assert request.headers.first("Subject") == ""
    assert list(request.headers.every("Via")) == [
        "SIP  /   2.0 /UDP 192.0.2.2;branch=390skdjuw",
        "SIP  / 2.0  / TCP     spindle.example.com   ; branch  =   z9hG4bK9ikj8",
        "SIP  /    2.0   / UDP  192.168.255.111   ; branch= z9hG4bK30239",
    ]
    assert request.headers.first("From").startswith(r'"J Rosenberg \\\""')
    assert list(request.headers.every("Contact")) == [
        r'"Quoted string \"\"" <sip:jdrosen@example.com> ; newparam = newvalue ; secondparam ; q = 0.33'
    ]
    assert request.headers.first("NewFangledHeader") == "newfangled value continued newfangled value"
    assert request.body == torture.WSINV_BODY


def test_wsinv_its_contact_is_read_as_a_binding():
    headers = parse_message(torture.WSINV).headers
    assert list(bindings(Response(200, "", headers))) == [Binding("sip:jdrosen@example.com", None)]


def test_intmeth_every_character_that_a_token_may_have():
    request = parse_message(torture.INTMETH)
    assert isinstance(request, Request)
    assert request.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert request.uri.endswith("(doesn't-it)@example.com")
    assert request.headers.first("extensionHeader-!.%*+_`'~") == "大停電"


def test_escnull_escaped_characters_stay_escaped():
    headers = parse_message(torture.ESCNULL).headers
    assert list(headers.every("m")) == ["<sip:%00@host5.example.com>", "<sip:%00%00@host5.example.com>"]


def test_lwsdisp_no_blank_before_the_bracket():
    assert parse_message(torture.LWSDISP).headers.first("f") == "caller<sip:caller@example.com>;tag=323"


def test_dblreq_a_datagram_holds_one_message_and_a_stream_many():
    first = parse_message(torture.DBLREQ_FIRST)
    assert parse_message(torture.DBLREQ) == first
    taken, rest = take_message(torture.DBLREQ)
    assert taken == first
    second, rest = take_message(rest)
    assert isinstance(second, Request) and second.method == "INVITE" and rest == b""


def test_mpart01_a_body_is_any_bytes():
    assert parse_message(torture.MPART01).body == torture.MPART_BODY


def test_unreason_and_noreason():
    cyrillic, none = parse_message(torture.UNREASON), parse_message(torture.NOREASON)
    assert isinstance(cyrillic, Response) and isinstance(none, Response)
    assert cyrillic.reason == "= 2**3 * 5**2 но сто девяносто девять - простое" and cyrillic.is_final
    assert none.reason == "" and not none.is_final


def test_regaut01_a_scheme_that_nobody_knows_is_not_taken_for_digest():
    request = parse_message(torture.REGAUT01)
    assert request.headers.first("Authorization") == "NoOneKnowsThisScheme opaque-data=here"
    asking = Response(401, "", Headers((Header("WWW-Authenticate", "NoOneKnowsThisScheme opaque-data=here"),)))
    assert list(challenges_in(asking)) == []


def test_the_registration_of_rfc_3261_section_24_1():
    packet = torture.wire(
        """
SIP/2.0 200 OK
Via: SIP/2.0/UDP bobspc.biloxi.com:5060;branch=z9hG4bKnashds7
 ;received=192.0.2.4
To: Bob <sip:bob@biloxi.com>;tag=2493k59kd
From: Bob <sip:bob@biloxi.com>;tag=456248
Call-ID: 843817637684230@998sdasdh09
CSeq: 1826 REGISTER
Contact: <sip:bob@192.0.2.4>
Expires: 7200
Content-Length: 0
"""
    )
    response = parse_message(packet)
    assert isinstance(response, Response)
    assert (response.status, response.reason) == (200, "OK")
    assert response.headers.first("Via").endswith(" ;received=192.0.2.4")
    assert [binding.uri for binding in bindings(response)] == ["sip:bob@192.0.2.4"]


def test_a_stream_may_be_cut_anywhere():
    stream = torture.WSINV + b"\r\n\r\n" + torture.MPART01 + torture.ESCNULL
    expected = [parse_message(packet) for packet in (torture.WSINV, torture.MPART01, torture.ESCNULL)]
    found, received = [], b""
    for byte in stream:
        received += bytes([byte])
        message, received = take_message(received)
        if message:
            found.append(message)
    assert found == expected and received == b""


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (b"OPTIONS sip:a SIP/2.0\r\nVia: x\r\n\r\n", "Content-Length is missing"),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "neither a request nor a response"),
        (b"x" * (MOST_BYTES + 1), "headers are longer"),
        (b"OPTIONS sip:a SIP/2.0\r\nl: 99999\r\n\r\n", "longer than"),
        (b"OPTIONS sip:a SIP/2.0\r\nl: 0\r\nX: a\nb\r\n\r\n", "half a line break"),
        (b"OPTIONS sip:a SIP/2.0\r\nno colon\r\n\r\n", "no name or no colon"),
    ],
)
def test_a_stream_that_cannot_be_cut_is_refused(stream: bytes, why: str):
    with pytest.raises(NotSipError, match=why):
        take_message(stream)


@pytest.mark.parametrize("packet", [b"", b"\r\n\r\n", b"\0\0\0\0", b"OPTIONS sip:a SIP/2.0\r\nVia: x"])
def test_a_packet_without_a_message_is_refused(packet: bytes):
    with pytest.raises(NotSipError):
        parse_message(packet)


@pytest.mark.parametrize(
    "message",
    [
        Request("OPTIONS", "sip:a\r\nX: y", Headers()),
        Request("OPTIONS X", "sip:a", Headers()),
        Request("OPTIONS", "sip:a", Headers((Header("X", "y\r\nZ: w"),))),
        Request("OPTIONS", "sip:a", Headers((Header("X\r\nZ", "y"),))),
        Request("OPTIONS", "sip:a", Headers((Header("Content-Length", "5"),))),
        Request("OPTIONS", "sip:a", Headers((Header("l", "5"),))),
        Request("OPTIONS", "sip:a", Headers((Header("X", "\ud800"),))),
        Response(200, "OK\nX: y", Headers()),
    ],
)
def test_what_would_be_read_as_another_message_is_not_written(message: Message):
    with pytest.raises(NotSipError):
        print_message(message)


_LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n")).map(lambda text: text.strip(" \t"))
_FIELDS = st.lists(st.builds(Header, st.from_regex(TOKEN, fullmatch=True), _LINE), max_size=6)
_HEADERS = _FIELDS.map(lambda fields: Headers(tuple(field for field in fields if field.key != "content-length")))
_URI = st.from_regex(r"sip:[a-z0-9;=@.é-]{1,20}", fullmatch=True)
_MESSAGES = st.builds(Request, st.from_regex(TOKEN, fullmatch=True), _URI, _HEADERS, st.binary()) | st.builds(
    Response, st.integers(100, 699), _LINE, _HEADERS, st.binary()
)


@given(_MESSAGES)
def test_print_then_parse_is_the_identity(message: Message):
    printed = print_message(message)
    assert parse_message(printed) == message
    assert take_message(printed) == (message, b"")


_PIECES = st.sampled_from(
    [
        b"SIP/2.0 ",
        b"200 OK",
        b"\r\n",
        b"\r\n\r\n",
        b" ",
        b"\t",
        b":",
        b"l: 3",
        b"Via",
        b"INVITE sip:a",
        b"\xff",
        b"\x85",
        b'"',
        b",",
    ]
)


@given(st.lists(_PIECES | st.binary(max_size=4)).map(b"".join) | st.binary())
@example(b"SIP/2.0 200 \xff\r\nX:\x85\r\n \r\n\r\n\xff")
@example(b"SIP/2.0 200\r\n \r\n\r\n")
@example(b"SIP/2.0 200 OK\r\nContent-Length: \xd9\xa3\r\n\r\n")
def test_no_bytes_raise_anything_else_and_what_parses_comes_back_whole(packet: bytes):
    for parse in (parse_message, lambda stream: take_message(stream)[0]):
        with suppress(ProvisionerError):
            message = parse(packet)
            if message is not None:
                assert parse_message(print_message(message)) == message


@given(st.text())
def test_no_contact_raises_anything_else(text: str):
    with suppress(ProvisionerError):
        list(bindings(Response(200, "", Headers((Header("Contact", text),)))))
