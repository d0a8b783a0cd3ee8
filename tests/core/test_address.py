"""Addresses and their parts as phones ask for them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.core.account import Transport, Turn
from provisioner.core.address import ice_servers, websocket_parts, wrong_addresses
from provisioner.core.secret import Secret
from tests.targets.stage import account, row


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("wss://acme.example:8089/ws", "acme.example", 8089, "/ws"),
        ("wss://acme.example/asterisk/ws", "acme.example", 443, "/asterisk/ws"),
        ("ws://acme.example/ws", "acme.example", 80, "/ws"),
        ("wss://[2001:db8::1]:8089/ws", "[2001:db8::1]", 8089, "/ws"),
        ("wss://[2001:db8::1]/ws", "[2001:db8::1]", 443, "/ws"),
        ("wss://acme.example", "acme.example", 443, ""),
    ],
)
def test_a_websocket_has_host_port_and_path(url, host, port, path):
    assert websocket_parts(url) == {"websocket_host": host, "websocket_port": port, "websocket_path": path}


@pytest.mark.parametrize(
    ("transport", "uri"),
    [
        ("udp", "turn:turn.acme.example:3478?transport=udp"),
        ("tcp", "turn:turn.acme.example:3478?transport=tcp"),
        ("tls", "turns:turn.acme.example:3478?transport=tcp"),
    ],
)
def test_browsers_get_stun_and_turn_in_their_form(transport, uri):
    turn = Turn("turn.acme.example:3478", transport, "phones", Secret("pw"))
    told = ice_servers(replace(account(row()), stun=("stun.acme.example",), turn=(turn,)))
    assert told == [
        {"urls": "stun:stun.acme.example"},
        {"urls": uri, "username": "phones", "credential": Secret("pw")},
    ]


def test_each_wrong_address_is_said_with_its_role():
    turn = Turn("a b", "udp", "u", Secret("p"))
    one = replace(account(row()), domain="a;b", server="", outbound_proxy="a:b", stun=("a/b", "fine"), turn=(turn,))
    assert list(wrong_addresses(one, Transport.WSS)) == [
        ("domain", "a;b"), ("server", ""), ("outbound proxy", "a:b"), ("STUN server", "a/b"), ("TURN server", "a b"),
    ]  # fmt: skip
