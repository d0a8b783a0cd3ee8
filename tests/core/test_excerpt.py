"""No line that a message shows holds a password."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from provisioner.core.document import read_document
from provisioner.core.excerpt import LONGEST, lines_of, shown
from provisioner.core.read_settings import agents_of
from provisioner.core.report import problem_as_json, problems_as_text
from provisioner.core.schema import SETTINGS
from tests.tries import TRIES

SENTINEL = "S3NT1NEL"
BASES = [
    "agents:\n- login: ana\n  password: S3NT1NEL\n  user: ana\n",
    "agents:\n- {login: ana, password: S3NT1NEL, user: ana}\n",
    'agents:\n- {"login": "ana", "password": "S3NT1NEL", "user": "ana"}\n',
    "agents:\n- login: ana\n  password: 'S3NT1NEL'\n  targets: [jssip]\n",
    "agents:\n- login: ana\n  password: >-\n    S3NT1NEL\n  user: ana\n",
    "agents:\n- login: ana\n  password:\n    S3NT1NEL\n  user: ana\n",
    "defaults: {password: S3NT1NEL}\nagents: [{login: ana}]\n",
    "platform:\n  url: https://a.example\n  turn: [{server: t, user: u, password: S3NT1NEL}]\n",
]


def everything_said(text: str) -> str:
    document = read_document("x.yaml", text, SETTINGS, private=False)
    _, problems = agents_of(document, {}, main="platform" in text)
    return problems_as_text(problems) + "".join(str(problem_as_json(problem)) for problem in problems)


@pytest.mark.parametrize(
    ("lines", "index", "expected"),
    [
        (["user: ana"], 0, "user: ana"),
        (["password: x"], 0, "password: ********"),
        (["password:"], 0, "password:"),
        (["  - {login: ana, pasword: x, user: y}"], 0, "  - {login: ana, pasword: ********"),
        (["pssword: x"], 0, "pssword: ********"),
        (["pssword:x"], 0, "pssword ********"),
        (["  password   x"], 0, "  password ********"),
        (["  password:"], 0, "  password:"),
        (["Kennwort : x"], 0, "Kennwort : ********"),
        (["# password: x"], 0, "# password: ********"),
        (["url: https://u:x@a.example"], 0, "url: https://********@a.example"),
        (["password: |", "  x", "user: y"], 1, ""),
        (["password: |", "  x: y", "user: y"], 1, ""),
        (["password: |", "  x: y", "user: y"], 2, "user: y"),
        (['password: "a', "b: c", 'd"'], 1, ""),
        (["password:", "  file: /x"], 1, "  file: /x"),
        (["password:", "  file: /secrets/x", "user: y"], 1, "  file: /secrets ********"),
        (["# a password is text", "  - {login: ana, user: y}"], 1, "  - {login: ana, user: y}"),
        (["#- {login: a, password: x}", "  - {login: ana, user: y}"], 1, "  - {login: ana, user: y}"),
        (["#password: |", "  x"], 1, ""),
        (["#password:", "  x"], 1, ""),
        (["# the password.  password: |", "  x"], 1, ""),
        (["pas@word: x, token: y"], 0, "pas@word: ********"),
        (["{pas]word: x}"], 0, "{pas]word: ********"),
        (["pas word: x"], 0, "pas word: ********"),
        (["{'pas}word': x}"], 0, "{'pas}word': ********"),
        (["{'pa\"sword' : x}"], 0, "{'pa\"sword' : ********"),
        (["#password: 'a", "  x: y"], 1, ""),
        (["password: |", "  # no comment", "  x"], 2, ""),
        (["a", "b"], 2, ""),
        (["a", "b"], -1, ""),
        (["x" * (LONGEST + 1)], 0, ""),
    ],
)
def test_what_may_be_a_secret_is_starred_out(lines, index, expected):
    assert shown(lines, index) == expected


@pytest.mark.parametrize(
    "word", ["port", "user", "path", "server", "transport", "targets", "workstations", "file", "env", "command"]
)
def test_other_settings_are_shown(word):
    assert shown([f"{word}: value"], 0) == f"{word}: value"


def test_lines_are_those_that_yaml_counts():
    assert lines_of("a\nb\r\nc\rd\x85e\u2028f\u2029g") == list("abcdefg")
    document = read_document("x.yaml", "a: 1 # \u2028b: 2\nb: 3\n", {})
    (problem,) = document.problems
    assert (problem.where.line, problem.where.source) == (3, "b: 3")


@settings(max_examples=4 * TRIES)
@given(
    st.sampled_from(BASES),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 2), st.sampled_from("\t\n \"':{}[]&*!|>@#-x,?%")), max_size=2),
)
@example(BASES[1], [(0.45, 0, "x")])
def test_no_slip_of_the_finger_shows_a_password(base, slips):
    """Characters deleted, inserted or replaced anywhere but in the password itself."""
    text = base.replace(SENTINEL, "\ue000")
    for where, cut, char in slips:
        at = int(where * len(text))
        gone = text[at : at + min(cut, 1)]
        if "\ue000" not in gone:
            text = text[:at] + (char if cut != 1 else "") + text[at + len(gone) :]
    assert SENTINEL not in everything_said(text.replace("\ue000", SENTINEL))


def test_the_slips_are_noticed_at_all():
    assert "x.yaml:3:3" in everything_said(BASES[0].replace("password", "pxssword"))
    assert "others can read this file" in everything_said(BASES[0])
