"""What each phone can do, as told to programs and people."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from provisioner.core.abilities import on_wss_only, target_as_json
from tests.targets.stage import target


def test_a_program_gets_all_that_the_manifest_promises():
    told = target_as_json(replace(target("linphone"), tried_with=("Linphone 5.1.65",)))
    assert json.loads(json.dumps(told)) == told
    assert told["name"] == "linphone"
    assert told["transports"] == ["udp", "tcp", "tls"]
    assert (told["wss_only"], told["relay"]) == ("through the relay", ["route", "ice", "rtcp-mux", "stun"])
    assert told["credential"] == ["ha1", "password"]
    assert told["media_encryption"] == ["none", "sdes", "dtls"]
    assert told["dtmf"] == ["rfc4733", "info", "auto"]
    assert told["codecs"][:2] == ["opus", "pcma"]
    assert told["options"]["ice"]["values"] == ["no", "yes"]
    assert told["files"] == [
        {"path": ".config/linphone/provisioning.xml", "mode": "0600", "once": False},
        {"path": ".config/linphone/linphonerc", "mode": "0600", "once": True},
    ]
    assert (told["folders"], told["tried_with"]) == ([".local/share/linphone"], ["Linphone 5.1.65"])


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("jssip", "by itself"),
        ("json", "by itself"),
        ("linphone", "through the relay"),
        ("baresip", "through the relay"),
        ("twinkle", "registers through the relay, cannot call"),
        ("pjsua", "no"),
    ],
)
def test_the_way_to_an_account_with_wss_only_is_told(name, way):
    assert on_wss_only(target(name)) == way
