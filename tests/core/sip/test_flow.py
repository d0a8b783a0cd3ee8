"""Answer mode: what a phone without credential and a server that asks for one hear of each other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.core.account import Credential, Proof
from provisioner.core.secret import Secret
from provisioner.core.sip.grammar import NotSipError
from provisioner.core.sip.headers import Header
from provisioner.core.sip.message import Request, Response
from provisioner.core.sip.registration import RegistrationState
from provisioner.core.sip.signer import Signer
from tests.core.sip.conversing import NAME, PASSWORD, Handset, Talk, answers, credential, numbers, server_asks
from tests.registrar import PHONE, Manner, Registrar, reply

BOUND = "<sip:1001@127.0.0.1:5062;transport=ws>;expires=60"


def talk(**registrar: object) -> Talk:
    return Talk(registrar=Registrar(user=NAME, password=PASSWORD, contacts=(BOUND,), **registrar)).up()  # type: ignore[arg-type]


def test_a_phone_without_credential_registers_and_hears_of_no_challenge():
    one = talk()
    phone = Handset()
    request = phone.registers()
    [heard] = one.say(request)
    assert isinstance(heard, Response) and heard.status == 200
    assert heard.headers.first("Via") == request.headers.first("Via")
    assert heard.headers.first("CSeq") == request.headers.first("CSeq")
    assert one.flow.registration.state is RegistrationState.REGISTERED


@pytest.mark.parametrize("proxy", [False, True])
def test_each_challenge_costs_one_number_at_the_server_and_none_at_the_phone(proxy: bool):
    one, phone = talk(manner=Manner(proxy=proxy)), Handset()
    for _ in range(3):
        request = phone.registers()
        [heard] = one.say(request)
        assert heard.headers.first("CSeq") == request.headers.first("CSeq")
    assert numbers(one.requests("REGISTER")) == [1, 2, 3, 4, 5, 6]
    branches = [request.headers.first("Via") for request in one.requests("REGISTER")]
    assert len(set(branches)) == 6


def test_a_challenged_invite_is_acknowledged_here():
    one, phone = talk(), Handset()
    invite = phone.asks("INVITE")
    [heard] = one.say(invite)
    assert isinstance(heard, Response) and heard.status == 200
    first, second = one.requests("INVITE")
    [ack] = one.requests("ACK")
    assert ack.headers.first("Via") == first.headers.first("Via") and len(list(ack.headers.every("Via"))) == 1
    assert (numbers([first]), numbers([ack]), numbers([second])) == ([1], [1], [2])
    assert ack.uri == first.uri and ack.headers.first("From") == first.headers.first("From")
    assert list(first.headers.every("Via"))[1:] == [invite.headers.first("Via")]


def test_ack_and_bye_of_the_call_have_the_numbers_that_the_server_knows():
    one, phone = talk(), Handset()
    one.say(phone.asks("INVITE"))
    to = "<sip:600@server.example>;tag=far"
    one.say(phone.asks("ACK", to=to, number=1))
    assert numbers(one.requests("ACK")) == [1, 2]
    one.registrar.then(lambda request: reply(request, 200, "OK"))
    [bye] = one.say(phone.asks("BYE", to=to))
    assert numbers(one.requests("BYE")) == [3] and bye.headers.first("CSeq") == "2 BYE"


def test_the_ack_of_a_call_keeps_its_number_though_another_request_was_challenged_since():
    one, phone = talk(), Handset()
    one.say(phone.asks("INVITE"))  # 1 → 1, 2
    one.say(phone.asks("SUBSCRIBE"))  # 2 → 3, 4
    one.say(phone.asks("ACK", to="<sip:600@server.example>;tag=far", number=1))
    assert numbers(one.requests("ACK"))[-1] == 2


def test_no_two_requests_of_a_call_share_a_number_whatever_order_the_challenges_come_in():
    one, phone = talk(), Handset()
    one.answering = False
    for method in ("INVITE", "INFO", "UPDATE"):
        one.say(phone.asks(method))
    one.answering = True
    for request in list(one.heard):
        assert isinstance(request, Request)
        one.server_says(one.registrar.challenge(request))
    every = [number for method in ("INVITE", "INFO", "UPDATE") for number in numbers(one.requests(method))]
    assert sorted(every) == [1, 2, 3, 4, 5, 6]
    heard = {one_.headers.first("CSeq") for one_ in one.told}
    assert heard == {"1 INVITE", "2 INFO", "3 UPDATE"}


def test_cancel_goes_where_the_signed_invite_went():
    one, phone = talk(), Handset()
    one.registrar.then(one.registrar.challenge, lambda request: reply(request, 180, "Ringing"))
    invite = phone.asks("INVITE", branch="z9hG4bK-invite")
    one.say(invite)
    one.registrar.then(lambda request: reply(request, 200, "OK"))
    [heard] = one.say(phone.asks("CANCEL", branch="z9hG4bK-invite", number=1))
    assert heard.headers.first("CSeq") == "1 CANCEL"
    [cancel], signed = one.requests("CANCEL"), one.requests("INVITE")[-1]
    assert cancel.headers.first("Via") == signed.headers.first("Via") and numbers([cancel]) == numbers([signed])
    [ended] = one.server_says(reply(signed, 487, "Request Terminated"))
    assert ended.headers.first("CSeq") == "1 INVITE"
    one.say(phone.asks("ACK", branch="z9hG4bK-invite", number=1))
    assert one.requests("ACK")[-1].headers.first("Via") == signed.headers.first("Via")


def test_what_is_cancelled_is_not_called_after_all_when_the_challenge_comes_late():
    one, phone = talk(), Handset()
    one.answering = False
    one.say(phone.asks("INVITE", branch="z9hG4bK-invite"))
    one.say(phone.asks("CANCEL", branch="z9hG4bK-invite", number=1))
    [heard] = one.server_says(one.registrar.challenge(one.requests("INVITE")[0]))
    assert isinstance(heard, Response) and heard.status == 487
    assert len(one.requests("INVITE")) == 1 and one.flow.calls.count == 0


def test_one_wrong_answer_is_enough():
    one = Talk(signer=Signer(NAME, credential("wrong"))).up()
    phone = Handset()
    [heard] = one.say(phone.registers())
    assert isinstance(heard, Response) and heard.status == 403
    assert len(one.registrar.signatures()) == 1 and one.flow.registration.state is RegistrationState.REFUSED
    for request in (phone.registers(), phone.asks("INVITE")):
        [heard] = one.say(request)
        assert isinstance(heard, Response) and heard.status == 403
    assert len(one.heard) == 2
    one.flow = one.another_flow()
    one.up().say(phone.registers())
    assert len(one.heard) == 2


def test_another_hash_is_tried_at_once_and_the_phone_need_not_ask():
    one = Talk(signer=Signer(NAME, credential("wrong"))).up()
    one.registrar.contacts = (BOUND,)
    one.say(Handset().registers())
    assert one.signer.use(credential(), answers=True)
    one.take(one.flow.replay(one.now))
    assert one.flow.registration.state is RegistrationState.REGISTERED
    assert one.statuses() == [403]


def test_the_same_hash_again_is_no_news():
    one = Talk(signer=Signer(NAME, credential("wrong"))).up()
    one.say(Handset().registers())
    assert not one.signer.use(credential("wrong"), answers=True)
    assert one.signer.refused


def test_a_second_challenge_goes_to_the_phone_and_an_old_nonce_is_no_refusal():
    one = talk(manner=Manner(stale=1))
    phone = Handset()
    assert [heard.status for heard in one.say(phone.registers()) if isinstance(heard, Response)] == [401]
    assert not one.signer.refused
    assert [heard.status for heard in one.say(phone.registers()) if isinstance(heard, Response)] == [200]


@pytest.mark.parametrize(
    "manner", [Manner(realm="elsewhere"), Manner(algorithm="SHA-256"), Manner(qop="auth-int"), Manner(realm="Asterisk")]
)
def test_a_challenge_that_is_not_ours_is_never_answered(manner: Manner):
    one = talk(manner=manner)
    [heard] = one.say(Handset().registers())
    assert isinstance(heard, Response) and heard.status == 401
    assert one.registrar.signatures() == []
    assert one.signer.other_realm == (manner.realm if manner.realm != "asterisk" else "")


def test_a_password_answers_for_whatever_realm_the_verified_server_has():
    with_password = Credential(NAME, "guessed", None, Secret(PASSWORD), Proof.PASSWORD)
    one = Talk(signer=Signer(NAME, with_password)).up()
    one.say(Handset().registers())
    assert one.statuses() == [200]


def test_a_credential_of_the_phone_does_not_leave_the_machine():
    one, phone = talk(), Handset()
    secret = Header("Authorization", 'Digest username="1001", realm="asterisk", response="0"')
    one.say(phone.asks("REGISTER", secret, call_id="reg"))
    assert all('response="0"' not in header for header in one.registrar.signatures())


def test_in_pass_mode_the_phone_answers_itself():
    one = Talk(signer=Signer(NAME, credential(), answers=False)).up()
    phone = Handset()
    [heard] = one.say(phone.registers())
    assert isinstance(heard, Response) and heard.status == 401 and heard.headers.first("WWW-Authenticate")
    secret = Header("Authorization", 'Digest username="1001", realm="asterisk", response="0"')
    one.registrar.then(lambda request: reply(request, 200, "OK"))
    one.say(phone.asks("REGISTER", secret, call_id="reg"))
    assert one.requests("REGISTER")[-1].headers.first("Authorization") == secret.value
    assert numbers(one.requests("REGISTER")) == [1, 2]


@pytest.mark.parametrize(
    "request_",
    [
        Handset(user="1002").registers(),
        Handset(user="1002").asks("INVITE"),
        Handset().asks("REGISTER", to="<sip:1002@server.example>"),
        Handset(user="").asks("OPTIONS"),
    ],
)
def test_nobody_speaks_for_another_account(request_: Request):
    one = talk()
    [heard] = one.say(request_)
    assert isinstance(heard, Response) and heard.status == 403
    assert one.heard == []


def test_a_request_of_another_name_within_a_dialog_is_passed_on_and_never_signed():
    one, phone = talk(), Handset(user="1001-0x5581")
    [heard] = one.say(phone.asks("INFO", to="<sip:601@x>;tag=far", call_id="unknown"))
    assert isinstance(heard, Response) and heard.status == 401 and one.registrar.signatures() == []
    one.server_says(server_asks("INVITE", call_id="known"))
    [heard] = one.say(phone.asks("INFO", to="<sip:601@x>;tag=far", call_id="known"))
    assert isinstance(heard, Response) and heard.status == 200


@pytest.mark.parametrize("twice", ["From", "To", "Call-ID", "CSeq"])
def test_two_values_of_which_only_one_counts_are_refused(twice: str):
    one, phone = talk(), Handset()
    request = phone.registers()
    doubled = replace(request, headers=request.headers.at_end(twice, "<sip:1002@server.example>;tag=x"))
    with pytest.raises(NotSipError):
        one.say(doubled)
    with pytest.raises(NotSipError):
        one.say(replace(request, headers=request.headers.without(twice)))
    assert one.heard == []


@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Max-Forwards", "many"),
        ("From", "<tel:+541148>;tag=phone"),
        ("To", "<sip:1001@server.example>;tag=1;tag=2"),
        ("Contact", "<sip:1001@127.0.0.1:5062>, <>"),
        ("Route", "<>"),
    ],
)
def test_what_is_no_sip_is_not_held_for_a_websocket_that_opens(name: str, value: str, method: str):
    one, phone = Talk(registrar=Registrar(user=NAME, password=PASSWORD, contacts=(BOUND,))), Handset()
    request = phone.asks(method)
    with pytest.raises(NotSipError):
        one.say(replace(request, headers=request.headers.without(name).at_end(name, value)))
    one.up()
    assert one.heard == [] and one.flow.calls.count == 0
    assert [heard.status for heard in one.say(phone.registers()) if isinstance(heard, Response)] == [200]


def test_nor_is_a_registration_that_nobody_could_ask_for_again():
    one, phone = talk(), Handset()
    request = phone.registers()
    doubled = "<sip:1001@127.0.0.1:5062>;expires=60;expires=61"
    with pytest.raises(NotSipError):
        one.say(replace(request, headers=request.headers.with_one("Contact", doubled)))
    one.take(one.flow.lost(1.0))
    one.up()
    assert one.heard == []


def test_a_call_of_the_servers_that_is_no_sip_does_not_ring():
    one = talk()
    invite = server_asks("INVITE")
    with pytest.raises(NotSipError):
        one.server_says(replace(invite, headers=invite.headers.with_one("Via", "SIP/2.0")))
    assert one.flow.calls.count == 0


def test_a_packet_that_comes_again_gets_the_same_answer_and_the_server_does_not_hear_it():
    one, phone = talk(), Handset()
    request = phone.registers()
    first = one.say(request)
    count = len(one.heard)
    assert one.say(request) == first and len(one.heard) == count
    one.answering = False
    waiting = phone.asks("INVITE")
    assert one.say(waiting) == [] and one.say(waiting) == []
    assert len(one.requests("INVITE")) == 1


def test_while_the_websocket_opens_requests_wait_and_when_it_cannot_be_had_they_are_refused():
    one = Talk()
    phone = Handset()
    assert one.say(phone.registers()) == [] and one.heard == []
    one.up()
    assert one.statuses() == [200]
    one = Talk()
    one.say(phone.asks("INVITE"))
    one.take(one.flow.down(0.0))
    [heard] = one.told
    assert isinstance(heard, Response) and (heard.status, heard.headers.first("Retry-After")) == (503, "5")
    assert [heard.status for heard in one.say(phone.asks("OPTIONS")) if isinstance(heard, Response)] == [503]
    assert one.flow.calls.count == 0


def test_a_call_that_waits_can_be_cancelled():
    one, phone = Talk(), Handset()
    one.say(phone.asks("INVITE", branch="z9hG4bK-i"))
    assert {(m.status, m.headers.first("CSeq")) for m in one.say(phone.asks("CANCEL", branch="z9hG4bK-i", number=1))
            if isinstance(m, Response)} == {(200, "1 CANCEL"), (487, "1 INVITE")}  # fmt: skip
    one.up()
    assert one.heard == []


def test_after_a_cut_the_server_hears_the_registration_anew_and_the_phone_nothing():
    one, phone = talk(), Handset()
    one.say(phone.registers())
    one.take(one.flow.lost(1.0))
    assert one.flow.registration.state is RegistrationState.NONE
    one.up()
    assert one.statuses() == [200] and one.flow.registration.state is RegistrationState.REGISTERED
    assert numbers(one.requests("REGISTER")) == [1, 2, 3, 4]
    [last] = [request for request in one.requests("REGISTER") if numbers([request]) == [4]]
    assert list(last.headers.every("Via")) == [last.headers.first("Via")]
    [heard] = one.say(phone.registers())
    assert heard.headers.first("CSeq") == "2 REGISTER" and numbers(one.requests("REGISTER"))[-2:] == [5, 6]


def test_a_registration_on_its_way_when_the_cut_comes_is_answered_after_it():
    one, phone = talk(), Handset()
    one.answering = False
    one.say(phone.registers())
    one.server_says(one.registrar.challenge(one.requests("REGISTER")[0]))
    one.take(one.flow.lost(1.0))
    one.answering = True
    one.up()
    assert one.statuses() == [200] and not one.signer.refused
    assert len(one.requests("REGISTER")) == 4


def test_a_phone_that_left_is_not_registered_anew():
    one, phone = talk(), Handset()
    one.say(phone.registers())
    one.say(phone.registers(expires=0))
    count = len(one.heard)
    one.take(one.flow.lost(1.0))
    one.up()
    assert len(one.heard) == count and one.flow.registration.state is RegistrationState.NONE


def test_a_call_on_its_way_ends_with_the_cut_and_one_that_is_up_goes_on():
    one, phone = talk(), Handset()
    one.say(phone.asks("INVITE", call_id="up"))
    one.answering = False
    one.say(phone.asks("INVITE", call_id="ringing"))
    assert one.flow.calls.count == 2
    one.take(one.flow.lost(1.0))
    assert one.statuses()[-1] == 503 and one.flow.calls.count == 1
    one.up()
    one.say(phone.asks("BYE", call_id="up", to="<sip:600@server.example>;tag=far"))
    assert one.flow.calls.count == 0


def test_a_call_from_the_server_comes_back_by_us_and_counts_until_it_ends():
    one, phone = talk(), Handset()
    [invite] = one.server_says(server_asks("INVITE"))
    assert isinstance(invite, Request)
    assert invite.headers.first("Via").startswith("SIP/2.0/TCP 127.0.0.1:40001;branch=z9hG4bK")
    assert invite.headers.first("Record-Route") == "<sip:127.0.0.1:40001;transport=tcp;lr>"
    assert b" UDP/TLS/RTP/SAVPF " in invite.body and invite.headers.first("Max-Forwards") == "69"
    contact = Header("Contact", "<sip:1001@127.0.0.1:5062;transport=tcp>")
    for status in (180, 200):
        one.say(answers(invite, status, "", contact))
    answer = one.heard[-1]
    assert list(answer.headers.every("Via")) == list(server_asks("INVITE").headers.every("Via"))
    assert answer.headers.first("Record-Route") == "" and "transport=ws" in answer.headers.first("Contact")
    assert one.flow.calls.count == 1
    one.server_says(server_asks("BYE", 103))
    assert one.flow.calls.count == 0
    del phone


def test_a_call_that_is_declined_is_none():
    one = talk()
    [invite] = one.server_says(server_asks("INVITE"))
    assert isinstance(invite, Request) and one.flow.calls.count == 1
    one.say(answers(invite, 486))
    assert one.flow.calls.count == 0


def test_cancel_and_ack_of_the_server_match_its_invite():
    one = talk()
    vias = {one.server_says(server_asks(method))[0].headers.first("Via") for method in ("INVITE", "CANCEL", "ACK")}
    assert len(vias) == 1


def test_an_answer_that_did_not_come_by_us_is_refused():
    one = talk()
    with pytest.raises(NotSipError):
        one.say(answers(server_asks("OPTIONS"), 200))
    assert one.heard == []


def test_an_answer_to_nothing_is_dropped():
    one = talk()
    assert one.server_says(answers(server_asks("OPTIONS"), 200)) == []


def test_hops_run_out():
    one, phone = talk(), Handset()
    request = phone.registers()
    none_left = replace(request, headers=request.headers.with_one("Max-Forwards", "0"))
    assert [heard.status for heard in one.say(none_left) if isinstance(heard, Response)] == [483]
    assert one.heard == []


def test_an_answer_of_our_own_is_the_same_each_time():
    one, phone = talk(), Handset(user="1002")
    request = phone.asks("INVITE")
    assert one.say(request) == one.say(request)
    assert ";tag=" in one.told[0].headers.first("To")
    assert one.say(phone.asks("ACK", branch=request.headers.first("Via").partition("branch=")[2], number=1)) == []
    assert one.heard == []


def test_another_phone_that_took_the_account_is_noticed():
    one, phone = talk(), Handset()
    one.say(phone.registers())
    assert one.flow.ask_at == 30.0
    one.take(one.flow.ask(30.0))
    assert one.flow.registration.state is RegistrationState.REGISTERED
    assert one.requests("REGISTER")[-1].headers.first("Contact") == ""
    one.registrar.contacts = (PHONE,)
    one.take(one.flow.ask(45.0))
    assert one.flow.registration.state is RegistrationState.DISPLACED
    one.registrar.contacts = (BOUND,)
    one.say(phone.registers())
    assert one.flow.registration.state is RegistrationState.REGISTERED and one.statuses() == [200, 200]


def test_prack_names_the_invite_as_the_server_knows_it():
    one, phone = talk(), Handset()
    one.say(phone.asks("INVITE"))
    one.say(phone.asks("PRACK", Header("RAck", "7 1 INVITE"), to="<sip:600@server.example>;tag=far"))
    assert one.requests("PRACK")[0].headers.first("RAck") == "7 2 INVITE"


def test_a_dialog_outlives_the_connection_of_its_phone():
    one, phone = talk(), Handset()
    one.say(phone.asks("INVITE"))
    one.flow = one.another_flow()
    one.up()
    one.say(phone.asks("BYE", to="<sip:600@server.example>;tag=far"))
    assert numbers(one.requests("BYE"))[0] == 3


def test_too_many_requests_at_once_are_refused():
    one, phone = talk(), Handset()
    one.answering = False
    for number in range(512):
        one.say(phone.asks("OPTIONS", call_id=f"o{number}"))
    [heard] = one.say(phone.asks("OPTIONS", call_id="one more"))
    assert isinstance(heard, Response) and heard.status == 503
    one.answering = True
    for request in one.requests("OPTIONS")[:1]:
        one.server_says(reply(request, 200, "OK"))
    one.answering = False
    assert one.say(phone.asks("OPTIONS", call_id="and one more")) == []
