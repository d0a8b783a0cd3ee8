"""Digest answers, against the examples that the RFCs print."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.account import Credential, Proof
from provisioner.core.realm import ha1
from provisioner.core.secret import Secret
from provisioner.core.sip.digest import (
    CannotAnswerError,
    Challenge,
    OtherRealmError,
    Signed,
    answer,
    challenges_in,
    choose,
    read_challenge,
)
from provisioner.core.sip.grammar import NotSipError, parameters
from provisioner.core.sip.headers import Header, Headers
from provisioner.core.sip.message import Response

SENTINEL = "S3ntinel-Password"


def by_password(user: str, realm: str, password: str) -> Credential:
    return Credential(user, realm, None, Secret(password), Proof.PASSWORD)


def by_ha1(user: str, realm: str, password: str) -> Credential:
    return Credential(user, realm, Secret(ha1(user, realm, password)), None, Proof.ASSUMED)


def said(value: str) -> Mapping[str, str]:
    scheme, _, rest = value.partition(" ")
    assert scheme == "Digest"
    return parameters(rest, ",")


def challenge_of(value: str) -> Challenge:
    challenge = read_challenge(value)
    assert challenge is not None
    return challenge


RFC_2617 = (
    'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
    'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)
RFC_7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
NONCE_7616 = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


@pytest.mark.parametrize("made", [by_password, by_ha1])
def test_the_example_of_rfc_2617_section_3_5(made):
    credential = made("Mufasa", "testrealm@host.com", "Circle Of Life")
    result = said(answer(challenge_of(RFC_2617), credential, Signed("GET", "/dir/index.html", "0a4f113b")))
    assert result == {
        "username": "Mufasa",
        "realm": "testrealm@host.com",
        "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        "uri": "/dir/index.html",
        "qop": "auth",
        "nc": "00000001",
        "cnonce": "0a4f113b",
        "response": "6629fae49393a05397450978507c4ef1",
        "opaque": "5ccc069c403ebaf9f0171e9517f40e41",
    }


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616_section_3_9_1(algorithm: str, response: str):
    credential = by_password("Mufasa", "http-auth@example.org", "Circle of Life")
    signed = Signed("GET", "/dir/index.html", NONCE_7616)
    result = said(answer(challenge_of(RFC_7616.format(algorithm)), credential, signed))
    assert (result["response"], result["algorithm"]) == (response, algorithm)
    assert result["opaque"] == "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"


# RFC 3261 prints this challenge (section 22.2) but no secret to answer it with; the response is worked out below.
RFC_3261 = (
    'Digest realm="biloxi.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
    'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)


def test_the_challenge_of_rfc_3261_section_22_is_read_and_answered():
    challenge = challenge_of(RFC_3261)
    assert challenge == Challenge(
        "biloxi.com",
        "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        "",
        ("auth", "auth-int"),
        "5ccc069c403ebaf9f0171e9517f40e41",
    )
    result = said(
        answer(challenge, by_ha1("bob", "biloxi.com", "zanzibar"), Signed("INVITE", "sip:bob@biloxi.com", "0a4f113b"))
    )
    assert result["response"] == "89eb0059246c02b2f6ee02c7961d5ea3"


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def test_without_qop_the_answer_has_the_form_of_rfc_2069():
    challenge = challenge_of('Digest realm="asterisk", nonce="1a2b"')
    result = said(answer(challenge, by_ha1("1997", "asterisk", "pw"), Signed("REGISTER", "sip:a.example", "c")))
    expected = md5(f"{md5('1997:asterisk:pw')}:1a2b:{md5('REGISTER:sip:a.example')}")
    assert result["response"] == expected
    assert not {"qop", "nc", "cnonce", "algorithm", "opaque"} & set(result)


def test_md5_sess_hashes_the_nonces_into_the_first_part():
    challenge = challenge_of('Digest realm="r", nonce="n", algorithm=MD5-sess, qop="auth"')
    result = said(answer(challenge, by_ha1("u", "r", "p"), Signed("REGISTER", "sip:x", "c", 2)))
    first = md5(f"{md5('u:r:p')}:n:c")
    assert result["response"] == md5(f"{first}:n:00000002:c:auth:{md5('REGISTER:sip:x')}")
    assert (result["algorithm"], result["nc"]) == ("MD5-sess", "00000002")


def test_md5_sess_without_qop_still_sends_the_cnonce_that_it_hashed():
    challenge = challenge_of('Digest realm="r", nonce="n", algorithm=md5-sess')
    assert said(answer(challenge, by_ha1("u", "r", "p"), Signed("REGISTER", "sip:x", "c")))["cnonce"] == "c"


@pytest.mark.parametrize("realm", ["Asterisk", "asterisk ", "", "acme"])
def test_an_ha1_answers_for_its_own_realm_only(realm: str):
    with pytest.raises(OtherRealmError) as caught:
        answer(Challenge(realm, "n"), by_ha1("u", "asterisk", "p"), Signed("REGISTER", "sip:x", "c"))
    assert caught.value.problems[0].fix == f"set `realm: {realm}`"


def test_a_password_answers_for_any_realm():
    result = said(answer(Challenge("acme", "n"), by_password("u", "asterisk", "p"), Signed("REGISTER", "sip:x", "c")))
    assert result["response"] == md5(f"{md5('u:acme:p')}:n:{md5('REGISTER:sip:x')}")


@pytest.mark.parametrize("challenge", [Challenge("r", "n", "SHA-512-256"), Challenge("r", "n", "", ("auth-int",))])
def test_a_digest_that_is_not_known_is_told(challenge: Challenge):
    with pytest.raises(CannotAnswerError, match="not known here"):
        answer(challenge, by_password("u", "r", SENTINEL), Signed("REGISTER", "sip:x", "c"))


def test_an_ha1_does_not_answer_sha_256():
    with pytest.raises(CannotAnswerError, match="answers MD5 only"):
        answer(Challenge("r", "n", "SHA-256"), by_ha1("u", "r", SENTINEL), Signed("REGISTER", "sip:x", "c"))


MD5, SHA, ODD = Challenge("r", "1", "MD5"), Challenge("r", "2", "SHA-256"), Challenge("r", "3", "SHA-512-256")


@pytest.mark.parametrize(
    ("offered", "credential", "chosen"),
    [
        ([SHA, MD5], by_password("u", "r", "p"), SHA),
        ([SHA, MD5], by_ha1("u", "r", "p"), MD5),
        ([ODD, MD5], by_password("u", "r", "p"), MD5),
        ([ODD, SHA], by_ha1("u", "r", "p"), ODD),
        ([], by_ha1("u", "r", "p"), None),
    ],
)
def test_the_first_challenge_that_can_be_answered_is_chosen(offered, credential, chosen):
    assert choose(offered, credential) == chosen


@pytest.mark.parametrize(
    ("status", "name", "found"),
    [
        (401, "WWW-Authenticate", ["a"]),
        (407, "Proxy-Authenticate", ["a"]),
        (401, "Proxy-Authenticate", []),
        (200, "WWW-Authenticate", []),
    ],
)
def test_challenges_are_looked_for_where_they_belong(status: int, name: str, found: list[str]):
    fields = (Header(name, "NTLM abc"), Header(name, 'Digest realm="a, b", nonce="a"'))
    response = Response(status, "", Headers(fields))
    assert [challenge.nonce for challenge in challenges_in(response)] == found


@pytest.mark.parametrize(
    "value",
    [
        "Digest",
        'Digest realm="r"',
        'Digest nonce="n"',
        'Digest realm="r", nonce=""',
        'Digest realm="r",realm="r",nonce="n"',
    ],
)
def test_a_challenge_that_is_none_is_refused(value: str):
    with pytest.raises(NotSipError):
        read_challenge(value)


def test_a_stale_nonce_is_seen():
    assert challenge_of('Digest realm="r", nonce="n", stale=TRUE').stale
    assert not challenge_of('Digest realm="r", nonce="n", stale=false').stale


@given(st.text())
def test_no_text_makes_reading_a_challenge_fail_in_another_way(text: str):
    with suppress(NotSipError):
        read_challenge("Digest " + text)


@given(realm=st.text(st.characters(exclude_categories=["Cs"])), nonce=st.text('abc"\\, =', min_size=1))
def test_what_was_asked_comes_back_whole(realm: str, nonce: str):
    result = said(answer(Challenge(realm, nonce), by_ha1("u", realm, "p"), Signed("REGISTER", "sip:x", "c")))
    assert (result["realm"], result["nonce"]) == (realm, nonce)


def test_neither_the_password_nor_the_ha1_is_in_the_answer_or_an_error():
    credential = by_password("u", "r", SENTINEL)
    hashed = ha1("u", "r", SENTINEL)
    for challenge in (Challenge("r", "n"), Challenge("r", "n", "SHA-256", ("auth",))):
        value = answer(challenge, credential, Signed("REGISTER", "sip:x", "c"))
        assert SENTINEL not in value and hashed not in value
    with pytest.raises(OtherRealmError) as caught:
        answer(Challenge("x", "n"), by_ha1("u", "r", SENTINEL), Signed("REGISTER", "sip:x", "c"))
    assert hashed not in str(caught.value)
