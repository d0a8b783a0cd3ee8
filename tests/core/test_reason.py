"""What a change costs, as a table: a login, a rendering, or nothing."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.core.account import DtmfMode, MediaEncryption, Transport
from provisioner.core.password_source import FromEnv, FromFile
from provisioner.core.problem import Place
from provisioner.core.reason import Identity, Reason, Wanted, back_off, identity_of, reason, same_login
from provisioner.core.relay_way import RelayMode, RelayPolicy
from provisioner.core.secret import Secret
from provisioner.core.session import HeldSession
from provisioner.core.settings import Overrides, ReloadPolicy, TargetChoice, TurnServer
from tests.examples import wanted
from tests.tries import TRIES

OLD = wanted()
HELD = OLD.identity


def with_agent(**changes: Any) -> Wanted:
    return replace(OLD, agent=replace(OLD.agent, **changes))


def with_platform(**changes: Any) -> Wanted:
    return replace(OLD, platform=replace(OLD.platform, **changes))


def with_account(**changes: Any) -> Wanted:
    return with_agent(overrides=replace(OLD.agent.overrides, **changes))


@pytest.mark.parametrize(
    ("what", "new", "expected"),
    [
        ("another address", wanted(platform=replace(OLD.platform, url="https://other.example")), Reason.LOG_IN),
        ("another password", wanted(mark="new"), Reason.LOG_IN),
        ("another login", wanted(login="pedro"), Reason.LOG_IN),
        ("nothing", wanted(), Reason.NOTHING),
        ("the password moved to a file", with_agent(password=FromFile("/etc/marta")), Reason.NOTHING),
        ("other workstations", with_agent(workstations=("ws-*",)), Reason.NOTHING),
        ("the agent is at another line", with_agent(place=Place("b.yaml", 9, 1)), Reason.NOTHING),
        ("another CA file, which phones have in their files", with_platform(ca_file="/etc/acme.pem"), Reason.RENDER),
        ("other time limits", with_platform(connect_timeout=1.0, timeout=2.0), Reason.NOTHING),
        ("the password cannot be read now", wanted(mark=""), Reason.RENDER),
        ("another realm", with_platform(realm="acme"), Reason.RENDER),
        ("other realms", with_platform(realms=("a", "b")), Reason.RENDER),
        ("another domain", with_platform(domain="sip.example"), Reason.RENDER),
        ("another port", with_platform(ports={Transport.TLS: 443}), Reason.RENDER),
        ("another WebSocket path", with_platform(websocket_path="/x"), Reason.RENDER),
        ("STUN", with_platform(stun=("stun.example",)), Reason.RENDER),
        ("TURN", with_platform(turn=(TurnServer("t.example", "udp", "u", FromEnv("T")),)), Reason.RENDER),
        ("another home", with_agent(home="/srv/marta"), Reason.RENDER),
        ("another user", with_agent(user="marta"), Reason.RENDER),
        ("another target", with_agent(targets=(TargetChoice("baresip"),)), Reason.RENDER),
        ("another path", with_agent(targets=(TargetChoice("json", "phones"),)), Reason.RENDER),
        (
            "another reload command",
            with_agent(targets=(TargetChoice("json", reload=ReloadPolicy(("a",))),)),
            Reason.NOTHING,
        ),
        ("codecs", with_account(codecs=("opus",)), Reason.RENDER),
        ("DTMF", with_account(dtmf=DtmfMode.INFO), Reason.RENDER),
        ("transport", with_account(transport=Transport.TLS), Reason.RENDER),
        ("media encryption", with_account(media_encryption=MediaEncryption.SDES), Reason.RENDER),
        ("the relay is off", with_agent(relay=RelayPolicy(use=False)), Reason.RENDER),
        ("the relay passes", with_agent(relay=RelayPolicy(mode=RelayMode.PASS)), Reason.RENDER),
        ("another port of the relay", with_agent(relay=RelayPolicy(port=25061)), Reason.RENDER),
        ("display name", with_account(display_name="Ana"), Reason.RENDER),
        ("SIP user", with_account(name="7001"), Reason.RENDER),
        ("a template", replace(OLD, targets={"json": None, "baresip": None}), Reason.RENDER),
    ],
)
def test_the_table_of_reasons(what, new, expected):
    assert reason(HELD, OLD, new) is expected, what


def test_without_a_session_there_is_reason_to_log_in():
    assert reason(None, OLD, OLD) is Reason.LOG_IN
    assert reason(None, None, OLD) is Reason.LOG_IN


def test_after_a_restart_files_are_made_from_the_session_at_hand():
    assert reason(HELD, None, OLD) is Reason.RENDER


@pytest.mark.parametrize(
    ("held", "new", "same"),
    [
        (Identity("u", "a", "m"), Identity("u", "a", "m"), True),
        (Identity("u", "a", "m"), Identity("u", "a", ""), True),
        (Identity("u", "a", "m"), Identity("u", "a", "n"), False),
        (Identity("u", "a", "m"), Identity("v", "a", "m"), False),
        (Identity("u", "a", "m"), Identity("u", "b", "m"), False),
        (Identity("u", "a", "m"), Identity("v", "a", ""), False),
    ],
)
def test_a_password_that_cannot_be_read_is_no_news(held, new, same):
    assert same_login(held, new) is same


def test_a_session_knows_what_it_was_opened_with():
    session = HeldSession("marta", "https://a.example", "marta", Secret("{}"), Secret("t"), "mark", 1.0)
    assert identity_of(session) == Identity("https://a.example", "marta", "mark")


EDITS = st.lists(
    st.one_of(
        st.builds(lambda text: ("over", {"display_name": text}), st.text(max_size=20)),
        st.builds(
            lambda names: ("over", {"codecs": tuple(names)}), st.lists(st.sampled_from(["pcma", "opus"]), min_size=1)
        ),
        st.builds(lambda port: ("over", {"port": port}), st.integers(1, 65535)),
        st.builds(lambda mode: ("over", {"dtmf": mode}), st.sampled_from(DtmfMode)),
        st.builds(lambda transport: ("over", {"transport": transport}), st.sampled_from(Transport)),
        st.builds(lambda realm: ("over", {"realm": realm}), st.text(max_size=9)),
        st.builds(lambda path: ("agent", {"targets": (TargetChoice("json", path),)}), st.text(max_size=9)),
        st.builds(lambda home: ("agent", {"home": home}), st.text(max_size=9)),
        st.builds(lambda line: ("agent", {"place": Place("a.yaml", line)}), st.integers(1, 99)),
        st.builds(lambda path: ("agent", {"password": FromFile(path)}), st.text(max_size=9)),
        st.builds(lambda seconds: ("platform", {"timeout": seconds}), st.floats(1, 99)),
        st.builds(lambda path: ("platform", {"ca_file": path}), st.text(max_size=9)),
        st.builds(lambda domain: ("platform", {"domain": domain}), st.text(max_size=9)),
        st.builds(lambda stun: ("platform", {"stun": (stun,)}), st.text(max_size=9)),
    ),
    min_size=100,
    max_size=100,
)


def edited(old: Wanted, kind: str, change: dict[str, Any]) -> Wanted:
    match kind:
        case "over":
            overrides: Overrides = replace(old.agent.overrides, **change)
            return replace(old, agent=replace(old.agent, overrides=overrides))
        case "agent":
            return replace(old, agent=replace(old.agent, **change))
        case _:
            return replace(old, platform=replace(old.platform, **change))


@settings(max_examples=TRIES * 2 // 5)
@given(EDITS)
def test_a_hundred_edits_of_other_things_log_nobody_in(edits):
    last, before = OLD, OLD
    for kind, change in edits:
        last, before = edited(last, kind, change), last
        assert reason(HELD, before, last) is not Reason.LOG_IN
    assert reason(HELD, OLD, replace(last, identity=replace(HELD, password_mark="new"))) is Reason.LOG_IN


@pytest.mark.parametrize(
    ("count", "upper"), [(1, 2.0), (2, 4.0), (3, 8.0), (5, 32.0), (6, 60.0), (7, 60.0), (1000, 60.0), (10**9, 60.0)]
)
@pytest.mark.parametrize("chance", [0.0, 0.25, 1.0])
def test_the_wait_doubles_up_to_the_longest_with_full_jitter(count, upper, chance):
    assert back_off(count, first=2.0, longest=60.0, chance=chance) == chance * upper


@given(st.integers(1, 10**6), st.floats(0.001, 100), st.floats(100, 1e6), st.floats(0, 1))
def test_nobody_waits_longer_than_the_longest(count, first, longest, chance):
    assert 0 <= back_off(count, first=first, longest=longest, chance=chance) <= longest
