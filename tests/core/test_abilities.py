"""What each phone can do, as told to programs and people."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from provisioner.core.abilities import abilities_table, on_wss_only, target_as_json
from tests.targets.stage import catalog, target


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


def test_the_table_has_one_row_a_phone_in_order():
    head, rule, *rows = abilities_table(catalog().targets.values()).split("\n")
    assert {line.count("|") for line in (head, rule, *rows)} == {10}
    assert [line.split("`")[1] for line in rows] == sorted(catalog().targets)


def test_a_row_says_what_the_phone_can_do():
    rows = abilities_table([target("twinkle"), target("json")]).split("\n")[2:]
    assert rows[1] == (
        "| Twinkle (1.10) | `twinkle` | udp, tcp | password | registers through the relay, cannot call | none | "
        "rfc4733, info, inband, auto | "
        "pcma, pcmu, gsm, g729, ilbc, g726-32, speex, speex/16000, speex/32000 | `~/.twinkle/softphone.cfg` |"
    )
    assert "| HA1 and password |" in rows[0]
    assert "| every one |" in rows[0]


def test_a_title_cannot_end_its_cell():
    row = abilities_table([replace(target("twinkle"), title="a|b\nc")]).split("\n")[2]
    assert row.startswith("| a\\|b c | `twinkle` |")
