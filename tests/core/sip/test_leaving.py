"""A phone that is gone without a word: what the server hears then, and that nobody else's registration is ended."""

from __future__ import annotations

import pytest

from provisioner.core.sip.headers import Header
from provisioner.core.sip.message import Request, Response
from provisioner.core.sip.registration import Departure, Registration, RegistrationState, departure, farewell
from tests.core.sip.conversing import NAME, PASSWORD, Handset, Talk, answers, numbers, server_asks
from tests.registrar import PHONE, Registrar

BOUND = "<sip:1001@127.0.0.1:5062;transport=ws>;expires=60"


def talk() -> Talk:
    return Talk(registrar=Registrar(user=NAME, password=PASSWORD, contacts=(BOUND,))).up()


def registered() -> Talk:
    one = talk()
    one.say(Handset().registers())
    one.take(one.flow.gone())
    return one


def test_the_registration_of_a_phone_that_is_gone_is_ended():
    one = registered()
    one.take(one.flow.leave(5.0))
    question, signed, unsigned, last = one.requests("REGISTER")[-4:]
    assert [it.headers.first("Contact") for it in (question, signed)] == ["", ""]
    assert unsigned.headers.first("Contact") == last.headers.first("Contact")
    assert last.headers.first("Contact") == "<sip:1001@127.0.0.1:5062;transport=ws>;expires=0"
    assert last.headers.first("Expires") == "0" and last.headers.first("Authorization")
    assert one.flow.has_left and one.flow.ask_at is None
    assert one.flow.registration.state is RegistrationState.NONE and one.statuses() == [200]
    assert numbers([it for it in one.requests("REGISTER") if it.headers.first("Call-ID") == "reg"]) == [1, 2, 3, 4]


def test_a_registration_that_is_another_phones_by_now_is_left_alone():
    one = registered()
    one.registrar.contacts = (PHONE,)
    one.take(one.flow.leave(5.0))
    assert all("expires=0" not in it.headers.first("Contact") for it in one.requests("REGISTER"))
    assert one.flow.has_left


@pytest.mark.parametrize("status", [100, 403, 500])
def test_where_the_server_does_not_say_who_is_registered_nobody_is_signed_off(status: int):
    one = registered()
    one.answering = False
    one.take(one.flow.leave(5.0))
    one.server_says(answers(one.requests("REGISTER")[-1], status))
    assert all("expires=0" not in it.headers.first("Contact") for it in one.requests("REGISTER"))
    assert one.flow.has_left is (status >= 200)


def test_who_is_gone_is_waited_for_only_while_the_server_can_answer():
    one = registered()
    one.answering = False
    one.take(one.flow.leave(5.0))
    assert not one.flow.has_left
    one.take(one.flow.lost(6.0))
    assert one.flow.has_left


def test_a_new_websocket_does_not_register_a_phone_that_is_gone():
    one = registered()
    count = len(one.heard)
    one.take(one.flow.lost(1.0))
    one.up()
    assert len(one.heard) == count


def test_calls_for_a_phone_that_is_gone_are_refused_at_once():
    one = talk()
    one.say(Handset().registers())
    one.server_says(server_asks("INVITE", call_id="rings"))
    [up] = one.server_says(server_asks("INVITE", call_id="up"))
    assert isinstance(up, Request)
    one.say(answers(up, 200, "", Header("Contact", "<sip:1001@127.0.0.1:5062>")))
    one.take(one.flow.gone())
    before = len(one.told)
    for method in ("INVITE", "OPTIONS", "ACK"):
        one.server_says(server_asks(method, call_id="late"))
    refused = [it for it in one.heard if isinstance(it, Response) and it.status == 480]
    said = [(it.headers.first("Call-ID"), it.headers.first("CSeq")) for it in refused]
    assert said == [("rings", "102 INVITE"), ("late", "102 INVITE"), ("late", "102 OPTIONS")]
    assert list(refused[0].headers.every("Via")) == list(server_asks("INVITE", call_id="rings").headers.every("Via"))
    assert len(one.told) == before


@pytest.mark.parametrize(
    "contact, gone",
    [
        ("<sip:a@h;transport=ws;expires=3>;expires=60", "<sip:a@h;transport=ws;expires=3>;expires=0"),
        ('"A" <sip:a@h>;q=1; expires = 60 ;reg-id=1', '"A" <sip:a@h>;q=1;reg-id=1;expires=0'),
        ("sip:a@h", "<sip:a@h>;expires=0"),
    ],
)
def test_a_farewell_names_the_same_contact(contact: str, gone: str):
    request = Handset().registers()
    request = farewell(Request("REGISTER", request.uri, request.headers.with_one("Contact", contact), b"x"))
    assert (request.headers.first("Contact"), request.headers.first("Expires"), request.body) == (gone, "0", b"")


REQUEST = Handset().registers()
HERE = Registration(RegistrationState.REGISTERED, REQUEST, 200, 60)


@pytest.mark.parametrize(
    "gone, others, expected",
    [
        (HERE, [], Departure.FAREWELL),
        (HERE, [Registration()], Departure.FAREWELL),
        (HERE, [HERE], Departure.HEIR),
        (HERE, [Registration(), HERE], Departure.HEIR),
        (HERE, [Registration(request=REQUEST)], Departure.NOTHING),  # its own registration is on its way
        (Registration(RegistrationState.REGISTERED, None, 200, 60), [], Departure.NOTHING),  # it says so itself
        (Registration(RegistrationState.DISPLACED, REQUEST), [], Departure.NOTHING),
        (Registration(RegistrationState.REFUSED, REQUEST), [], Departure.NOTHING),
        (Registration(), [HERE], Departure.NOTHING),
    ],
)
def test_what_the_server_is_to_hear(gone: Registration, others: list[Registration], expected: Departure):
    assert departure(gone, others) is expected
