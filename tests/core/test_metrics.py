"""The status as Prometheus reads it: by the reader of its own client."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from provisioner.core.metrics import metrics_as_text

PROBLEM = {"where": "agent ana, linphone", "what": "it cannot", "fix": "", "remark": False}
GOOD: dict[str, Any] = {
    "target": "jssip",
    "state": "unchanged",
    "problems": [PROBLEM | {"remark": True}],
    "reload": None,
}
BAD: dict[str, Any] = {
    "target": "linphone",
    "state": "not written",
    "problems": [PROBLEM],
    "reload": {"state": "pending"},
}
PHONE = {"websocket": "up", "registration": "registered", "refusals": 2, "reconnects": 1}
RELAY: dict[str, Any] = {
    "port": 20000, "phones": [PHONE, PHONE | {"websocket": "away", "registration": "refused"}], "problems": [],
    "calls": 1, "strangers": 3,
}  # fmt: skip


def agent(name: str, *targets: dict[str, Any], **more: Any) -> dict[str, Any]:
    known = {"served": True, "present": True, "login": {"state": "logged in", "at": 1790000000.25}, "relay": None}
    return {"agent": name, "targets": list(targets), **known, **more}


def status(*agents: dict[str, Any], refused_at: float | None = None) -> dict[str, Any]:
    return {"configuration": {"loaded_at": 1790000000.5, "refused_at": refused_at}, "agents": list(agents)}


def read(text: str) -> dict[str, float]:
    """Each sample as `name{label,…}` without the prefix, labels sorted by name."""
    samples: dict[str, float] = {}
    for family in text_string_to_metric_families(text + "\n"):
        assert family.type == "gauge" and family.documentation
        for sample in family.samples:
            labels = ",".join(value for _, value in sorted(sample.labels.items()))
            samples[sample.name.removeprefix("softphone_provisioner_") + (f"{{{labels}}}" if labels else "")] = (
                sample.value
            )
    return samples


def test_a_service_that_does_not_answer_is_down_and_nothing_else_is_said():
    assert read(metrics_as_text(None)) == {"up": 0}


def test_a_workstation_with_nobody_to_serve():
    told = {"up": 1, "configuration_loaded_timestamp_seconds": 1790000000.5, "configuration_refused": 0}
    assert read(metrics_as_text(status())) == told


def test_a_refused_configuration():
    assert read(metrics_as_text(status(refused_at=1790000001.0)))["configuration_refused"] == 1


def test_an_agent_who_is_served_and_one_who_is_not():
    away = agent("beto", served=False, present=False, login={"state": "refused", "at": 5.0, "count": 4})
    found = read(metrics_as_text(status(agent("ana", GOOD, BAD), away)))
    assert {name: value for name, value in found.items() if name.startswith(("agent", "target"))} == {
        "agent_served{ana}": 1, "agent_present{ana}": 1, "agent_logged_in{ana}": 1, "agent_failed_logins{ana}": 0,
        "agent_logged_in_timestamp_seconds{ana}": 1790000000.25,
        "agent_served{beto}": 0, "agent_present{beto}": 0, "agent_logged_in{beto}": 0, "agent_failed_logins{beto}": 4,
        "target_in_place{ana,jssip}": 1, "target_problems{ana,jssip}": 0, "target_reload_pending{ana,jssip}": 0,
        "target_in_place{ana,linphone}": 0, "target_problems{ana,linphone}": 1,
        "target_reload_pending{ana,linphone}": 1,
    }  # fmt: skip


def test_a_relay_with_two_phones():
    found = read(metrics_as_text(status(agent("ana", relay=RELAY))))
    assert {name: value for name, value in found.items() if name.startswith("relay")} == {
        "relay_listening{ana}": 1, "relay_phones{ana}": 2, "relay_websockets_up{ana}": 1, "relay_registered{ana}": 1,
        "relay_refusals{ana}": 4, "relay_reconnects{ana}": 2, "relay_calls{ana}": 1, "relay_strangers{ana}": 3,
    }  # fmt: skip


def test_a_relay_that_cannot_listen():
    found = read(metrics_as_text(status(agent("ana", relay=RELAY | {"port": 0, "problems": [PROBLEM]}))))
    assert found["relay_listening{ana}"] == 0


@given(st.text(min_size=1))
def test_a_name_comes_whole_and_adds_no_line(name: str):
    text = metrics_as_text(status(agent(name)))
    assert text.count("\n") == metrics_as_text(status(agent("ana"))).count("\n")
    assert read(text)[f"agent_served{{{name}}}"] == 1
