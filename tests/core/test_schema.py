"""One schema is the source of everything: it is sound, used, described, and what it says of costs is true."""

from __future__ import annotations

import re
import threading
from dataclasses import fields
from typing import Any

import fastjsonschema
import jsonschema
import pytest
import yaml

from provisioner.core.document import read_document
from provisioner.core.read_settings import agents_of, settings_from
from provisioner.core.reason import Identity, Reason, Wanted, reason
from provisioner.core.schema import SETTINGS, effects, keys, resolve
from provisioner.core.schema_words import DURATION, HOST, HOST_PORT, URL
from provisioner.core.settings import LoginPolicy, Overrides, Platform, WatchPolicy
from provisioner.core.times import LENGTH, seconds

BASE: dict[str, Any] = {
    "platform": {
        "url": "https://a.example",
        "turn": [{"server": "t.example", "user": "u", "password": {"command": ["pw"]}}],
    },
    "agents": [{"login": "ana", "password": {"command": ["pw"]}, "targets": [{"target": "pocket"}]}],
}
# Another value for each setting than its default, its sample or what BASE says.
OTHER = {
    "platform.url": "https://b.example", "platform.websocket.port": 444, "platform.websocket.path": "/sip",
    "platform.ports.udp": 5070, "platform.ports.tcp": 5070, "platform.ports.tls": 5071,
    "platform.turn[].transport": "tls", "watch.method": "polling", "watch.settle_at_most": "3s",
    "watch.settle": "1s", "login.at_once": 9, "platform.discover_realm": True,
    "login.log_off_on_stop": True, "login.log_off_on_removal": False, "removal.brake": False,
    "agents[].account.expires": 700, "agents[].targets[].options": {"a": "b"}, "agents[].targets[].target": "desk",
    "login.longest_retry": "20m", "login.refresh_every": "1h", "login.at": "session", "login.again_after": "2h",
    "agents[].relay.mode": "pass", "agents[].targets[].reload.on_failure": "roll-back",
    "agents[].targets[].reload.roll_back_after": 4,
}  # fmt: skip


def leaves() -> list[str]:
    return [name for name, part in keys() if "properties" not in part and name not in ("agents", "platform.turn")]


def own_leaves() -> list[str]:
    """Settings that hold a value of their own, each once: `defaults` has the keys of an agent again."""
    forms = ("agents[].password", "agents[].targets", "platform.turn[].password")
    return [name for name in leaves() if not name.startswith("defaults") and name not in forms]


def changed(name: str) -> dict[str, Any]:
    """BASE with another value for one setting."""
    part = dict(keys())[name]
    value = OTHER.get(name, part.get("x-sample", "7s" if part.get("pattern") == DURATION else None))
    assert value is not None, f"the test has no other value for {name}"
    document = yaml.safe_load(yaml.safe_dump(BASE))
    at: Any = document
    *above, last = re.findall(r"[a-z_]+|\[\]", name)
    for step in above:
        at = at[0] if step == "[]" else at.setdefault(step, {})
    if "password" in above and last not in ("command", "timeout"):
        at.clear()
    at[last] = value
    return document


def wanted(document: dict[str, Any], secrets: str) -> Wanted:
    """As the site makes it: the marks stand for the passwords themselves."""
    read = read_document("provisioner.yaml", yaml.safe_dump(document), SETTINGS)
    agents, problems = agents_of(read, {})
    assert problems == ()
    settings = settings_from(read, agents)
    agent = agents[0]
    return Wanted(Identity(settings.platform.url, agent.login, secrets), agent, settings.platform, {}, secrets)


def test_it_is_a_sound_draft_07_schema():
    jsonschema.Draft7Validator.check_schema(SETTINGS)
    assert SETTINGS["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert callable(fastjsonschema.compile(SETTINGS))


def test_every_reference_leads_somewhere():
    references = re.findall(r"'\$ref': '#/definitions/(\w+)'", repr(SETTINGS))
    assert references and set(references) <= set(SETTINGS["definitions"])


@pytest.mark.parametrize(("name", "part"), list(keys()))
def test_every_setting_is_described_in_a_sentence(name, part):
    text = part["description"]
    assert text[0].isupper() or text[0] in "`.", name
    assert text.endswith("."), name


@pytest.mark.parametrize(("name", "part"), list(keys()))
def test_every_default_fits_its_own_schema(name, part):
    for word in ("default", "x-sample"):
        if word in part:
            jsonschema.Draft7Validator(part | {"definitions": SETTINGS["definitions"]}).validate(part[word])


@pytest.mark.parametrize("part", [part for _, part in keys() if "number" in part.get("type", ())])
def test_an_editor_takes_no_number_that_is_refused_as_text(part):
    """The program reads a number where text may stand as text; JSON schema holds no number against a pattern."""
    jsonschema.Draft7Validator(part).validate("1997")


@pytest.mark.parametrize("name", own_leaves())
def test_every_setting_is_read(name):
    """Another value makes other settings: no key is there for nothing."""
    before = read_document("provisioner.yaml", yaml.safe_dump(BASE), SETTINGS)
    after = read_document("provisioner.yaml", yaml.safe_dump(changed(name)), SETTINGS)
    old, new = (settings_from(document, agents_of(document, {})[0]) for document in (before, after))
    assert agents_of(after, {})[1] == ()
    assert old != new


def test_every_typed_setting_has_a_key():
    names = {name for name, _ in keys()}
    account = {f"agents[].account.{field.name}" for field in fields(Overrides)}
    login = {f"login.{field.name}" for field in fields(LoginPolicy)}
    watch = {f"watch.{field.name}" for field in fields(WatchPolicy)}
    platform = {f"platform.{field.name}".replace("websocket_", "websocket.") for field in fields(Platform)}
    assert account | login | watch | platform <= names


@pytest.mark.parametrize("name", own_leaves())
def test_a_change_costs_what_the_schema_says(name):
    is_password = ".password." in name and not name.endswith("timeout")
    old, new = wanted(BASE, "one"), wanted(changed(name), "two" if is_password else "one")
    if name.startswith("platform.turn"):
        new = Wanted(old.identity, new.agent, new.platform, {}, new.secrets_mark)
    assert reason(old.identity, old, new) == Reason(effects()[name])


def test_every_cost_is_one_of_three():
    assert set(effects()) == {name for name, _ in keys()}
    assert set(effects().values()) == {str(reason) for reason in Reason}
    assert {name: cost for name, cost in effects().items() if cost == "log-in"}.keys() == {
        "platform.url", "agents[].login",
        *(name for name in leaves() if re.match(r"(agents\[\]|defaults)\.password(?!.*timeout)", name)),
    }  # fmt: skip


def test_defaults_cost_what_an_agents_own_values_cost():
    for name, cost in effects().items():
        if name.startswith("defaults."):
            assert cost == effects()[name.replace("defaults.", "agents[].")], name


@pytest.mark.parametrize("part", [part for _, part in keys() if "x-least" in part])
def test_the_shortest_time_is_a_time(part):
    assert seconds(part["x-least"]) > 0


@pytest.mark.parametrize(
    ("text", "length"),
    [("200ms", 0.2), ("10s", 10), ("5m", 300), ("1h", 3600), ("2d", 172800), ("0.5s", 0.5), ("1.25m", 75), ("0s", 0)],
)
def test_times_are_seconds(text, length):
    assert LENGTH.fullmatch(text) and seconds(text) == length


@pytest.mark.parametrize("text", ["9999.999d", "999999.999h", "999999.999m", "999999.999s", "999999.999ms"])
def test_every_time_is_one_that_a_lock_and_a_timer_take(text):
    assert LENGTH.fullmatch(text) and seconds(text) < threading.TIMEOUT_MAX


HOSTS = [
    "a",
    "acme.example",
    "10.0.0.1",
    "[::1]",
    "[2001:db8::1]",
    "[1:2:3:4:5:6:7:8]",
    "[1::8]",
    "[::]",
    "x-1.example",
    "_sip.a",
]
NO_HOSTS = [
    "",
    "a b",
    "-a",
    "a-",
    "a..b",
    ".a",
    "a.",
    "[::1",
    "::1",
    "[:::]",
    "[1:2]",
    "[1::2::3]",
    "[zz]",
    "a/b",
    "a:1",
    "a@b",
    "é.example",
]


@pytest.mark.parametrize("text", HOSTS)
def test_what_is_a_host_is_taken(text):
    assert re.search(HOST, text) and re.search(HOST_PORT, f"{text}:65535") and re.search(URL, f"https://{text}:1/")


@pytest.mark.parametrize("text", NO_HOSTS)
def test_what_is_no_host_is_not_taken(text):
    assert not re.search(HOST, text) and not re.search(URL, f"https://{text}/x")


@pytest.mark.parametrize("port", ["0", "65536", "70000", "99999", "000001", "", "x", "080"])
def test_what_is_no_port_is_not_taken(port):
    assert not re.search(HOST_PORT, f"a:{port}") and not re.search(URL, f"https://a:{port}")


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1.example", "http://localhost.example", "http://127.1", "http://[::2]", "http://10.0.0.1",
     "HTTP://127.0.0.1x", "https://a#b", "https://a?b", "https://u@a", "//a", "https:/a", "https://a//"],
)  # fmt: skip
def test_plain_http_is_for_this_machine_alone(url):
    assert not re.search(URL, url)


def test_a_reference_keeps_the_words_beside_it():
    part = SETTINGS["definitions"]["account"]["properties"]["outbound_proxy"]
    assert resolve(part)["pattern"] == HOST_PORT and "proxy" in resolve(part)["description"]
