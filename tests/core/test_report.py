"""How problems look to people and to programs."""

from __future__ import annotations

import json

import pytest

from provisioner.core.problem import Place, Problem
from provisioner.core.report import printable, problem_as_json, problems_as_text

TABBED = Problem(Place("a.yaml", 3, 4, "\ta: b"), "wrong", "mend it")


def test_a_problem_has_its_place_its_cure_its_line_and_a_caret():
    assert problems_as_text([TABBED]) == "a.yaml:3:4: wrong (mend it)\n    \ta: b\n    \t  ^"


def test_without_cure_or_line_there_is_just_the_problem():
    assert problems_as_text([Problem(Place("agent ana"), "wrong")]) == "agent ana: wrong"


def test_problems_stand_below_each_other():
    assert problems_as_text([Problem(Place("a"), "one"), Problem(Place("b"), "two")]) == "a: one\nb: two"


@pytest.mark.parametrize("column", [1, 50, 300, 399])
def test_of_a_long_line_the_part_with_the_mistake_is_shown(column):
    source = "".join(chr(ord("a") + number % 26) for number in range(400))
    _, line, caret = problems_as_text([Problem(Place("a", 1, column, source), "wrong")]).split("\n")
    assert len(line) <= 114
    assert line[caret.index("^")] == source[column - 1]


@pytest.mark.parametrize(
    ("before", "columns"),
    [("ab", 2), ("日本", 4), ("🎧", 2), ("José", 4), ("Jose\u0301", 4), ("\x07\u200d", 2), ("ﾎ", 1)],
)
def test_a_caret_stands_under_its_character_however_wide_those_before_it_are(before, columns):
    column = len(before) + 1
    _, _line, caret = problems_as_text([Problem(Place("a", 1, column, before + "x"), "wrong")]).split("\n")
    assert caret == " " * (4 + columns) + "^"


@pytest.mark.parametrize("column", [1, 50, 120])
def test_a_line_and_its_caret_stay_within_a_narrow_terminal(column):
    source = "".join(chr(ord("a") + number % 26) for number in range(120))
    problem = Problem(Place("a", 1, column, source), "wrong")
    _, line, caret = problems_as_text([problem], width=55).split("\n")
    assert len(line) <= 59
    assert line[caret.index("^")] == source[column - 1]


def test_a_caret_may_stand_behind_the_line():
    _, _line, caret = problems_as_text([Problem(Place("a", 1, 20, "password: ********"), "wrong")]).split("\n")
    assert caret == " " * 23 + "^"


def test_nothing_reaches_the_terminal_that_could_steer_it():
    hostile = "\x1b]0;x\x07\x9b31m\u202e\r\n"
    text = problems_as_text([Problem(Place(hostile, 1, 1, hostile), hostile, hostile)])
    assert not any(char in text for char in "\x1b\x07\x9b\u202e\r")
    assert text.count("\n") == 2
    assert printable("Ana Pérez 😀") == "Ana Pérez 😀"


def test_colour_tells_remarks_from_mistakes_and_ends():
    wrong, remark = (
        problems_as_text([Problem(Place("a"), "x", remark=remark)], colour=True) for remark in (False, True)
    )
    assert wrong != remark and all("\033" in text for text in (wrong, remark))
    assert wrong.endswith("\033[0m")


def test_programs_get_the_same():
    assert problem_as_json(TABBED) == {
        "where": "a.yaml", "line": 3, "column": 4, "what": "wrong", "fix": "mend it", "remark": False,
    }  # fmt: skip
    assert problem_as_json(Problem(Place("agent x"), "odd", remark=True)) == {
        "where": "agent x", "what": "odd", "fix": "", "remark": True,
    }  # fmt: skip
    assert json.loads(json.dumps(problem_as_json(TABBED))) == problem_as_json(TABBED)
