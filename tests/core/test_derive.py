"""From the server's row and IT's wishes to what a phone is told."""

import hashlib
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.account import Account, DtmfMode, MediaEncryption, Proof, Transport
from provisioner.core.derive import Secrets, account_of, display_name, dtmf_mode, is_true, transport_list
from provisioner.core.password_source import FromEnv
from provisioner.core.peer import Peer
from provisioner.core.problem import Problem, ProvisionerError
from provisioner.core.secret import Secret
from provisioner.core.settings import Platform, TurnServer
from tests.examples import MANY, PLATFORM, agent, peer

CLOUD = replace(PLATFORM, url="https://acme.ucontactcloud.com")
UDP, TCP, TLS, WS, WSS = Transport.UDP, Transport.TCP, Transport.TLS, Transport.WS, Transport.WSS


def account(of: Peer, platform: Platform = PLATFORM, secrets: Secrets | None = None, **overrides: Any) -> Account:
    return account_of(of, agent(**overrides), platform, secrets or Secrets())[0]


def remarks(of: Peer, platform: Platform = PLATFORM, secrets: Secrets | None = None, **overrides: Any) -> list[str]:
    found = account_of(of, agent(**overrides), platform, secrets or Secrets())[1]
    assert all(problem.remark for problem in found)
    return [problem.what for problem in found]


def refusal(of: Peer, platform: Platform = PLATFORM, **overrides: Any) -> tuple[Problem, ...]:
    with pytest.raises(ProvisionerError) as caught:
        account(of, platform, **overrides)
    return caught.value.problems


@pytest.mark.parametrize(
    ("word", "mode"),
    [
        ("rfc2833", DtmfMode.RFC4733), ("RFC2833", DtmfMode.RFC4733), ("rfc4733", DtmfMode.RFC4733),
        ("", DtmfMode.RFC4733), (" ", DtmfMode.RFC4733), ("info", DtmfMode.INFO), ("shortinfo", DtmfMode.INFO),
        ("dtmf_info", DtmfMode.INFO), ("inband", DtmfMode.INBAND), (" Inband ", DtmfMode.INBAND),
        ("auto", DtmfMode.AUTO), ("auto_info", DtmfMode.AUTO), ("rfc", None), ("none", None), ("yes", None),
    ],
)  # fmt: skip
def test_a_dtmf_mode_has_asterisks_words(word, mode):
    assert dtmf_mode(word) is mode


def test_an_unknown_dtmf_mode_is_what_asterisk_makes_of_it_and_told():
    odd = peer(dtmfmode="smoke")
    assert account(odd).dtmf is DtmfMode.RFC4733
    assert any("'smoke'" in remark for remark in remarks(odd))
    assert account(odd, dtmf=DtmfMode.INFO).dtmf is DtmfMode.INFO
    assert remarks(odd, dtmf=DtmfMode.INFO) == []


@pytest.mark.parametrize(
    ("text", "transports", "unknown"),
    [
        ("wss", (WSS,), ()),
        ("udp,tcp", (UDP, TCP), ()),
        ("tcp,udp", (TCP, UDP), ()),
        ("wss,ws,udp", (WSS, WS, UDP), ()),
        (" WSS , Tls ", (WSS, TLS), ()),
        ("udp;tls|tcp", (UDP, TLS, TCP), ()),
        ("udp,udp", (UDP,), ()),
        ("udp4,tls1", (UDP, TLS), ()),
        ("", (UDP,), ()),
        (" ", (UDP,), ()),
        (",,", (UDP,), ()),
        ("sctp", (), ("sctp",)),
        ("sctp,wss", (WSS,), ("sctp",)),
    ],
)
def test_a_transport_list_is_in_the_servers_order(text, transports, unknown):
    assert transport_list(text) == (transports, unknown)


@pytest.mark.parametrize("word", ["yes", "true", "y", "t", "1", "on", "YES", " On "])
def test_asterisks_true_words_demand_srtp(word):
    assert is_true(word)
    assert account(peer(encryption=word)).encrypted


@pytest.mark.parametrize("word", ["no", "false", "n", "f", "0", "off", "", " ", "2", "yess", "ja"])
def test_every_other_word_is_false(word):
    assert not is_true(word)
    assert not account(peer(encryption=word)).encrypted


@pytest.mark.parametrize("value", [True, 1, 1.0])
def test_encryption_may_come_as_a_number(value):
    assert account(peer(encryption=value)).encrypted


@pytest.mark.parametrize(
    ("host", "configured", "overridden", "domain"),
    [
        ("sip.acme.example", None, None, "sip.acme.example"),
        ("", None, None, "acme.example"),
        (" ", None, None, "acme.example"),
        ("dynamic", None, None, "acme.example"),
        (" Dynamic ", None, None, "acme.example"),
        (None, None, None, "acme.example"),
        ("10.0.0.5", None, None, "10.0.0.5"),
        ("[2001:db8::1]", None, None, "[2001:db8::1]"),
        ("2001:db8::1", None, None, "[2001:db8::1]"),
        ("sip.acme.example", "other.example", None, "other.example"),
        ("sip.acme.example", "other.example", "mine.example", "mine.example"),
        ("not a host", "other.example", None, "other.example"),
    ],
)
def test_the_domain_is_the_most_particular_that_was_told(host, configured, overridden, domain):
    found = account(peer(host=host), replace(PLATFORM, domain=configured), domain=overridden)
    assert (found.domain, found.server) == (domain, domain)
    assert found.websocket_urls[WSS] == f"wss://{domain}:8089/ws"


@pytest.mark.parametrize(
    "host", ["not a host", "a..b", "a/b", "a\nb", "a:5060", "::x", "1:2:3", "<script>", "-a", "ñ.example", "a,b"]
)
def test_a_host_that_is_none_is_a_problem(host):
    problems = refusal(peer(host=host))
    assert [problem.what for problem in problems] == ["the platform's `host` is not a host name"]
    assert problems[0].fix


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"fullname": "Marta Ruiz", "callerid": '"M" <1>', "accountcode": "marta"}, "Marta Ruiz"),
        ({"fullname": " ", "callerid": '"M R" <1>', "accountcode": "marta"}, "M R"),
        ({"callerid": "M R <1>"}, "M R"),
        ({"callerid": "M R"}, "M R"),
        ({"callerid": "1997", "accountcode": "marta"}, "marta"),
        ({"callerid": "<1997>", "accountcode": "marta"}, "marta"),
        ({"callerid": "*98#"}, "1997"),
        ({}, "1997"),
    ],
)
def test_the_display_name_is_the_best_that_there_is(row, name):
    assert display_name(peer(**row)) == name
    assert account(peer(**row)).display_name == name


@given(st.text(max_size=200))
def test_no_caller_id_raises(text):
    assert display_name(peer(callerid=text))


def test_a_hostile_caller_id_comes_to_an_end():
    assert display_name(peer(callerid="<" + " " * MANY + "x" + "<1" + " " * MANY + "x"))


@pytest.mark.parametrize(
    ("overrides", "field", "value"),
    [
        ({"name": "7001"}, "name", "7001"),
        ({"display_name": "Ana"}, "display_name", "Ana"),
        ({"server": "edge.example"}, "server", "edge.example"),
        ({"port": 5099}, "ports", {UDP: 5099, TCP: 5099, TLS: 5099}),
        ({"codecs": ("opus",)}, "codecs", ("opus",)),
        ({"dtmf": DtmfMode.INBAND}, "dtmf", DtmfMode.INBAND),
        ({"media_encryption": MediaEncryption.DTLS}, "media_encryption", MediaEncryption.DTLS),
        ({"outbound_proxy": "proxy.example:5060"}, "outbound_proxy", "proxy.example:5060"),
        ({"expires": 120}, "expires", 120),
        ({"language": "pt-BR"}, "language", "pt-BR"),
        ({"transport": WSS}, "transports", (WSS,)),
        ({"websocket_url": "ws://a.example/x"}, "websocket_urls", {WS: "ws://a.example/x"}),
        ({}, "name", "1997"),
        ({}, "ports", {UDP: 5060, TCP: 5060, TLS: 5061}),
        ({}, "codecs", ("pcma", "pcmu")),
        ({}, "media_encryption", None),
        ({}, "outbound_proxy", ""),
        ({}, "expires", 600),
        ({}, "language", "es"),
        ({}, "websocket_urls", {WS: "ws://sip.acme.example:8088/ws", WSS: "wss://sip.acme.example:8089/ws"}),
    ],
)
def test_what_it_wants_replaces_what_the_platform_says(overrides, field, value):
    assert getattr(account(peer(language="es"), **overrides), field) == value


def test_another_name_for_the_phone_leaves_the_name_that_the_hash_was_made_with():
    assert account(peer(), name="7001").credential.user == "1997"


def test_the_websocket_is_where_the_platform_has_it():
    platform = replace(PLATFORM, websocket_host="ws.example", websocket_port=443, websocket_path="/asterisk/ws")
    assert account(peer(), platform).websocket_urls[WSS] == "wss://ws.example:443/asterisk/ws"


def test_a_transport_that_the_platform_does_not_allow_is_a_problem():
    (problem,) = refusal(peer(transport="wss,ws"), transport=UDP)
    assert "wss, ws" in problem.what
    assert "403" in problem.what
    assert "add udp" in problem.fix


@pytest.mark.parametrize("elsewhere", [{"server": "sbc.example"}, {"outbound_proxy": "sbc.example:5060"}])
def test_another_server_may_allow_what_the_platform_does_not(elsewhere):
    assert account(peer(transport="wss"), transport=UDP, **elsewhere).transports == (UDP,)


def test_no_transport_that_exists_is_a_problem_whose_advice_works():
    odd = peer(transport="sctp")
    problems = [problem for problem in refusal(odd) if not problem.remark]
    assert [problem.fix for problem in problems] == ["set `account: {transport: …}`"]
    assert account(odd, transport=UDP).transports == (UDP,)


def test_an_unknown_word_among_the_transports_is_told():
    assert any("'sctp'" in remark for remark in remarks(peer(transport="sctp,wss")))


def test_unknown_codecs_are_told_and_no_audio_is_a_problem_whose_advice_works():
    assert any("'evs'" in remark for remark in remarks(peer(allow="evs;alaw")))
    silent = peer(allow="h264;vp8")
    assert [problem.what for problem in refusal(silent)] == ["the platform allows this agent no audio codec"]
    assert account(silent, codecs=("pcma", "pcmu")).codecs == ("pcma", "pcmu")


def test_every_reason_is_told_at_once():
    problems = refusal(peer(secret="", host="a b", allow="", transport="sctp"))
    assert len([problem for problem in problems if not problem.remark]) == 4
    assert all("marta" in str(problem) and problem.fix for problem in problems if not problem.remark)


def ha1(realm: str, password: str = "pw") -> str:
    return hashlib.md5(f"1997:{realm}:{password}".encode()).hexdigest()


@pytest.mark.parametrize("domain", [None, "pbx.acme.example"])
@pytest.mark.parametrize("realm", ["asterisk", "sip.acme.example", "acme.example", "Own", "first", "second", "seen"])
def test_the_usual_realms_are_tried(realm, domain):
    platform = replace(PLATFORM, realm="Own", realms=("first", "second"), domain=domain)
    found = account(peer(secret="", md5secret=ha1(realm)), platform, Secrets(Secret("pw"), (), "seen")).credential
    assert (found.realm, found.proof) == (realm, Proof.PROVEN)
    assert found.password == Secret("pw")


@pytest.mark.parametrize(
    ("configured", "seen", "realms", "overridden", "assumed"),
    [
        (None, None, (), None, "asterisk"),
        (None, None, ("first", "second"), None, "first"),
        (None, "seen", ("first",), None, "seen"),
        ("Own", "seen", ("first",), None, "Own"),
        ("Own", "seen", ("first",), "Mine", "Mine"),
    ],
)
def test_a_realm_that_nothing_proves_is_assumed_in_this_order(configured, seen, realms, overridden, assumed):
    platform = replace(PLATFORM, realm=configured, realms=realms)
    secrets = Secrets(Secret("pw"), (), seen)
    found = account(peer(secret="", md5secret="ab" * 16), platform, secrets, realm=overridden).credential
    proof = Proof.SEEN if assumed == seen else Proof.ASSUMED
    assert (found.realm, found.proof, found.password) == (assumed, proof, None)


def test_a_realm_that_the_hash_disproves_is_told():
    platform = replace(PLATFORM, realm="Own")
    proven = peer(secret="", md5secret=ha1("asterisk"))
    assert any(
        "`Own`" in remark and "`asterisk`" in remark for remark in remarks(proven, platform, Secrets(Secret("pw")))
    )
    assert remarks(peer(secret="", md5secret=ha1("Own")), platform, Secrets(Secret("pw"))) == []


@pytest.mark.parametrize(
    ("platform", "host", "stun"),
    [
        (CLOUD, "acme.ucontactcloud.com", ("stun.ucontactcloud.com:3478",)),
        (CLOUD, "sip.acme.example", ("stun.ucontactcloud.com:3478",)),
        (PLATFORM, "ACME.ucontactcloud.com", ("stun.ucontactcloud.com:3478",)),
        (PLATFORM, "sip.acme.example", ()),
        (PLATFORM, "evilucontactcloud.com", ()),
        (replace(CLOUD, stun=()), "acme.ucontactcloud.com", ()),
        (replace(CLOUD, stun=("stun.example:3479",)), "acme.ucontactcloud.com", ("stun.example:3479",)),
    ],
)
def test_the_stun_server_is_the_clouds_own_or_the_configured_one(platform, host, stun):
    assert account(peer(host=host), platform).stun == stun


def test_a_turn_server_has_the_password_that_was_read_for_it():
    platform = replace(PLATFORM, turn=(TurnServer("turn.example:3478", "tcp", "u", FromEnv("TURN")),))
    (turn,) = account(peer(), platform, Secrets(None, (Secret("tp"),))).turn
    assert (turn.server, turn.transport, turn.user, turn.password) == ("turn.example:3478", "tcp", "u", Secret("tp"))


def test_nothing_of_the_servers_view_reaches_the_account():
    server = {
        "port": "59999", "nat": "zz-nat", "qualify": "zz-qualify", "outboundproxy": "zz-proxy.example",
        "type": "zz-type", "context": "zz-context", "mailbox": "zz-mailbox", "insecure": "zz-insecure",
        "canreinvite": "zz-reinvite",
        "subscribecontext": "zz-sub", "token": "zz-token", "defaultuser": "zz-default", "record": "zz-record",
    }  # fmt: skip
    told = account(peer(**server))
    assert told == account(peer())
    text = "".join(repr(getattr(told, field.name)) for field in fields(told))
    assert "zz-" not in text
    assert "59999" not in text


COLUMNS = ("host", "callerid", "transport", "allow", "disallow", "dtmfmode", "encryption", "fullname")
WORDS = st.one_of(st.none(), st.text(max_size=40), st.integers(), st.booleans())


@given(
    st.fixed_dictionaries(dict.fromkeys(COLUMNS, WORDS)),
    WORDS,
)
def test_no_row_raises_anything_but_problems(row, secret):
    try:
        account(peer(**row, secret=secret))
    except ProvisionerError as error:
        assert any(not problem.remark for problem in error.problems)
