"""The query that touches nothing, and what its answer says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.core.account import Transport
from provisioner.core.derive import Secrets, account_of
from provisioner.core.sip.grammar import NotSipError
from provisioner.core.sip.headers import Header, Headers
from provisioner.core.sip.message import Request, Response, parse_message, print_message
from provisioner.core.sip.query import Binding, Query, bindings, query_for, retransmissions
from tests.examples import PLATFORM, agent, peer

QUERY = Query("sip:1997@a.example", "sip:a.example", "UDP 192.0.2.1:5060", "mark")


def answered(*fields: tuple[str, str], status: int = 200) -> Response:
    return Response(status, "", Headers(tuple(Header(name, value) for name, value in fields)))


def test_the_query_has_no_contact_and_no_expiry_so_it_changes_no_binding():
    for request in (QUERY.request(1), QUERY.request(2, Header("Authorization", "Digest x=y"))):
        names = [field.key for field in request.headers.fields]
        assert not {"contact", "expires"} & set(names)
        # RFC 3261 section 8.1.1.
        assert {"via", "max-forwards", "from", "to", "call-id", "cseq"} <= set(names)
        assert parse_message(print_message(request)) == request


def test_each_request_is_a_transaction_of_its_own_in_the_same_conversation():
    first, second = QUERY.request(1), QUERY.request(2)
    branches = {request.headers.first("Via").partition("branch=")[2] for request in (first, second)}
    assert len(branches) == 2 and all(branch.startswith("z9hG4bK") for branch in branches)
    assert first.headers.first("Call-ID") == second.headers.first("Call-ID")
    assert [request.headers.first("CSeq") for request in (first, second)] == ["1 REGISTER", "2 REGISTER"]


@pytest.mark.parametrize(
    ("transport", "via"), [(Transport.UDP, "SIP/2.0/UDP me:1"), (Transport.WSS, "SIP/2.0/WSS me:1")]
)
def test_the_query_is_about_the_account(transport: Transport, via: str):
    account = replace(account_of(peer(), agent(), PLATFORM, Secrets())[0], name="ana maría")
    request = query_for(account, transport, sent_by="me:1", mark="m").request(1)
    assert request.uri == "sip:sip.acme.example"
    assert request.headers.first("To") == "<sip:ana%20mar%C3%ADa@sip.acme.example>"
    assert request.headers.first("Via").startswith(via + ";")


@pytest.mark.parametrize(
    ("call_id", "cseq", "count", "is_ours"),
    [
        ("mark", "1 REGISTER", 1, True),
        ("mark", "00001 REGISTER", 1, True),
        ("mark", "1 REGISTER", 2, False),
        ("mark", "1 OPTIONS", 1, False),
        ("other", "1 REGISTER", 1, False),
        ("mark", "", 1, False),
    ],
)
def test_only_the_answer_to_the_last_request_counts(call_id: str, cseq: str, count: int, is_ours: bool):
    response = answered(("i", call_id), ("CSeq", cseq))
    assert QUERY.is_answered_by(response, count) is is_ours
    assert not QUERY.is_answered_by(Request("OPTIONS", "sip:x", response.headers), count)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<sip:1@192.0.2.1:5060;transport=wss>;expires=96", [Binding("sip:1@192.0.2.1:5060;transport=wss", 96)]),
        ("sip:1@192.0.2.1;expires=96;q=0.5", [Binding("sip:1@192.0.2.1", 96)]),
        ('"A, <b>" <sip:1@a>', [Binding("sip:1@a", None)]),
        ("<sip:1@a>;expires=5, <sip:2@a>;EXPIRES=7", [Binding("sip:1@a", 5), Binding("sip:2@a", 7)]),
        ("<sip:1@a>;expires=soon", [Binding("sip:1@a", None)]),
    ],
)
def test_who_is_registered_is_read_in_every_form(value: str, expected: list[Binding]):
    assert list(bindings(answered(("m", value)))) == expected


def test_nobody_is_registered_where_there_is_no_contact():
    assert list(bindings(answered())) == []


@pytest.mark.parametrize("value", ["<>", "", ";expires=5", "<sip:a>;expires=1;expires=2"])
def test_a_contact_that_is_none_is_told(value: str):
    with pytest.raises(NotSipError):
        list(bindings(answered(("Contact", value))))


@pytest.mark.parametrize(
    ("limit", "pauses"),
    [
        (0.3, [0.3]),
        (5.0, [0.5, 1.0, 2.0, 1.5]),
        (16.0, [0.5, 1.0, 2.0, 4.0, 4.0, 4.0, 0.5]),
    ],
)
def test_a_lost_packet_is_sent_again_as_rfc_3261_has_it_and_not_for_ever(limit: float, pauses: list[float]):
    assert list(retransmissions(limit)) == pytest.approx(pauses)
