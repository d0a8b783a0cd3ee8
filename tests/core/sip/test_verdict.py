"""Every outcome has one sentence that ends with what to do."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.account import Transport
from provisioner.core.derive import Secrets, account_of
from provisioner.core.sip.digest import Challenge
from provisioner.core.sip.headers import Header, Headers
from provisioner.core.sip.message import Response
from provisioner.core.sip.obstacle import Occasion, in_words
from provisioner.core.sip.trial import Address, Failure, Obstacle, Stage, Trial
from provisioner.core.sip.verdict import Asked, Outcome, judge
from tests.examples import PLATFORM, agent, peer

ASKED = Asked(account_of(peer(), agent("ana"), PLATFORM, Secrets())[0], (), 1_000_000.0, 5.0)
CODES = {Obstacle.CERTIFICATE: [9, 10, 18, 19, 20, 62, 64, 99], Obstacle.NO_WEBSOCKET: [200, 302, 400, 403, 404, 502]}
FAILURES = [
    (failure, transport)
    for obstacle, stage, transport in product(Obstacle, Stage, Transport)
    for failure in [Failure(obstacle, stage, code) for code in CODES.get(obstacle, [0])]
]


@pytest.mark.parametrize("obstacle", Obstacle)
def test_every_obstacle_has_words_and_a_cure_at_every_step(obstacle: Obstacle):
    for failure, transport in FAILURES:
        if failure.obstacle is obstacle:
            address = Address(transport, "sip.example", 5061, "wss://sip.example/ws" if transport.is_websocket else "")
            what, fix = in_words(failure, address, Occasion(5.0, "2026-11-24 12:00 UTC"))
            for words in (what, fix):
                assert len(words) > 10 and "None" not in words and not words.endswith("."), (failure, words)


@pytest.mark.parametrize(("code", "words"), [(9, "not yet valid"), (10, "has expired"), (18, "by nobody but itself")])
def test_the_faults_of_certificates_are_openssl_s(code: int, words: str):
    address = Address(Transport.TLS, "sip.example", 5061)
    failure = Failure(Obstacle.CERTIFICATE, Stage.TLS, code, "words of OpenSSL")
    assert words in in_words(failure, address, Occasion(5.0, "now"))[0]


def test_a_fault_that_is_not_known_is_told_in_openssl_s_words():
    address = Address(Transport.TLS, "::1", 5061)
    failure = Failure(Obstacle.CERTIFICATE, Stage.TLS, 66, "EE certificate key too weak")
    what = in_words(failure, address, Occasion(5.0, "now"))[0]
    assert what == "the certificate of [::1]:5061 is not accepted: EE certificate key too weak"


_STATUS, _WORDS = st.integers(200, 699), st.text(st.characters(exclude_characters="\r\n"))


@given(_STATUS, _WORDS, st.booleans(), st.sampled_from(["Date", "Min-Expires", "Retry-After", "Contact"]))
def test_whatever_a_server_answers_there_is_a_verdict_and_only_success_is_able(status, words, signed, name):
    response = Response(status, words, Headers((Header(name, words),)))
    challenge = Challenge(ASKED.account.credential.realm, words or "n") if signed else None
    trial = Trial(Address(Transport.WSS, "h", 1), (), challenge, signed, response=response)
    (verdict,) = judge([trial], ASKED)
    assert verdict.able is (200 <= status < 300)
    assert verdict.what and (verdict.fix or verdict.able)
    assert "\x1b" not in verdict.what + verdict.fix


@pytest.mark.parametrize(
    ("date", "remarks"),
    [
        ("Mon, 12 Jan 1970 13:46:40 GMT", 0),
        ("Mon, 12 Jan 1970 13:50:00 GMT", 0),
        ("Mon, 12 Jan 1970 13:52:00 GMT", 1),
        ("Mon, 12 Jan 1970 13:41:00 GMT", 1),
        ("yesterday", 0),
        ("", 0),
    ],
)
def test_a_clock_is_told_when_it_is_off_by_more_than_five_minutes(date: str, remarks: int):
    response = Response(200, "OK", Headers((Header("Date", date),)))
    trial = Trial(
        Address(Transport.UDP, "h", 1), (), Challenge(ASKED.account.credential.realm, "n"), True, response=response
    )
    (verdict,) = judge([trial], ASKED)
    assert verdict.outcome is Outcome.ACCEPTED and len(verdict.remarks) == remarks
