"""A call whose end was told while the WebSocket was cut: the server is asked, and the phone hears of it."""

from __future__ import annotations

import pytest

from provisioner.core.sip.grammar import MAGIC
from provisioner.core.sip.headers import Header
from provisioner.core.sip.message import Request, Response
from tests.core.sip.conversing import NAME, PASSWORD, WAYS, Handset, Talk, answers, numbers, server_asks
from tests.registrar import Registrar, reply

BOUND = "<sip:1001@127.0.0.1:5062;transport=ws>;expires=60"
FAR = Header("Contact", "<sip:600@192.0.2.1:5060;transport=ws>")
PHONE = Header("Contact", "<sip:1001@127.0.0.1:5062;transport=tcp>")


def talk() -> Talk:
    return Talk(registrar=Registrar(user=NAME, password=PASSWORD, contacts=(BOUND,))).up()


def called(one: Talk, *more: Header) -> None:
    """The phone has called."""
    one.registrar.then(one.registrar.challenge, lambda invite: answers(invite, 200, "OK", FAR, *more))
    one.say(Handset().asks("INVITE"))
    one.registrar.scripted.clear()


def was_called(one: Talk) -> None:
    """The server has called."""
    [invite] = one.server_says(server_asks("INVITE"))
    assert isinstance(invite, Request)
    one.say(answers(invite, 200, "", PHONE))


def cut(one: Talk, status: int) -> list[Request]:
    """The WebSocket is opened anew, and the server answers so when it is asked; gives what the phone hears."""
    before = len(one.told)
    one.take(one.flow.lost(1.0))
    one.registrar.then(lambda request: reply(request, status, ""))
    one.up()
    return [it for it in one.told[before:] if isinstance(it, Request)]


def test_a_call_that_the_server_does_not_know_any_more_ends_at_the_phone_that_called():
    one = talk()
    called(one, Header("Record-Route", "<sip:second;lr>, <sip:first;lr>"))
    one.server_says(server_asks("INFO", 41, "call-1"))
    [bye] = cut(one, 481)
    [info] = one.requests("INFO")
    assert info.uri == "sip:600@192.0.2.1:5060;transport=ws"
    assert list(info.headers.every("Route")) == ["<sip:first;lr>", "<sip:second;lr>"]
    assert info.headers.first("From") == '"Ana" <sip:1001@server.example>;tag=phone'
    assert info.headers.first("To") == "<sip:600@server.example>;tag=far"
    assert numbers([info]) > numbers(one.requests("INVITE"))
    assert (bye.method, bye.uri) == ("BYE", "sip:1001@127.0.0.1:5062;transport=tcp")
    assert bye.headers.first("From") == info.headers.first("To") and bye.headers.first("To") == info.headers.first(
        "From"
    )
    assert bye.headers.first("CSeq") == "42 BYE" and bye.headers.first("Call-ID") == "call-1"
    assert bye.headers.first("Via").startswith(f"SIP/2.0/{WAYS.to_phone};branch={MAGIC}")
    assert one.flow.calls.count == 0


def test_and_at_the_phone_that_was_called():
    one = talk()
    was_called(one)
    [bye] = cut(one, 481)
    [info] = one.requests("INFO")
    assert info.uri == "sip:601@192.0.2.1:5060;transport=ws"
    assert info.headers.first("To") == '"Casa" <sip:601@192.0.2.1>;tag=far'
    assert (bye.uri, bye.headers.first("CSeq")) == ("sip:1001@127.0.0.1:5062;transport=tcp", "103 BYE")
    assert bye.headers.first("To") == "<sip:1001@127.0.0.1:5062;transport=ws>;tag=far"


def test_the_phones_answer_to_that_goes_no_further():
    one = talk()
    was_called(one)
    [bye] = cut(one, 481)
    count = len(one.heard)
    one.say(answers(bye, 200, "OK"))
    assert len(one.heard) == count


@pytest.mark.parametrize("status", [200, 404, 415, 500, 503])
def test_whatever_else_the_server_says_the_call_goes_on(status: int):
    one = talk()
    called(one)
    assert cut(one, status) == [] and one.flow.calls.count == 1
    one.registrar.then(lambda request: reply(request, 200, "OK"))
    one.say(Handset(number=1).asks("BYE", to="<sip:600@server.example>;tag=far"))
    assert numbers(one.requests("BYE")) > numbers(one.requests("INFO"))


def test_a_call_that_was_taken_up_again_is_asked_for_where_it_is_now():
    one = talk()
    called(one)
    again = server_asks("INVITE", 7, "call-1", to='"Ana" <sip:1001@server.example>;tag=phone')
    [heard] = one.server_says(again)
    assert isinstance(heard, Request)
    moved = Header("Contact", "<sip:1001@127.0.0.1:7777;transport=tcp>")
    one.say(answers(heard, 200, "", moved))
    [bye] = cut(one, 481)
    assert (bye.uri, bye.headers.first("CSeq")) == ("sip:1001@127.0.0.1:7777;transport=tcp", "8 BYE")


def test_a_refused_change_leaves_the_call_as_it_was():
    one = talk()
    called(one)
    [heard] = one.server_says(server_asks("INVITE", 7, "call-1", to="<sip:1001@x>;tag=phone"))
    assert isinstance(heard, Request)
    one.say(answers(heard, 488))
    assert [it.uri for it in cut(one, 481)] == ["sip:1001@127.0.0.1:5062;transport=tcp"]


def test_calls_that_only_ring_or_are_another_servers_are_not_asked_for():
    one = talk()
    one.server_says(server_asks("INVITE", call_id="rings"))
    called(one)
    one.flow.calls.elsewhere()
    assert cut(one, 481) == [] and one.requests("INFO") == []
    assert one.flow.calls.count == 1


def test_where_an_end_gives_no_contact_nothing_is_asked():
    one = talk()
    [invite] = one.server_says(server_asks("INVITE"))
    assert isinstance(invite, Request)
    one.say(answers(invite, 200, "OK"))
    assert cut(one, 481) == [] and one.flow.calls.count == 1


@pytest.mark.parametrize(
    "odd",
    [
        Header("Contact", "<sip:6 00@192.0.2.1>"),
        Header("Contact", "<sip:600@192.0.2.1"),
        Header("Record-Route", "<>"),
        Header("Record-Route", "<sip:fir st;lr>"),
    ],
)
def test_nor_where_it_gives_one_that_nobody_could_be_asked_at(odd: Header):
    one = talk()
    contacts = () if odd.name == "Contact" else (FAR,)
    one.registrar.then(one.registrar.challenge, lambda invite: answers(invite, 200, "OK", odd, *contacts))
    one.say(Handset().asks("INVITE"))
    one.registrar.scripted.clear()
    assert cut(one, 481) == [] and one.requests("INFO") == [] and one.flow.calls.count == 1


def test_nor_where_the_phones_own_is_so():
    one = talk()
    [invite] = one.server_says(server_asks("INVITE"))
    assert isinstance(invite, Request)
    one.say(answers(invite, 200, "OK", Header("Contact", "<sip:10 01@127.0.0.1>")))
    assert cut(one, 481) == [] and one.flow.calls.count == 1


def test_the_phones_own_end_of_the_call_comes_first():
    one = talk()
    called(one)
    one.take(one.flow.lost(1.0))
    one.answering = False
    one.up()
    one.say(Handset(number=1).asks("BYE", to="<sip:600@server.example>;tag=far"))
    before = len(one.told)
    one.server_says(reply(one.requests("INFO")[0], 481, ""))
    assert [it for it in one.told[before:] if not isinstance(it, Response)] == []
