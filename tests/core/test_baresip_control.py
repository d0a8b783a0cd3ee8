"""What baresip says and is told over its control port."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.baresip_control import (
    ControlError,
    Said,
    accounts,
    answers,
    calls,
    control_port,
    question,
    user_agents,
)

# As baresip 1.0.0 of Debian 12 answered.
NOBODY = "\n--- User Agents (0) ---\n\n"
TWO = (
    "\n--- User Agents (2) ---\n> sip:1001@127.0.0.1:5999                   \n"
    "  sip:1002@[::1]                             OK\n\n"
)


def netstring(value: object) -> bytes:
    body = json.dumps(value).encode()
    return b"%d:%b," % (len(body), body)


@pytest.mark.parametrize(
    ("config", "port"),
    [
        ("module ctrl_tcp.so\nctrl_tcp_listen 127.0.0.1:4444\n", 4444),
        ("ctrl_tcp_listen\t127.0.0.1:1\n", 1),
        ("", None),
        ("#ctrl_tcp_listen 127.0.0.1:4444\n", None),
        ("ctrl_tcp_listen 0.0.0.0:4444\n", None),
        ("ctrl_tcp_listen 127.0.0.1:70000\n", None),
        ("ctrl_tcp_listen 127.0.0.1:0\n", None),
    ],
)
def test_the_port_is_the_one_of_the_config(config, port):
    assert control_port(config) == port


def test_accounts_are_the_lines_that_are_no_comments():
    assert accounts("# a comment\n\n<sip:a@b>;x=#\n<sip:c@d>\n") == ("<sip:a@b>;x=#", "<sip:c@d>")


@given(st.text())
def test_a_question_is_one_netstring_whatever_it_holds(parameters):
    sent = question("uanew", parameters)
    length, _, rest = sent.partition(b":")
    assert len(rest) == int(length) + 1 and rest.endswith(b",")
    assert json.loads(rest[:-1])["params"] == parameters


@given(st.integers(1, 40))
def test_an_answer_may_come_in_pieces_and_events_between(size):
    sent = netstring({"event": True, "type": "REGISTER_OK"}) + netstring({"response": True, "ok": False, "data": "no"})
    received, found = bytearray(), []
    for start in range(0, len(sent), size):
        received += sent[start : start + size]
        found += list(answers(received))
    assert (found, received) == ([Said(ok=False, text="no")], bytearray())


@pytest.mark.parametrize(
    "sent",
    [b"220 mail.example ESMTP", b"x", b"9999999:", b"4:nope,", b"SSH-2.0-x\r\n", b"60000:" + b"[" * 60_000 + b","],
)
def test_what_is_no_baresip_is_said(sent):
    with pytest.raises(ControlError, match="something else than baresip"):
        list(answers(bytearray(sent)))


def test_its_accounts_are_named():
    assert user_agents(TWO) == ("sip:1001@127.0.0.1:5999", "sip:1002@[::1]")
    assert user_agents(NOBODY) == ()


def test_its_calls_are_counted():
    assert calls("\n--- Active calls (0) ---\n\n") == 0
    assert calls("\n--- Active calls (2) ---\n...") == 2
    with pytest.raises(ControlError):
        calls("command not found (listcalls)\n")
