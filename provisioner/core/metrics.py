"""The status as metrics: Prometheus' text format 0.0.4, which node_exporter's textfile collector reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

_PREFIX = "softphone_provisioner"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_Thing = Mapping[str, Any]
_IN_PLACE = ("written", "unchanged")
# A metric's name, what it says, and how its value is found: None where there is none. All are gauges: what is counted
# is counted since the relay or its phone came, and goes with it.
_Metric = tuple[str, str, Callable[[_Thing], float | None]]

_OF_CONFIGURATION: tuple[_Metric, ...] = (
    ("configuration_loaded_timestamp_seconds", "Since when the configuration in force is.", lambda it: it["loaded_at"]),
    ("configuration_refused", "Is a newer configuration on the disk refused?", lambda it: bool(it["refused_at"])),
)
_OF_AGENT: tuple[_Metric, ...] = (
    ("agent_served", "Is the agent logged in, and every softphone in place and told?", lambda it: it["served"]),
    ("agent_present", "Has the agent's user a session at this workstation?", lambda it: it["present"]),
    ("agent_logged_in", "Is the agent logged in at the platform?", lambda it: _is_logged_in(it)),
    ("agent_logged_in_timestamp_seconds", "Since when.", lambda it: it["login"]["at"] if _is_logged_in(it) else None),
    ("agent_failed_logins", "Logins that failed in a row.", lambda it: it["login"].get("count", 0)),
)
_OF_TARGET: tuple[_Metric, ...] = (
    ("target_in_place", "Are the softphone's files as the configuration asks?", lambda it: it["state"] in _IN_PLACE),
    ("target_problems", "What is wrong with them; remarks are not counted.", lambda it: len(_grave(it))),
    ("target_reload_pending", "Is the softphone still to be told that they changed?", lambda it: bool(it["reload"])),
)
_OF_RELAY: tuple[_Metric, ...] = (
    ("relay_listening", "Does the agent's relay listen at its port?", lambda it: bool(it["port"])),
    ("relay_phones", "Phones at the relay.", lambda it: len(it["phones"])),
    ("relay_websockets_up", "WebSockets to the SIP server that are up.", lambda it: _count(it, "websocket", "up")),
    ("relay_registered", "Phones that are registered.", lambda it: _count(it, "registration", "registered")),
    ("relay_refusals", "Requests that the SIP server refused.", lambda it: _sum(it, "refusals")),
    ("relay_reconnects", "Times that a WebSocket was opened anew.", lambda it: _sum(it, "reconnects")),
    ("relay_calls", "Calls that ring or are up.", lambda it: it["calls"]),
    ("relay_strangers", "Programs of other users that were turned away.", lambda it: it["strangers"]),
)


def metrics_as_text(status: Mapping[str, Any] | None) -> str:
    """What ``Workstation.status`` gives, as metrics; None is a service that does not answer."""
    return "\n".join(_lines(status))


def _lines(status: _Thing | None) -> Iterator[str]:
    yield from _told([("up", "Does the service answer?", lambda it: bool(it))], [("", status or {})])
    if status is None:
        return
    yield from _told(_OF_CONFIGURATION, [("", status["configuration"])])
    agents = [(_labels(agent=one["agent"]), one) for one in status["agents"]]
    yield from _told(_OF_AGENT, agents)
    targets = [(one["agent"], target) for one in status["agents"] for target in one["targets"]]
    yield from _told(_OF_TARGET, [(_labels(agent=agent, target=one["target"]), one) for agent, one in targets])
    yield from _told(_OF_RELAY, [(labels, one["relay"]) for labels, one in agents if one["relay"]])


def _told(metrics: Iterable[_Metric], things: Iterable[tuple[str, _Thing]]) -> Iterator[str]:
    """All samples of each metric together, as the format asks."""
    for name, about, value_of in metrics:
        values = [(labels, value_of(thing)) for labels, thing in things]
        samples = [f"{_PREFIX}_{name}{labels} {value:.15g}" for labels, value in values if value is not None]
        if samples:
            yield f"# HELP {_PREFIX}_{name} {about}"
            yield f"# TYPE {_PREFIX}_{name} gauge"
            yield from samples


def _labels(**values: str) -> str:
    return "{" + ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in values.items()) + "}"


def _is_logged_in(agent: _Thing) -> bool:
    return bool(agent["login"]["state"] == "logged in")


def _grave(target: _Thing) -> list[Any]:
    return [problem for problem in target["problems"] if not problem["remark"]]


def _count(relay: _Thing, key: str, value: str) -> int:
    return sum(phone[key] == value for phone in relay["phones"])


def _sum(relay: _Thing, key: str) -> int:
    return sum(phone[key] for phone in relay["phones"])
