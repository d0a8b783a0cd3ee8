"""The status of the service and its agents, for people. Imports nothing heavy."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from provisioner.core.report import DIM, END, GREEN, RED, YELLOW, printable

_PASSING = ("waiting", "logging in", "trouble", "away")
_MARKS = {"good": ("●", GREEN), "odd": ("●", YELLOW), "bad": ("✗", RED)}


def status_as_text(status: Mapping[str, Any], *, now: float, colour: bool = False) -> str:
    """What ``Workstation.status`` gives, as lines. ``now`` is Unix seconds."""
    return "\n".join(_Lines(now, colour).all(status))


class _Lines:
    def __init__(self, now: float, colour: bool) -> None:
        self._now = now
        self._colour = colour

    def all(self, status: Mapping[str, Any]) -> Iterator[str]:
        yield from self._configuration(status["configuration"])
        for agent in status["agents"]:
            yield ""
            yield from self._agent(agent)
        if not status["agents"]:
            yield "no agent works at this workstation"

    def _configuration(self, configuration: Mapping[str, Any]) -> Iterator[str]:
        loaded = self._when(configuration["loaded_at"])
        if configuration["refused_at"]:
            since = self._when(configuration["refused_at"])
            yield self._marked("bad", f"the configuration on disk is refused since {since}; in force: that of {loaded}")
        else:
            yield self._marked("good", f"configuration in force since {loaded}")
        yield from self._problems(configuration["problems"])

    def _agent(self, agent: Mapping[str, Any]) -> Iterator[str]:
        login, proof = agent["login"], agent["proof"]
        mark = dict.fromkeys(_PASSING, "odd") | {"logged in": "odd" if "cause" in login else "good"}
        yield self._marked(mark.get(login["state"], "bad"), f"{agent['agent']}: {', '.join(self._login(agent))}")
        if proof:
            yield self._dim(f"  {proof}")
        yield from self._problems(agent["problems"])
        for target in agent["targets"]:
            yield from self._target(target)
        if agent.get("relay"):
            yield from self._relay(agent["relay"])

    def _login(self, agent: Mapping[str, Any]) -> Iterator[str]:
        login = agent["login"]
        when = f" since {self._when(login['at'])}" if login.get("at") else ""
        yield login["state"] + when
        if not agent["present"]:
            yield f"{agent['user']} has no session now"
        if login.get("cause"):
            yield login["cause"]
        if login.get("failed_at"):
            yield f"at {self._when(login['failed_at'])}"
        if login.get("next_at"):
            yield f"next try in {max(0, round(login['next_at'] - self._now))} s"
        elif login["state"] == "refused":
            yield "not tried again before its settings change, or `provisioner refresh`"

    def _target(self, target: Mapping[str, Any]) -> Iterator[str]:
        grave = any(not problem["remark"] for problem in target["problems"])
        state = "in place" if target["state"] in ("written", "unchanged") else target["state"]
        yield "  " + self._marked(
            "bad" if grave else "good", f"{target['target']}: {state}{_way(target)}  {target['folder']}"
        )
        yield from (f"  {line}" for line in self._problems(target["problems"]))
        if reload := target.get("reload"):
            yield self._dim(f"    reload {', '.join(self._reload(reload))}")

    def _reload(self, reload: Mapping[str, Any]) -> Iterator[str]:
        yield reload["state"] + (f" since {self._when(reload['since'])}" if reload["since"] else "")
        if reload["busy_since"]:
            yield f"in a call since {self._when(reload['busy_since'])}"
        if reload["count"]:
            code = "" if reload["code"] is None else f", the last one with exit code {reload['code']}"
            yield f"failures: {reload['count']}{code}"
        if reload["next_at"]:
            yield f"next in {max(0, round(reload['next_at'] - self._now))} s"

    def _relay(self, relay: Mapping[str, Any]) -> Iterator[str]:
        where = f"relay at port {relay['port']}" if relay["port"] else "no relay listens"
        calls = f", {relay['calls']} calls" if relay["calls"] else ""
        bad = bool(relay["problems"] or relay["remarks"])
        yield "  " + self._marked("odd" if bad else "good", f"{where}{calls}")
        yield from (f"  {line}" for line in self._problems(relay["problems"]))
        yield from (printable(f"    {remark}") for remark in relay["remarks"])
        for phone in relay["phones"]:
            since = f"WebSocket {phone['websocket']} since {self._when(phone['since'])}"
            again = f", {phone['reconnects']} reconnects" if phone["reconnects"] else ""
            refused = f", {phone['refusals']} refusals" if phone["refusals"] else ""
            cause = f": {phone['cause']}" if phone["cause"] else ""
            yield printable(
                f"    phone over {phone['transport']}: {phone['registration']}, {since}{again}{refused}{cause}"
            )

    def _problems(self, problems: Iterable[Mapping[str, Any]]) -> Iterator[str]:
        for problem in problems:
            where = problem["where"] + (f":{problem['line']}:{problem['column']}" if "line" in problem else "")
            fix = f" ({problem['fix']})" if problem["fix"] else ""
            line = printable(f"  {where}: {problem['what']}{fix}")
            yield self._dim(line) if problem["remark"] else line

    def _when(self, at: float) -> str:
        today = time.localtime(at)[:3] == time.localtime(self._now)[:3]
        return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S", time.localtime(at))

    def _marked(self, kind: str, text: str) -> str:
        mark, colour = _MARKS[kind]
        return f"{colour}{mark}{END} {printable(text)}" if self._colour else f"{mark} {printable(text)}"

    def _dim(self, text: str) -> str:
        return f"{DIM}{text}{END}" if self._colour else text


def _way(target: Mapping[str, Any]) -> str:
    """How the phone comes to the server, where it does."""
    relay = f" through the relay at {target['relay']}" if target.get("relay") else ""
    return f", over {target['transport']}{relay}" if target.get("transport") else ""
