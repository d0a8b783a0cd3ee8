"""There and back: what the phone wrote itself, it gets back; what concerns nobody stays as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.sip.headers import Header, Headers
from provisioner.core.sip.message import Request, Response, parse_message
from provisioner.core.sip.rewrite import request_to_phone, request_to_server, response_to_phone, response_to_server
from provisioner.core.sip.sides import ToServer
from tests.core.sip import torture
from tests.core.sip.conversing import WAYS, Handset, Talk, answers, over_the_wire, server_asks

BRANCH = "z9hG4bKours"
_HOST = st.from_regex(r"[a-z0-9]{1,8}(\.[a-z0-9]{1,8}){0,2}(:[0-9]{4})?", fullmatch=True)
_VIA = st.builds(
    "SIP{0}/{0}2.0/{1} {2} ;{0}branch={3}".format,
    st.sampled_from(["", " ", "\t"]),
    st.sampled_from(["UDP", "TCP", "ws"]),
    _HOST,
    st.from_regex(r"z9hG4bK[A-Za-z0-9.]{1,12}", fullmatch=True),
)
_ROUTE = st.builds("{}<sip:{};lr>".format, st.sampled_from(["", '"a, <b>" ', "x "]), _HOST)
_OTHER = st.sampled_from([Header("X-A", "1, 2"), Header("Subject", ""), Header("k", "100rel,timer")])


def _fields(name: str, values: list[str], joined: bool) -> list[Header]:
    return [Header(name, ", ".join(values))] if joined and values else [Header(name, value) for value in values]


_MESSAGES = st.builds(
    lambda vias, routes, others, joined, name: Request(
        "INVITE",
        "sip:600@server.example;x=y",
        Headers(
            (
                *_fields(name, vias, joined),
                *others,
                *_fields("Route", routes, joined),
                *Handset().asks("INVITE").headers.without("Via").fields,
            )
        ),
        b"\0any\r\n\r\nbody",
    ),
    st.lists(_VIA, min_size=1, max_size=4, unique=True),
    st.lists(_ROUTE, max_size=3),
    st.lists(_OTHER, max_size=3),
    st.booleans(),
    st.sampled_from(["Via", "v", "VIA"]),
)


@given(_MESSAGES, st.booleans())
def test_a_request_to_the_server_and_its_response_give_the_phone_its_own_via(request: Request, joined: bool):
    sent = over_the_wire(request_to_server(request, WAYS, BRANCH))
    answer = answers(sent, 404)  # type: ignore[arg-type]
    if joined:  # chan_sip may write all of them into one field
        answer = replace(answer, headers=answer.headers.with_one("Via", ", ".join(sent.headers.every("Via"))))
    back = response_to_phone(over_the_wire(answer), WAYS, "INVITE")  # type: ignore[arg-type]
    assert list(back.headers.every("Via")) == list(request.headers.every("Via"))


@given(_MESSAGES)
def test_only_what_must_be_changed_on_the_way_to_the_server_is(request: Request):
    sent = over_the_wire(request_to_server(request, WAYS, BRANCH))
    assert isinstance(sent, Request)
    assert (sent.uri, sent.method, sent.body) == (request.uri, request.method, request.body)
    touched = ("Via", "Contact", "Max-Forwards")
    assert sent.headers.without(*touched) == request.headers.without(*touched)


@given(_MESSAGES)
def test_our_own_route_goes_and_others_stay(request: Request):
    ours = replace(request, headers=request.headers.on_top("Route", WAYS.route))
    sent = request_to_server(over_the_wire(ours), WAYS, BRANCH)  # type: ignore[arg-type]
    assert list(sent.headers.every("Route")) == list(request.headers.every("Route"))


@given(_MESSAGES)
def test_a_request_to_the_phone_and_its_response_give_the_server_its_own_via_and_record_route(request: Request):
    given_ = replace(request, headers=request.headers.at_end("Record-Route", "<sip:far.example;lr>"))
    asked = over_the_wire(request_to_phone(given_, WAYS, BRANCH))
    assert asked.headers.first("Record-Route") == WAYS.route
    back = response_to_server(over_the_wire(answers(asked, 200)), WAYS)  # type: ignore[arg-type]
    for name in ("Via", "Record-Route"):
        assert list(back.headers.every(name)) == list(given_.headers.every(name))


@given(_MESSAGES.filter(lambda request: True), st.integers(1, 2**31 - 10))
def test_through_the_whole_flow_the_phone_gets_its_own_cseq(request: Request, number: int):
    talk = Talk().up()
    own = replace(request, headers=request.headers.with_one("CSeq", f"{number}  INVITE"))
    [heard] = talk.say(own)
    assert heard.headers.first("CSeq") == f"{number}  INVITE"
    assert list(heard.headers.every("Via")) == list(own.headers.every("Via"))
    assert isinstance(heard, Response) and heard.status == 200


@pytest.mark.parametrize("status, expected", [(100, 0), (101, 1), (180, 1), (299, 1), (302, 0), (486, 0)])
def test_the_phone_learns_its_way_from_what_makes_a_dialog(status: int, expected: int):
    response = answers(Handset().asks("INVITE"), status)
    response = replace(response, headers=response.headers.on_top("Via", "SIP/2.0/WSS ab12.invalid"))
    assert list(response_to_phone(response, WAYS, "INVITE").headers.every("Record-Route")) == [WAYS.route] * expected
    assert list(response_to_phone(response, WAYS, "MESSAGE").headers.every("Record-Route")) == []


@pytest.mark.parametrize(
    "method, expected", [("INVITE", 1), ("SUBSCRIBE", 1), ("REFER", 1), ("NOTIFY", 1), ("OPTIONS", 0)]
)
def test_the_phone_learns_its_way_from_requests_that_make_a_dialog(method: str, expected: int):
    asked = request_to_phone(server_asks(method), WAYS, BRANCH)
    assert list(asked.headers.every("Record-Route")) == [WAYS.route] * expected


def test_the_register_of_rfc_3261_section_24_1():
    packet = torture.wire(
        """
REGISTER sip:registrar.biloxi.com SIP/2.0
Via: SIP/2.0/UDP bobspc.biloxi.com:5060;branch=z9hG4bKnashds7
Max-Forwards: 70
To: Bob <sip:bob@biloxi.com>
From: Bob <sip:bob@biloxi.com>;tag=456248
Call-ID: 843817637684230@998sdasdh09
CSeq: 1826 REGISTER
Contact: <sip:bob@192.0.2.4>
Expires: 7200
Content-Length: 0
"""
    )
    talk = Talk().up()
    talk.signer.name = "bob"
    talk.say(parse_message(packet))
    first, second = talk.requests("REGISTER")
    assert [one.headers.first("CSeq") for one in (first, second)] == ["1826 REGISTER", "1827 REGISTER"]
    assert first.headers.first("Contact") == "<sip:bob@192.0.2.4;transport=ws>"
    assert first.headers.first("Max-Forwards") == "69"


def test_the_call_of_rfc_3261_section_24_2():
    invite = torture.wire(
        """
INVITE sip:bob@biloxi.com SIP/2.0
Via: SIP/2.0/TCP pc33.atlanta.com;branch=z9hG4bKnashds8
Max-Forwards: 70
To: Bob <sip:bob@biloxi.com>
From: Alice <sip:alice@atlanta.com>;tag=1928301774
Call-ID: a84b4c76e66710
CSeq: 314159 INVITE
Contact: <sip:alice@pc33.atlanta.com>
Content-Length: 0
"""
    )
    talk = Talk().up()
    talk.signer.name = "alice"
    talk.answering = False
    asked = parse_message(invite)
    assert isinstance(asked, Request)
    talk.say(asked)
    [sent] = talk.requests("INVITE")
    assert talk.server_says(answers(sent, 100)) != []
    [ringing] = talk.server_says(answers(sent, 180, "Ringing"))
    assert ringing.headers.first("Record-Route") == WAYS.route
    [ok] = talk.server_says(answers(sent, 200, "OK", Header("Contact", "<sip:bob@192.0.2.4>")))
    assert (ok.headers.first("CSeq"), ok.headers.first("Via")) == ("314159 INVITE", asked.headers.first("Via"))
    fields = asked.headers.with_one("CSeq", "314159 ACK").with_one("To", ok.headers.first("To"))
    fields = fields.with_one("Via", "SIP/2.0/TCP pc33.atlanta.com;branch=z9hG4bKnashds9").on_top("Route", WAYS.route)
    talk.say(Request("ACK", "sip:bob@192.0.2.4", fields))
    [ack] = talk.requests("ACK")
    assert ack.uri == "sip:bob@192.0.2.4" and ack.headers.first("Route") == ""
    assert ack.headers.first("Via") != sent.headers.first("Via")
    assert ToServer(ack)
