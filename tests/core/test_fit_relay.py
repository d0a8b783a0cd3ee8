"""A phone that cannot speak WebSocket goes through the relay, or it is said beforehand why that would not help."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.core.account import Account, MediaEncryption, Transport, Turn
from provisioner.core.fit import Choice, can_serve, fit
from provisioner.core.problem import ProvisionerError
from provisioner.core.relay_way import RelayMode, RelayWay
from provisioner.core.secret import Secret
from tests.core.test_fit import credential
from tests.targets.stage import FOLDER, account, row, target

WAY = RelayWay(25060)
PASSING = RelayWay(25060, RelayMode.PASS)


def refusals(name: str, one: Account, choice: Choice, *others: str) -> list[str]:
    with pytest.raises(ProvisionerError) as caught:
        fit(one, target(name), choice, others)
    return [f"{problem.what} ({problem.fix})" for problem in caught.value.problems]


@pytest.mark.parametrize("name", ["linphone", "baresip"])
def test_a_phone_without_websocket_goes_through_the_relay(name):
    found = fit(account(row()), target(name), Choice(FOLDER, {}, relay=WAY))
    assert (found.transport, found.relay, found.remarks) == (Transport.WSS, WAY, ())
    names = found.names
    assert (names["server"], names["port"], names["transport"]) == ("127.0.0.1", 25060, "tcp")
    assert names["registrar"] == "sip:127.0.0.1:25060;transport=tcp"
    assert (names["domain"], names["aor"]) == ("acme.ucontactcloud.com", "sip:1997@acme.ucontactcloud.com")
    assert (names["elsewhere"], names["relayed"], names["websocket_url"]) == (True, True, "")
    assert names["media_encryption"] == target(name).media_encryption[MediaEncryption.DTLS]
    assert names["stun"] == ["stun.ucontactcloud.com:3478"]


@pytest.mark.parametrize(
    ("name", "allowed"), [("jssip", "wss"), ("json", "wss"), ("linphone", "wss,tls"), ("linphone", "udp")]
)
def test_a_phone_that_can_go_by_itself_does(name, allowed):
    one = account(row(allowed, encryption="yes"))
    found = fit(one, target(name), Choice(FOLDER, {}, relay=WAY))
    assert (found.relay, found.names["relayed"]) == (None, False)
    assert found == fit(one, target(name), Choice(FOLDER, {}))


@pytest.mark.parametrize("known", ["ha1", "pw", "ha1 pw"])
@pytest.mark.parametrize("name", ["linphone", "baresip"])
def test_the_relay_answers_and_the_phone_is_told_no_secret(name, known):
    one = replace(account(row()), credential=credential(known))
    names = fit(one, target(name), Choice(FOLDER, {}, relay=WAY)).names
    assert not {"ha1", "password"} & set(names)
    assert not any(isinstance(value, Secret) for value in names.values())


@pytest.mark.parametrize(
    ("name", "known", "taken"),
    [("linphone", "ha1 pw", "ha1"), ("linphone", "pw", "password"), ("baresip", "ha1 pw", "password")],
)
def test_where_the_relay_passes_the_phone_has_its_credential_as_ever(name, known, taken):
    one = replace(account(row()), credential=credential(known))
    names = fit(one, target(name), Choice(FOLDER, {}, relay=PASSING)).names
    assert {"ha1", "password"} & set(names) == {taken}


def test_where_the_relay_passes_a_phone_still_needs_what_it_needs():
    one = replace(account(row()), credential=credential("ha1"))
    (reason,) = refusals("baresip", one, Choice(FOLDER, {}, relay=PASSING))
    assert "baresip needs the SIP password" in reason


@pytest.mark.parametrize("way", [WAY, PASSING])
def test_an_assumed_realm_is_remarked_whoever_answers(way):
    one = replace(account(row()), credential=credential("ha1"))
    (remark,) = fit(one, target("linphone"), Choice(FOLDER, {}, relay=way)).remarks
    assert "the realm `asterisk` is assumed" in remark.what


@pytest.mark.parametrize("way", [WAY, None])
def test_a_phone_that_cannot_call_there_is_refused_and_told_why_with_or_without_a_relay(way):
    (reason,) = refusals("twinkle", account(row()), Choice(FOLDER, {}, relay=way), "linphone", "jssip")
    assert reason == (
        "twinkle registers through the relay, but calls would be refused (488) or silent: it has no DTLS-SRTP, ICE, "
        "rtcp-mux (`account: {media_encryption: none}` writes its files all the same, or use linphone or jssip)"
    )


def test_who_insists_gets_the_files_of_a_phone_that_only_registers():
    one = account(row(), media_encryption=MediaEncryption.NONE)
    found = fit(one, target("twinkle"), Choice(FOLDER, {}, relay=WAY))
    assert [problem.what for problem in found.remarks] == [
        "twinkle registers, but calls in clear are refused (488) where the server expects a browser"
    ]
    assert (found.names["transport"], found.names["stun"], found.names["turn"]) == ("tcp", [], [])


@pytest.mark.parametrize("without", ["ice", "rtcp-mux"])
def test_what_a_call_needs_beside_encryption_is_asked_for_too(without):
    one = target("linphone")
    one = replace(one, relay=one.relay - {without})
    with pytest.raises(ProvisionerError) as caught:
        fit(account(row()), one, Choice(FOLDER, {}, relay=WAY))
    assert caught.value.problems[0].what.endswith(f"it has no {without.replace('ice', 'ICE')}")


@pytest.mark.parametrize(
    ("stun", "turn", "remarked"),
    [
        ((), (), True),
        (("stun.example",), (), False),
        ((), (Turn("turn.example", "udp", "u", Secret("p")),), False),
    ],
)
def test_no_stun_server_is_remarked(stun, turn, remarked):
    found = fit(replace(account(row()), stun=stun, turn=turn), target("linphone"), Choice(FOLDER, {}, relay=WAY))
    assert [problem.what for problem in found.remarks] == (
        ["no STUN server is told to linphone: behind NAT its calls would be silent"] if remarked else []
    )


def test_without_a_relay_a_phone_is_refused_as_ever():
    (reason,) = refusals("linphone", account(row()), Choice(FOLDER, {}))
    assert reason == (
        "linphone cannot register over wss; this peer allows only wss (ask the platform's administrator to add tls)"
    )


@pytest.mark.parametrize("way", [WAY, None])
def test_a_relay_that_is_off_is_not_used_and_named_as_the_cure(way):
    (reason,) = refusals("linphone", account(row()), Choice(FOLDER, {}, relay=way, relay_off=True), "jssip")
    assert reason == (
        "linphone cannot register over wss; this peer allows only wss (ask the platform's administrator to add tls, "
        "or use jssip, or remove `relay: off`: then the relay carries it over wss)"
    )


@pytest.mark.parametrize("name", ["twinkle", "pjsua"])
def test_the_relay_is_no_cure_for_phones_that_could_not_call_through_it(name):
    found = refusals(name, account(row()), Choice(FOLDER, {}, relay_off=True))
    assert not any("relay" in reason for reason in found)


def test_only_a_verified_websocket_is_used_by_the_relay():
    (reason,) = refusals("linphone", account(row("ws")), Choice(FOLDER, {}, relay=WAY))
    assert "linphone cannot register over ws" in reason
    (reason,) = refusals(
        "linphone", account(row(), websocket_url="ws://acme.example/ws"), Choice(FOLDER, {}, relay=WAY)
    )
    assert "there is no wss address" in reason


def test_phones_that_the_relay_serves_are_among_those_to_suggest():
    assert can_serve(account(row()), target("linphone"), WAY)
    assert not can_serve(account(row()), target("linphone"))
    assert not can_serve(account(row()), target("twinkle"), WAY)


@pytest.mark.parametrize(
    ("allowed", "choice", "hinted"),
    [
        ("udp,wss", Choice(FOLDER, {}, relay=WAY), True),
        ("udp", Choice(FOLDER, {}, relay=WAY), False),
        # As long as no phone needs a relay, the service opens none.
        ("udp,wss", Choice(FOLDER, {}), True),
        ("udp,wss", Choice(FOLDER, {}, relay=WAY, relay_off=True), False),
    ],
)
def test_a_phone_that_lacks_the_password_is_shown_the_relay_where_there_is_a_way(allowed, choice, hinted):
    one = replace(account(row(allowed, encryption="no")), credential=credential("ha1"))
    (reason,) = refusals("baresip", one, choice)
    assert "baresip needs the SIP password" in reason
    assert ("`account: {transport: wss}`, and the relay answers" in reason) is hinted
