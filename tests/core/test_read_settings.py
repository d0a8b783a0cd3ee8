"""From documents to typed settings."""

from __future__ import annotations

import pytest

from provisioner.core.account import DtmfMode, MediaEncryption, Transport
from provisioner.core.document import read_document
from provisioner.core.password_source import FromCommand, FromCredential, FromEnv, FromFile, Inline
from provisioner.core.read_settings import agents_of, merged, settings_from, shared_defaults
from provisioner.core.relay_way import RelayMode, RelayPolicy
from provisioner.core.schema import SETTINGS
from provisioner.core.schema_reload import MORE
from provisioner.core.secret import Secret
from provisioner.core.settings import (
    AgentSettings,
    LoginPolicy,
    Overrides,
    ReloadPolicy,
    Settings,
    TargetChoice,
    WatchPolicy,
)

MAIN = "platform: {url: https://a.example/}\n"


def settings(text: str) -> Settings:
    document = read_document("provisioner.yaml", text, SETTINGS)
    agents, problems = agents_of(document, {})
    assert problems == ()
    return settings_from(document, agents)


def agent(text: str) -> AgentSettings:
    return settings(f"{MAIN}agents:\n- login: ana\n{text}").agents["ana"]


def test_what_is_not_said_has_its_default():
    read = settings(MAIN)
    assert read.login == LoginPolicy(8, 10, 5, 600, 0, log_off_on_stop=False, log_off_on_removal=True)
    assert read.watch == WatchPolicy("inotify", 5, 0.2, 2, 600)
    assert read.removal_brake is True and read.agents == {}
    platform = read.platform
    assert (platform.url, platform.host) == ("https://a.example", "a.example")
    assert (platform.connect_timeout, platform.timeout, platform.websocket_path) == (5, 20, "/ws")
    assert platform.ports == {Transport.UDP: 5060, Transport.TCP: 5060, Transport.TLS: 5061}
    assert (platform.realms, platform.stun, platform.turn) == ((), None, ())


def test_one_port_that_is_said_leaves_the_others():
    ports = settings("platform: {url: https://a.example, ports: {tls: 5071}}\n").platform.ports
    assert ports == {Transport.UDP: 5060, Transport.TCP: 5060, Transport.TLS: 5071}


def test_no_stun_server_is_not_the_same_as_the_platforms_own():
    assert settings("platform: {url: https://a.example, stun: []}\n").platform.stun == ()


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("0123", Inline(Secret("0123"))),
        ("off", Inline(Secret("off"))),
        ("true", Inline(Secret("true"))),
        ("'null'", Inline(Secret("null"))),
        ("1e3", Inline(Secret("1e3"))),
        ("' two '", Inline(Secret(" two "))),
        ("{file: /x}", FromFile("/x")),
        ("{env: X}", FromEnv("X")),
        ("{credential: x}", FromCredential("x")),
        ("{command: [pw, 0123, off]}", FromCommand(("pw", "0123", "off"), 10)),
        ("{command: [pw], timeout: 500ms}", FromCommand(("pw",), 0.5)),
    ],
)
def test_a_password_is_what_was_typed_or_where_it_is(text, source):
    assert agent(f"  password: {text}\n").password == source


def test_overrides_are_typed():
    words = (
        "{name: 1997, port: 5061, transport: tls, dtmf: info, media_encryption: sdes, codecs: [opus, pcma], realm: 007}"
    )
    assert agent(f"  account: {words}\n").overrides == Overrides(
        name="1997", port=5061, transport=Transport.TLS, dtmf=DtmfMode.INFO, media_encryption=MediaEncryption.SDES,
        codecs=("opus", "pcma"), realm="007", expires=600,
    )  # fmt: skip


def test_targets_are_names_or_mappings():
    whole = "{target: json, path: '~/{login}', reload: [a, 1], options: {b: 2}}"
    assert agent(f"  targets: [jssip, {whole}, {{target: json, path: /y}}]\n").targets == (
        TargetChoice("jssip"),
        TargetChoice("json", "~/{login}", ReloadPolicy(("a", "1")), {"b": "2"}),
        TargetChoice("json", "/y"),
    )


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("shipped", ReloadPolicy()),
        ("{timeout: 5s}", ReloadPolicy(timeout=5.0)),
        ("[/usr/bin/true, 1]", ReloadPolicy(("/usr/bin/true", "1"))),
        (
            "{command: [a], final_codes: [2, 3], first_retry: 1s, longest_retry: 1m, running_command: [r], "
            "busy_command: [b], busy_every: 500ms, busy_limit: 1h, on_failure: roll-back, roll_back_after: 1}",
            ReloadPolicy(("a",), 30.0, frozenset({2, 3}), 1.0, 60.0, ("r",), ("b",), 0.5, 3600.0, True, 1),
        ),
    ],
)
def test_a_reload_is_a_word_a_command_or_a_mapping(text, policy):
    assert agent(f"  targets: [{{target: json, reload: {text}}}]\n").targets[0].reload == policy


@pytest.mark.parametrize(
    "word",
    ["{folder}/{home}{user}{login}", "${HOME}", "{}", "{ print }", "{print $1}", "{{name}}", '{"a": 1}', "{", "a}"],
)
def test_braces_of_a_commands_own_may_stand_in_it(word):
    policy = agent(f"  targets: [{{target: json, reload: ['{word}']}}]\n").targets[0].reload
    assert policy is not None and policy.command == (word,)


def test_the_defaults_of_a_reload_are_those_that_the_schema_tells():
    told = {name: part["default"] for name, part in MORE["properties"].items() if "default" in part}
    words = ", ".join(f"{name}: {value}" for name, value in told.items())
    assert agent(f"  targets: [{{target: json, reload: {{{words}}}}}]\n").targets[0].reload == ReloadPolicy()


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("", RelayPolicy()),
        ("  relay: auto\n", RelayPolicy()),
        ("  relay: off\n", RelayPolicy(use=False)),
        ("  relay: {mode: pass}\n", RelayPolicy(mode=RelayMode.PASS)),
        ("  relay: {port: 5070}\n", RelayPolicy(port=5070)),
        ("  relay: {mode: answer, port: 5070}\n", RelayPolicy(True, RelayMode.ANSWER, 5070)),
    ],
)
def test_the_relay_is_a_word_or_a_mapping(text, policy):
    assert agent(text).relay == policy


def test_a_login_of_digits_is_text():
    assert list(settings(f"{MAIN}agents: [{{login: 0123}}, {{login: on}}]\n").agents) == ["0123", "on"]


def test_an_agent_knows_where_they_stand():
    assert str(agent("").place) == "provisioner.yaml:3:3"


def test_how_the_relay_works_is_merged_and_whether_it_does_is_replaced():
    below = {"relay": {"mode": "pass", "port": 5070}}
    assert merged(below, {"relay": {"port": 5080}})["relay"] == {"mode": "pass", "port": 5080}
    assert merged(below, {"relay": "off"})["relay"] == "off"
    assert merged({"relay": "off"}, {"relay": {"port": 5080}})["relay"] == {"port": 5080}
    assert merged(below, {})["relay"] == below["relay"]


def test_a_file_with_mistakes_gives_no_agents():
    document = read_document("a.yaml", "agents: [{login: ana}, {login: bob, x: 1}]\n", SETTINGS)
    agents, problems = agents_of(document, {}, main=False)
    assert agents == () and len(problems) == 1


def test_account_values_are_merged_and_lists_replaced():
    below = {"targets": ["a"], "account": {"port": 1, "realm": "r"}, "user": "u"}
    assert merged(below, {"targets": ["b"], "account": {"port": 2}}) == {
        "targets": ["b"], "account": {"port": 2, "realm": "r"}, "user": "u",
    }  # fmt: skip
    assert below["account"] == {"port": 1, "realm": "r"}
    assert merged(below, {"account": None})["account"] == {"port": 1, "realm": "r"}
    assert merged({"account": None}, {"account": {"port": 3}})["account"] == {"port": 3}


@pytest.mark.parametrize("text", ["", "defaults: x\n", "- a\n", "defaults:\n"])
def test_defaults_of_a_broken_file_are_none(text):
    assert shared_defaults(read_document("p.yaml", text, SETTINGS)) == {}
