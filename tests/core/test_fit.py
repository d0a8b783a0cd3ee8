"""What a phone cannot do is said before any file, every reason at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.core.account import Account, Credential, DtmfMode, MediaEncryption, Proof, Transport, Turn
from provisioner.core.fit import Choice, can_serve, fit
from provisioner.core.problem import ProvisionerError
from provisioner.core.secret import Secret
from tests.targets.stage import FOLDER, PAIRS, account, catalog, fitted, ha1, row, target

SENTINEL = "sentinel-4711"


def reasons(name: str, one: Account, **options: str) -> list[str]:
    with pytest.raises(ProvisionerError) as caught:
        fitted(name, one, **options)
    assert all(not problem.remark and str(problem.where).endswith(name) for problem in caught.value.problems)
    return [f"{problem.what} ({problem.fix})" for problem in caught.value.problems]


def remarks(name: str, one: Account, **options: str) -> list[str]:
    return [problem.what for problem in fitted(name, one, **options).remarks]


def credential(given: str) -> Credential:
    known = {"ha1": Secret(ha1()) if "ha1" in given else None, "password": Secret("pw") if "pw" in given else None}
    proof = {"ha1": Proof.ASSUMED, "pw": Proof.PASSWORD, "ha1 pw": Proof.PROVEN}[given]
    return Credential("1997", "asterisk", **known, proof=proof)


# --- transports


@pytest.mark.parametrize(("name", "transport"), PAIRS)
def test_each_phone_is_served_over_each_transport_it_has(name, transport):
    assert fitted(name, account(row(str(transport)))).transport is transport


@pytest.mark.parametrize(
    ("name", "allowed", "says"),
    [
        ("linphone", "wss", "linphone cannot register over wss; this peer allows only wss (ask the platform's "
         "administrator to add tls, or use jssip)"),
        ("baresip", "ws,wss", "baresip cannot register over ws and wss; this peer allows only ws and wss (ask the "
         "platform's administrator to add tls, or use jssip)"),
        ("twinkle", "tls", "twinkle cannot register over tls; this peer allows only tls (ask the platform's "
         "administrator to add tcp)"),
        ("browser-phone", "udp,ws", "browser-phone cannot register over udp and ws; this peer allows only udp and ws "
         "(ask the platform's administrator to add wss, or use jssip)"),
    ],
)  # fmt: skip
def test_a_transport_that_the_phone_lacks_is_said_with_what_would_help(name, allowed, says):
    one = account(row(allowed))
    others = [other for other in ("jssip",) if can_serve(one, target(other))]
    with pytest.raises(ProvisionerError) as caught:
        fit(one, target(name), Choice(FOLDER, {}), others)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("name", "allowed", "encrypted", "chosen"),
    [
        ("linphone", "wss,udp,tls", "no", "udp"),
        ("linphone", "tls,udp", "no", "tls"),
        ("jssip", "udp,ws,wss", "yes", "ws"),
        ("json", "wss,udp", "no", "wss"),
        ("twinkle", "tls,tcp,udp", "no", "tcp"),
    ],
)
def test_the_first_transport_of_the_peer_that_the_phone_has_is_taken(name, allowed, encrypted, chosen):
    assert fitted(name, account(row(allowed, encryption=encrypted))).transport == chosen


def test_alternatives_are_looked_at_only_when_they_are_needed():
    def nobody():
        raise AssertionError("looked at")
        yield ""

    assert fit(account(row()), target("jssip"), Choice(FOLDER, {}), nobody()).transport is Transport.WSS


def test_a_websocket_address_of_the_other_scheme_is_no_address():
    (reason,) = reasons("jssip", account(row(), websocket_url="ws://acme.example/ws"))
    assert "there is no wss address" in reason


# --- credentials


@pytest.mark.parametrize(
    ("name", "known", "taken"),
    [
        ("jssip", "ha1 pw", {"ha1"}), ("jssip", "ha1", {"ha1"}), ("jssip", "pw", {"password"}),
        ("sipjs", "ha1 pw", {"ha1"}), ("browser-phone", "ha1 pw", {"ha1"}), ("browser-phone", "pw", {"password"}),
        ("linphone", "ha1 pw", {"ha1"}), ("linphone", "ha1", {"ha1"}), ("linphone", "pw", {"password"}),
        ("baresip", "ha1 pw", {"password"}), ("twinkle", "pw", {"password"}), ("pjsua", "ha1 pw", {"password"}),
        ("json", "ha1 pw", {"ha1", "password"}), ("json", "ha1", {"ha1"}), ("json", "pw", {"password"}),
    ],
)  # fmt: skip
def test_a_phone_gets_the_best_credential_it_takes_and_json_all(name, known, taken):
    transport = next(iter(target(name).transports))
    one = replace(account(row(str(transport), encryption="no")), credential=credential(known))
    names = fitted(name, one).names
    assert {"ha1", "password"} & set(names) == taken
    assert names.get("ha1", Secret(ha1())) == Secret(ha1())
    assert names.get("password", Secret("pw")) == Secret("pw")


@pytest.mark.parametrize("name", [name for name, one in catalog().targets.items() if "ha1" not in one.credential])
def test_a_phone_that_needs_the_password_never_gets_the_hash(name):
    one = replace(account(row("udp")), credential=credential("ha1"))
    (reason,) = reasons(name, one)
    assert f"{name} needs the SIP password, and only its hash (HA1, for the realm `asterisk`) is known" in reason
    assert "realms" in reason


@pytest.mark.parametrize(
    ("answer", "login_password", "served"),
    [
        (row("udp"), "agent-password", True),
        (row("udp"), "another-password", False),
        (row("udp"), None, False),
        (row("udp", secret="pw"), None, True),
        (row("udp", md5secret="", secret="pw"), "another-password", True),
    ],
    ids=["proven", "not proven", "unknown", "secret beside the hash", "secret alone"],
)
def test_a_password_is_told_only_when_it_is_proven_or_the_platform_sent_it(answer, login_password, served):
    assert can_serve(account(answer, password=login_password), target("baresip")) is served


def test_an_assumed_realm_is_a_remark_and_a_proven_one_is_none():
    assert "the realm `asterisk` is assumed" in remarks("jssip", account(row(), password="another"))[0]
    assert remarks("jssip", account(row())) == []


# --- codecs


@pytest.mark.parametrize(
    ("name", "allow", "told", "left_out"),
    [
        ("jssip", "alaw;ulaw", ["audio/PCMA", "audio/PCMU"], None),
        ("jssip", "g729;opus;gsm;alaw", ["audio/opus", "audio/PCMA"], "g729, gsm"),
        ("baresip", "g722;h264;alaw", ["g722/16000/1", "pcma/8000/1"], "h264"),
        ("twinkle", "opus;ulaw", ["g711u"], "opus"),
        ("pjsua", "opus;alaw", ["opus/48000/2", "PCMA/8000/1"], None),
        ("json", "slin16;opus", ["l16/16000", "opus"], None),
    ],
)
def test_codecs_keep_their_order_and_what_the_phone_lacks_is_left_out_with_a_remark(name, allow, told, left_out):
    transport = next(iter(target(name).transports))
    one = account(row(str(transport), allow=allow, encryption="no"))
    assert fitted(name, one).names["codecs"] == told
    assert remarks(name, one) == ([f"{name} has no {left_out}: left out"] if left_out else [])


@pytest.mark.parametrize(("name", "allow"), [("jssip", "g729;gsm"), ("twinkle", "opus"), ("linphone", "slin16")])
def test_no_codec_at_all_is_a_problem(name, allow):
    transport = next(iter(target(name).transports))
    (reason,) = reasons(name, account(row(str(transport), allow=allow, encryption="no")))
    assert f"{name} has none of this account's audio codecs" in reason
    assert "pcma" in reason


def test_video_alone_is_no_codec_to_speak_with():
    one = replace(account(row()), codecs=("h264", "vp8"))
    assert "has none of this account's audio codecs" in reasons("jssip", one)[0]


def test_a_codec_named_twice_is_told_once():
    assert fitted("jssip", account(row(), codecs=("pcma", "pcma"))).names["codecs"] == ["audio/PCMA"]


# --- digits and encryption


@pytest.mark.parametrize(
    ("name", "mode", "word"),
    [
        ("jssip", "rfc4733", "RFC2833"), ("jssip", "info", "INFO"), ("jssip", "auto", "RFC2833"),
        ("linphone", "auto", {"use_rfc2833": 1, "use_info": 1}),
        ("linphone", "info", {"use_rfc2833": 0, "use_info": 1}),
        ("baresip", "auto", "rtpevent"), ("twinkle", "inband", "inband"), ("twinkle", "auto", "auto"),
        ("json", "inband", "inband"),
    ],
)  # fmt: skip
def test_digits_go_in_the_phones_own_words(name, mode, word):
    transport = next(iter(target(name).transports))
    one = account(row(str(transport), encryption="no"), dtmf=DtmfMode(mode))
    assert fitted(name, one).names["dtmf"] == word


@pytest.mark.parametrize(
    ("name", "mode"), [("jssip", "inband"), ("browser-phone", "info"), ("baresip", "info"), ("linphone", "inband")]
)
def test_digits_that_a_phone_cannot_send_are_a_problem_and_never_something_else(name, mode):
    transport = next(iter(target(name).transports))
    (reason,) = reasons(name, account(row(str(transport)), dtmf=DtmfMode(mode)))
    assert f"{name} cannot send digits as {mode}" in reason


@pytest.mark.parametrize(
    ("name", "transport", "encryption", "chosen", "word"),
    [
        ("jssip", "wss", "yes", None, "dtls"), ("jssip", "ws", "no", None, "dtls"),
        ("linphone", "udp", "no", None, {"method": "none", "mandatory": 0}),
        ("linphone", "udp", "yes", None, {"method": "srtp", "mandatory": 1}),
        ("linphone", "tls", "yes", "dtls", {"method": "dtls", "mandatory": 1}),
        ("baresip", "udp", "no", None, ""), ("baresip", "tls", "yes", None, "srtp-mand"),
        ("pjsua", "tcp", "yes", None, "sdes"),
        ("json", "wss", "no", "sdes", "sdes"),
    ],
)  # fmt: skip
def test_encryption_follows_the_transport_the_peer_and_what_it_chose(name, transport, encryption, chosen, word):
    chosen = MediaEncryption(chosen) if chosen else None
    one = account(row(transport, encryption=encryption), media_encryption=chosen)
    assert fitted(name, one).names["media_encryption"] == word


@pytest.mark.parametrize(
    ("name", "transport", "encryption", "chosen", "says"),
    [
        ("twinkle", "udp", "yes", None, "twinkle cannot encrypt audio by sdes over udp"),
        ("jssip", "wss", "yes", "sdes", "jssip cannot encrypt audio by sdes over wss"),
        ("jssip", "wss", "yes", "none", "jssip cannot leave audio unencrypted over wss"),
    ],
)
def test_encryption_that_a_phone_lacks_is_a_problem(name, transport, encryption, chosen, says):
    chosen = MediaEncryption(chosen) if chosen else None
    (reason,) = reasons(name, account(row(transport, encryption=encryption), media_encryption=chosen))
    assert says in reason


def test_audio_left_open_against_the_platforms_wish_is_remarked():
    one = account(row("tls", encryption="yes"), media_encryption=MediaEncryption.NONE)
    assert "the platform demands encrypted audio" in remarks("linphone", one)[0]


# --- options, addresses, characters


def test_an_option_that_does_not_exist_and_a_value_that_cannot_be_are_both_said():
    found = reasons("jssip", account(row()), sesion_timers="yes", rtcp_mux="maybe")
    assert "jssip has no option `sesion_timers` (did you mean `session_timers`?)" in found
    assert "the option `rtcp_mux` cannot be `maybe` (one of: require, negotiate)" in found


def test_an_option_not_given_has_its_default():
    assert fitted("jssip", account(row()), rtcp_mux="negotiate").names["options"] == {
        "session_timers": "no", "rtcp_mux": "negotiate",
    }  # fmt: skip


ROLES = ("domain", "server", "outbound_proxy", "stun", "turn", "websocket")
HOSTS = ("a;b", "a b", "a>b", "a\nb", "a@b", "", "a/b", "a?b", "[::1", 'a"', "a,b", "é")


@pytest.mark.parametrize(
    ("role", "host"),
    # No outbound proxy is none, and not a wrong one.
    [(role, host) for role in ROLES for host in HOSTS if host or role != "outbound_proxy"],
)
def test_what_is_no_address_becomes_part_of_none(role, host):
    one = account(row("udp" if role == "outbound_proxy" else "wss"))
    changed = {
        "stun": {"stun": (host,)},
        "turn": {"turn": (Turn(host, "udp", "u", Secret("p")),)},
        "websocket": {"websocket_urls": {Transport.WSS: f"wss://{host} x"}},
    }.get(role, {role: host})
    found = reasons("json", replace(one, **changed))
    assert any("is no address" in reason for reason in found)


@pytest.mark.parametrize("host", ["acme.example", "10.0.0.1", "[2001:db8::1]", "a_b-c.example", "localhost"])
def test_addresses_are_taken(host):
    assert fitted("json", replace(account(row("tls")), domain=host, server=host)).names["server"] == host


def test_over_a_websocket_no_outbound_proxy_is_told():
    one = account(row(), outbound_proxy="proxy.acme.example")
    assert "the outbound proxy is not told" in remarks("jssip", one)[0]
    assert fitted("jssip", one).names["outbound_proxy_uri"] == ""


@pytest.mark.parametrize(
    ("language", "told", "remarked"),
    [("es", "es", False), ("pt-BR", "pt-BR", False), ("", "", False), ("es;x=1", "", True), ("e", "", True)],
)
def test_a_language_that_is_none_is_left_out_with_a_remark(language, told, remarked):
    one = account(row(language=language))
    assert fitted("jssip", one).names["language"] == told
    assert bool(remarks("jssip", one)) is remarked


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("jssip", {"display_name": "a\u2028b"}, "jssip cannot hold U+2028 in `display_name`"),
        ("jssip", {"name": "19\n97"}, "jssip cannot hold U+000A in `name`"),
        ("twinkle", {"name": "19@97"}, "twinkle cannot hold U+0040 in `name`"),
        ("browser-phone", {"display_name": "<b>"}, "browser-phone cannot hold U+003C in `display_name`"),
        ("browser-phone", {"display_name": "x" * 201}, "browser-phone holds at most 200 bytes in `display_name`"),
    ],
)
def test_what_a_phone_cannot_hold_is_said_by_name_and_code_point(name, change, says):
    transport = next(iter(target(name).transports))
    found = reasons(name, replace(account(row(str(transport), encryption="no")), **change))
    assert len(found) == 1
    assert says in found[0]


def test_no_character_of_a_password_is_shown():
    one = replace(account(row("udp")), credential=replace(credential("pw"), password=Secret(f'{SENTINEL}"')))
    (reason,) = reasons("baresip", one)
    assert "baresip cannot hold a character in `password`" in reason
    assert SENTINEL not in reason
    assert "0022" not in reason


def test_every_reason_is_given_at_once():
    one = replace(account(row("wss", allow="g729"), dtmf=DtmfMode.INBAND), credential=credential("ha1"))
    found = "\n".join(reasons("pjsua", replace(one, codecs=("g723",), display_name="a\0b"), nonsense="1"))
    for part in ("cannot register over wss", "needs the SIP password", "none of this account's audio codecs",
                 "cannot send digits as inband", "U+0000 in `display_name`", "no option `nonsense`"):  # fmt: skip
        assert part in found
