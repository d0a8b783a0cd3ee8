"""YAML as people mean it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.document import read_document
from provisioner.core.schema import SETTINGS

TEXT = {"properties": {"v": {"type": ["string", "number"]}}}
NUMBER = {"properties": {"v": {"type": "integer"}}}
SWITCH = {"properties": {"v": {"type": "boolean"}}}


def value(text: str, schema: dict) -> object:
    document = read_document("x.yaml", f"v: {text}\n", schema)
    assert document.problems == ()
    return document.value["v"]


@pytest.mark.parametrize(
    "text", ["0123", "1997", "1e3", "1:30", "off", "yes", "on", "true", "2024-01-01", "0x1F", ".5", "1_000"]
)
def test_where_text_is_meant_it_stays_as_it_was_typed(text):
    assert value(text, TEXT) == text


@pytest.mark.parametrize(
    ("text", "schema", "meant"),
    [("5060", NUMBER, 5060), ("0123", NUMBER, "0123"), ("0x10", NUMBER, "0x10"), ("true", SWITCH, True),
     ("false", SWITCH, False), ("off", SWITCH, "off"), ("Yes", SWITCH, "Yes"), ("1.5", {}, 1.5),
     ("5060.0", NUMBER, 5060), ("5060.5", NUMBER, 5060.5), ("2.0", {}, 2.0),
     ("~", TEXT, None),
     ("", TEXT, None), ("'off'", SWITCH, "off"), ('"0123"', NUMBER, "0123")],
)  # fmt: skip
def test_only_plain_words_become_numbers_and_switches(text, schema, meant):
    assert value(text, schema) == meant
    assert type(value(text, schema)) is type(meant)


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 1, "`a` stands here twice, first in line 1"),
        ("a: 1\n  b: 2\n", 2, 4, "`key:` cannot stand here"),
        ("a: [1, 2\nb: 3\n", 1, 4, "not closed"),
        ("a: !secret x\n", 1, 4, "tags"),
        ("a: !!python/object:os.system x\n", 1, 4, "tags"),
        ("base: &b {x: 1}\na:\n  <<: *b\n", 3, 3, "merge keys"),
        ("? [a, b]\n: 1\n", 1, 3, "single word"),
        ("a: 1\n---\nb: 2\n", 2, 1, "second document"),
        ("a: \x07\n", 1, 4, "U+0007 cannot stand here"),
        ("a: 1\rb: \x07\r", 2, 4, "U+0007 cannot stand here"),
    ],
)
def test_a_mistake_is_reported_where_it_stands(text, line, column, says):
    (problem,) = read_document("x.yaml", text, {}).problems
    assert (problem.where.subject, problem.where.line, problem.where.column) == ("x.yaml", line, column)
    assert says in problem.what


def test_an_alias_repeats_a_value():
    document = read_document("x.yaml", "a: &x {b: 1}\nc: *x\n", {})
    assert document.value == {"a": {"b": 1}, "c": {"b": 1}}


def test_aliases_cannot_explode():
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 30))
    problems = read_document("x.yaml", "l0: &l0 [x]\n" + levels, {}).problems
    assert len(problems) == 1 and "without end" in problems[0].what


def test_nesting_that_is_too_deep_is_said_once_however_much_stands_there():
    problems = read_document("x.yaml", "[" * 42 + "a, b, c, d" + "]" * 42, {}).problems
    assert len(problems) == 1 and "without end" in problems[0].what


@pytest.mark.parametrize("text", ["[" * 200 + "]" * 200, "a: " + "{a: " * 100 + "1" + "}" * 100, "a: &a [*a]\n"])
def test_nesting_has_an_end(text):
    assert read_document("x.yaml", text, {}).problems


@pytest.mark.parametrize(
    "text", ["[" * 5000, "a: " + "{a: " * 5000, "- " * 200_000 + "a", "[" * 200_000 + "]" * 200_000]
)
def test_nesting_without_end_is_told_as_such(text):
    (problem,) = read_document("x.yaml", text, {}).problems
    assert problem.what == "this is nested without end"


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text):
    document = read_document("x.yaml", text, SETTINGS)
    assert document.value is None or isinstance(document.value, dict | list | str | int | float | bool)


@pytest.mark.parametrize(
    "text",
    [
        "password: S3NT1NEL",
        "password: *S3NT1NEL",
        "password: &S3NT1NEL",
        "password: !S3NT1NEL x",
        "password: 'S3NT1NEL",
        'password: "S3NT1NEL\\q"',
        "password: @S3NT1NEL",
        "password: [S3NT1NEL",
        "password: a: S3NT1NEL",
        "- {login: a, password: S3NT1NEL, oops",
        '{"password":"S3NT1NEL" oops',
        "password:\n  - S3NT1NEL\n  x",
        "password: >\n  S3NT1NEL\n oops\n\tbad",
        "passwd: S3NT1NEL: x",
        "contraseña: S3NT1NEL: x",
        "url: https://user:S3NT1NEL@host: x",
    ],
)
def test_no_syntax_error_shows_a_password(text):
    document = read_document("x.yaml", text + "\n", SETTINGS)
    for problem in document.problems:
        assert "S3NT1NEL" not in f"{problem} {problem.where.source}"


def test_places_follow_the_path_as_far_as_it_goes():
    document = read_document("x.yaml", "agents:\n- login: a\n  targets: [x, y]\n", SETTINGS)
    assert str(document.place(("agents", 0, "targets", 1))) == "x.yaml:3:16"
    assert str(document.place(("agents", 0, "targets"), key=True)) == "x.yaml:3:3"
    assert str(document.place(("agents", 0, "home"))) == "x.yaml:2:3"
    assert str(document.place(("agents", 7))) == "x.yaml:2:1"
