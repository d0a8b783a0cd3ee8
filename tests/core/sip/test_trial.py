"""Where to ask, what to sign with, and what a trial proves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.core.account import Account, Credential, Proof, Transport
from provisioner.core.derive import Secrets, account_of
from provisioner.core.realm import ha1
from provisioner.core.secret import Secret
from provisioner.core.sip.digest import Challenge
from provisioner.core.sip.headers import Headers
from provisioner.core.sip.message import Response
from provisioner.core.sip.trial import Address, Trial, address_of, realm_shown, to_sign_with
from tests.examples import PLATFORM, agent, peer


def account(**overrides: object) -> Account:
    return account_of(peer(transport="wss,tls,udp"), agent("ana", **overrides), PLATFORM, Secrets())[0]


@pytest.mark.parametrize(
    ("overrides", "transport", "shown", "host", "port"),
    [
        ({}, "tls", "sip.acme.example:5061", "sip.acme.example", 5061),
        ({}, "udp", "sip.acme.example:5060", "sip.acme.example", 5060),
        ({"server": "edge.example", "port": 5070}, "udp", "edge.example:5070", "edge.example", 5070),
        ({"server": "[2001:db8::1]"}, "tls", "[2001:db8::1]:5061", "2001:db8::1", 5061),
        ({"outbound_proxy": "p.example"}, "tls", "p.example:5061", "p.example", 5061),
        ({"outbound_proxy": "p.example:5080"}, "udp", "p.example:5080", "p.example", 5080),
        ({"outbound_proxy": "[2001:db8::2]:5080"}, "udp", "[2001:db8::2]:5080", "2001:db8::2", 5080),
        ({"outbound_proxy": "p.example"}, "wss", "wss://sip.acme.example:8089/ws", "sip.acme.example", 8089),
        ({"websocket_url": "wss://w.example/sip"}, "wss", "wss://w.example/sip", "w.example", 443),
        ({"websocket_url": "ws://[::1]/sip"}, "ws", "ws://[::1]/sip", "::1", 80),
        ({"websocket_url": "ws://w.example/sip"}, "wss", ":443", "", 443),
    ],
)
def test_the_query_goes_where_the_phone_would_go(overrides, transport, shown, host, port):
    address = address_of(account(**overrides), Transport(transport))
    assert (str(address), address.host, address.port) == (shown, host, port)


HA1 = Secret(ha1("u", "acme", "pw"))
PW = (Secret("pw"),)


@pytest.mark.parametrize(
    ("proof", "transport", "passwords", "realm"),
    [
        (Proof.ASSUMED, "udp", (), "asterisk"),
        (Proof.ASSUMED, "ws", (Secret("no"),), "asterisk"),
        (Proof.ASSUMED, "udp", PW, "acme"),
        (Proof.ASSUMED, "tls", (), "acme"),
        (Proof.SEEN, "wss", (), "acme"),
        (Proof.PROVEN, "wss", (), "asterisk"),
    ],
)
def test_an_ha1_signs_for_another_realm_only_where_something_speaks_for_it(proof, transport, passwords, realm):
    credential = Credential("u", "asterisk", HA1, None, proof)
    chosen = to_sign_with(Challenge("acme", "n"), credential, Transport(transport), passwords)
    assert chosen == replace(credential, realm=realm)


def test_our_own_realm_and_a_mere_password_are_signed_with_as_they_are():
    for credential, realm in (
        (Credential("u", "asterisk", HA1, None, Proof.ASSUMED), "asterisk"),
        (Credential("u", "asterisk", None, Secret("pw"), Proof.PASSWORD), "acme"),
    ):
        assert to_sign_with(Challenge(realm, "n"), credential, Transport.UDP, ()) is credential


def trial(transport: str = "wss", status: int = 200, *, signed: bool = True, algorithm: str = "") -> Trial:
    challenge = Challenge("acme", "n", algorithm)
    response = Response(status, "", Headers())
    return Trial(Address(Transport(transport), "h", 1), (), challenge, signed, response=response)


@pytest.mark.parametrize(
    ("one", "realm"),
    [
        (trial("wss"), "acme"),
        (trial("tls"), "acme"),
        (trial("ws"), None),
        (trial("udp"), None),
        (trial("tcp"), None),
        (trial(status=403), None),
        (trial(status=401), None),
        (trial(signed=False), None),
        (trial(algorithm="SHA-256"), None),
        (trial(algorithm="MD5-SESS"), "acme"),
    ],
    ids=str,
)
def test_a_realm_is_shown_only_by_a_verified_server_that_took_the_hash(one: Trial, realm: str | None):
    assert realm_shown([one]) == realm


@pytest.mark.parametrize(
    ("one", "over"),
    [
        (trial(status=401), True),
        (trial(status=407), True),
        (trial(status=404), True),
        (trial(status=403), False),  # may be the transport alone
        (trial(status=503), False),
        (trial(), False),
        (trial(status=401, signed=False), False),
    ],
    ids=str,
)
def test_a_refusal_is_for_good_where_another_transport_would_not_help(one: Trial, over: bool):
    assert one.is_over is over
