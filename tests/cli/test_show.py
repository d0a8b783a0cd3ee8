"""The status as people read it."""

from __future__ import annotations

import time
from typing import Any

from provisioner.cli.show import status_as_text

NOW = time.mktime((2026, 11, 24, 12, 0, 0, 0, 0, -1))
REMARK = {"where": "agent ana, jssip", "what": "jssip has no gsm: left out", "fix": "", "remark": True}
GRAVE = {
    "where": "agent ana, linphone",
    "what": "linphone cannot register over wss",
    "fix": "use jssip",
    "remark": False,
}


def status(*agents: dict[str, Any], **configuration: Any) -> dict[str, Any]:
    settled = {"loaded_at": NOW - 60, "refused_at": None, "problems": []}
    return {"configuration": {**settled, **configuration}, "agents": list(agents), "everybody_served": False}


def agent(login: dict[str, Any], *targets: dict[str, Any], proof: str | None = None) -> dict[str, Any]:
    who = {"agent": "ana", "user": "ana", "present": True}
    return {**who, "login": login, "proof": proof, "targets": list(targets), "problems": []}


def target(name: str, state: str, *problems: dict[str, Any]) -> dict[str, Any]:
    return {"target": name, "state": state, "folder": f"/home/ana/{name}", "problems": list(problems)}


def test_an_agent_who_is_served_and_a_phone_that_cannot_be():
    seen = agent(
        {"state": "logged in", "at": NOW - 30},
        target("jssip", "unchanged", REMARK),
        target("linphone", "not written", GRAVE),
        proof="password and realm proven",
    )
    assert status_as_text(status(seen), now=NOW).splitlines() == [
        "● configuration in force since 11:59:00",
        "",
        "● ana: logged in since 11:59:30",
        "  password and realm proven",
        "  ● jssip: in place  /home/ana/jssip",
        "    agent ana, jssip: jssip has no gsm: left out",
        "  ✗ linphone: not written  /home/ana/linphone",
        "    agent ana, linphone: linphone cannot register over wss (use jssip)",
    ]


def test_the_way_of_each_phone_is_told():
    way = {"transport": "wss", "via": "relay", "relay": "127.0.0.1:25060"}
    direct = {"transport": "tls", "via": "direct", "relay": None}
    seen = agent({"state": "logged in", "at": NOW}, target("linphone", "written") | way, target("x", "kept") | direct)
    assert status_as_text(status(seen), now=NOW).splitlines()[3:] == [
        "  ● linphone: in place, over wss through the relay at 127.0.0.1:25060  /home/ana/linphone",
        "  ● x: kept, over tls  /home/ana/x",
    ]


def test_a_refused_configuration_says_since_when_and_where():
    mistake = {"where": "a.yaml", "line": 3, "column": 5, "what": "no", "fix": "mend it", "remark": False}
    text = status_as_text(status(refused_at=NOW - 5, problems=[mistake]), now=NOW)
    assert text.splitlines()[:2] == [
        "✗ the configuration on disk is refused since 11:59:55; in force: that of 11:59:00",
        "  a.yaml:3:5: no (mend it)",
    ]


def test_trouble_says_when_it_is_tried_again_and_a_refusal_that_it_is_not():
    trouble = agent({"state": "trouble", "at": NOW - 1, "cause": "no answer", "next_at": NOW + 9})
    assert "ana: trouble since 11:59:59, no answer, next try in 9 s" in status_as_text(status(trouble), now=NOW)
    refused = agent({"state": "refused", "at": NOW - 1, "cause": "wrong"})
    assert "not tried again before its settings change" in status_as_text(status(refused), now=NOW)


def test_a_refresh_that_failed_says_when_and_why():
    login = {"state": "logged in", "at": NOW - 99, "cause": "the last login: trouble: no answer", "failed_at": NOW - 1}
    told = "● ana: logged in since 11:58:21, the last login: trouble: no answer, at 11:59:59, next try in 9 s"
    assert told in status_as_text(status(agent({**login, "next_at": NOW + 9})), now=NOW)


def test_a_login_under_way_is_neither_good_nor_bad():
    lines = status_as_text(status(agent({"state": "logging in"})), now=NOW, colour=True).splitlines()
    assert lines[2] == "\033[33m●\033[0m ana: logging in"


def test_yesterday_has_its_date():
    assert "since 2026-11-23" in status_as_text(status(loaded_at=NOW - 86400), now=NOW)


def test_nobody_is_said_and_no_name_can_write_lines_or_colours():
    assert status_as_text(status(), now=NOW).endswith("no agent works at this workstation")
    evil = agent({"state": "logged in", "at": NOW}) | {"agent": "ana\n\033[31m● all is well"}
    assert "\033" not in status_as_text(status(evil), now=NOW)
    assert len(status_as_text(status(evil), now=NOW).splitlines()) == 3


def test_an_agent_whose_user_has_no_session_is_away():
    seen = {**agent({"state": "away"}), "user": "anaperez", "present": False}
    assert status_as_text(status(seen), now=NOW).splitlines()[2:] == ["● ana: away, anaperez has no session now"]
