"""Typed settings."""

from __future__ import annotations

import pytest

from provisioner.core.problem import Place
from provisioner.core.settings import AgentSettings, Overrides


def agent(workstations: tuple[str, ...] | None) -> AgentSettings:
    return AgentSettings("ana", None, None, None, workstations, (), Overrides(), Place("a.yaml"))


@pytest.mark.parametrize(
    ("patterns", "name", "serves"),
    [
        (None, "ws-1", True),
        (("ws-1",), "ws-1", True),
        (("ws-1",), "ws-10", False),
        (("ws-*",), "ws-10", True),
        (("ws-?",), "ws-10", False),
        (("WS-1",), "ws-1", True),
        (("ws-1",), "WS-1", True),
        (("ws-1",), "ws-1.acme.example", True),
        (("ws-1.acme.example",), "ws-1.acme.example", True),
        (("ws-1.acme.example",), "ws-1", False),
        (("*.acme.example",), "ws-1.acme.example", True),
        (("reception", "ws-2"), "ws-2", True),
        (("[ab]1",), "b1", True),
    ],
)
def test_an_agent_works_where_a_pattern_fits(patterns, name, serves):
    assert agent(patterns).serves(name) is serves


def test_where_an_agent_stands_in_the_yaml_is_not_what_they_are():
    moved = AgentSettings("ana", None, None, None, None, (), Overrides(), Place("b.yaml", 9, 9))
    assert moved == agent(None)
