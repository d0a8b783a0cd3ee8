"""Addresses as they stand in headers."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.sip.address import Via, name_addr, over_websocket, read_name_addr, read_via, sip_user, user_of
from provisioner.core.sip.grammar import NotSipError
from provisioner.core.sip.message import parse_message
from tests.core.sip import torture


@pytest.mark.parametrize(
    ("contact", "expected"),
    [
        ("<sip:1997@127.0.0.1:5062;transport=tcp>;expires=60", "<sip:1997@127.0.0.1:5062;transport=ws>;expires=60"),
        ("<sip:1997@127.0.0.1:5062>", "<sip:1997@127.0.0.1:5062;transport=ws>"),
        ('"A <b>" <sip:a@b;ob;Transport=UDP;x=1?h=1>', '"A <b>" <sip:a@b;ob;x=1;transport=ws?h=1>'),
        ("sip:a@b;expires=60", "<sip:a@b;transport=ws>;expires=60"),
        ("<sip:a;b=c@host>", "<sip:a;b=c@host;transport=ws>"),
        ("<sip:a@b;transport=ws>;+sip.instance=\"<urn:x>\"", "<sip:a@b;transport=ws>;+sip.instance=\"<urn:x>\""),
        ("*", "*"),
        ("<tel:+123>", "<tel:+123>"),
    ],
)  # fmt: skip
def test_a_contact_says_websocket(contact: str, expected: str):
    assert over_websocket(contact) == expected
    assert over_websocket(expected) == expected


@pytest.mark.parametrize(
    ("uri", "user"),
    [("sip:1997@h", "1997"), ("SIPS:a%40b:pw@h:5061;x=y", "a@b"), ("sip:h", ""), ("sip:a;b=c@h", "a;b=c")],
)
def test_the_user_of_a_uri(uri: str, user: str):
    assert user_of(uri) == user


@pytest.mark.parametrize("uri", ["tel:1997", "sip:1997@evil@h", "1997"])
def test_what_two_readers_could_read_as_two_users_is_refused(uri: str):
    with pytest.raises(NotSipError):
        user_of(uri)


def test_the_vias_of_rfc_4475():
    found = list(map(read_via, parse_message(torture.WSINV).headers.every("Via")))
    assert found == [
        Via("UDP 192.0.2.2", "390skdjuw"),
        Via("TCP spindle.example.com", "z9hG4bK9ikj8"),
        Via("UDP 192.168.255.111", "z9hG4bK30239"),
    ]


@given(st.text())
def test_no_text_raises_anything_else(text: str):
    for read in (over_websocket, read_name_addr, user_of, read_via):
        with suppress(NotSipError):
            read(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [("1997", "1997"), ("a@b", "a%40b"), ("a b", "a%20b"), ("é", "%C3%A9"), ("a%20", "a%2520"), ("+34;x", "+34;x"),
     ("<>", "%3C%3E"), ("\ud800", "%ED%A0%80")],
)  # fmt: skip
def test_a_user_part_is_percent_escaped(text, written):
    assert sip_user(text) == written


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Ana Perez", "Ana Perez <sip:x@y>"), ("Ana", "Ana <sip:x@y>"), ("Pérez", '"Pérez" <sip:x@y>'),
        ('A"\\', '"A\\"\\\\" <sip:x@y>'), ("a;b", '"a;b" <sip:x@y>'), (" a", '" a" <sip:x@y>'), ("", '"" <sip:x@y>'),
        ("a  b", '"a  b" <sip:x@y>'), ("a\n", '"a\n" <sip:x@y>'),
    ],
)  # fmt: skip
def test_a_name_is_quoted_unless_it_is_made_of_tokens(name, written):
    assert name_addr(name, "sip:x@y") == written
