"""Which phones go through the relay."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.core.account import MediaEncryption, Transport
from provisioner.core.relay_way import (
    RelayMode,
    RelayWay,
    Way,
    call_lacks,
    knows_relay,
    needs_relay,
    relay_transport,
    way_as_json,
)
from provisioner.core.target import RELAY_ABILITIES, Target
from tests.targets.stage import account, catalog, row, target


def phone(*words: str, **changes: object) -> Target:
    """Linphone with these abilities behind a relay."""
    return replace(target("linphone"), relay=frozenset(words), **changes)  # type: ignore[arg-type]


ROUTED = phone("route")
UDP_ONLY = phone("route", transports={Transport.UDP: "udp"})
TLS_ONLY = phone("route", transports={Transport.TLS: "tls"})


@pytest.mark.parametrize(
    ("allowed", "one", "way"),
    [
        ("wss", ROUTED, Transport.TCP),
        ("ws,wss", ROUTED, Transport.TCP),
        ("wss", UDP_ONLY, Transport.UDP),
        ("wss", TLS_ONLY, None),
        ("wss", phone(), None),
        ("wss", phone("ice", "rtcp-mux", "stun"), None),
        # The relay signs nothing on a line that it cannot verify.
        ("ws", ROUTED, None),
        # Where the phone can go by itself, it does.
        ("wss,udp", ROUTED, None),
        ("wss,tls", ROUTED, None),
        ("wss,tls", UDP_ONLY, Transport.UDP),
        ("udp", ROUTED, None),
        ("wss", target("jssip"), None),
        ("wss", target("json"), None),
    ],
)
def test_a_phone_goes_through_the_relay_where_it_cannot_go_by_itself(allowed, one, way):
    assert relay_transport(account(row(allowed)), one) is way


@pytest.mark.parametrize(
    ("one", "known"),
    [(ROUTED, True), (UDP_ONLY, True), (TLS_ONLY, False), (phone("ice", "stun"), False), (target("jssip"), False)],
)
def test_a_phone_that_takes_no_route_or_neither_tcp_nor_udp_cannot_be_told_of_a_relay(one, known):
    assert knows_relay(one) is known


def test_a_relay_is_needed_as_soon_as_one_phone_goes_through_it():
    one = account(row())
    assert needs_relay(one, [target("jssip"), target("linphone")])
    assert not needs_relay(one, [target("jssip"), target("sipjs")])
    assert not needs_relay(one, [])


def test_a_phone_that_could_only_register_needs_no_relay_unless_somebody_insists():
    assert not needs_relay(account(row()), [target("twinkle")])
    assert needs_relay(account(row(), media_encryption=MediaEncryption.NONE), [target("twinkle")])
    assert not needs_relay(account(row(), media_encryption=MediaEncryption.SDES), [target("twinkle")])


@pytest.mark.parametrize(
    ("one", "lacks"),
    [
        (phone(*RELAY_ABILITIES), ()),
        (phone("route", "ice", "rtcp-mux"), ()),
        (phone("route", "rtcp-mux"), ("ICE",)),
        (phone("route", "ice"), ("rtcp-mux",)),
        (phone("route", media_encryption={MediaEncryption.SDES: "x"}), ("DTLS-SRTP", "ICE", "rtcp-mux")),
    ],
)
def test_what_a_call_needs_and_the_phone_does_not_have_is_named(one, lacks):
    assert call_lacks(one) == lacks


def test_the_words_of_the_manifests_are_known():
    assert all(one.relay <= set(RELAY_ABILITIES) for one in catalog().targets.values())


@pytest.mark.parametrize(
    ("way", "text", "told"),
    [
        (Way(Transport.TLS), "over tls", {"transport": "tls", "via": "direct", "relay": None}),
        (Way(Transport.WSS, RelayWay(25060)), "over wss through the relay at 127.0.0.1:25060",
         {"transport": "wss", "via": "relay", "relay": "127.0.0.1:25060"}),
        (None, "None", {"transport": None, "via": None, "relay": None}),
    ],
)  # fmt: skip
def test_a_way_is_told_to_people_and_programs(way, text, told):
    assert (str(way), way_as_json(way)) == (text, told)


def test_an_address_is_host_and_port():
    way = RelayWay(25060)
    assert (way.address, way.mode) == ("127.0.0.1:25060", RelayMode.ANSWER)
    assert RelayWay(0).address == "127.0.0.1:PORT"
