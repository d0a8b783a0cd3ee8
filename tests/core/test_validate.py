"""Mistakes of any schema, and that the quick look and the thorough one agree."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.core.document import read_document
from provisioner.core.manifest import MANIFEST
from provisioner.core.pattern import misfit
from provisioner.core.schema import SETTINGS, keys
from provisioner.core.spelling import did_you_mean
from provisioner.core.validate import Checker
from tests.tries import TRIES


def mistakes(text: str, schema: dict[str, Any]) -> list[str]:
    return [str(problem) for problem in Checker(schema).mistakes(read_document("x.yaml", text, schema))]


def mapping(**properties: object) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


@pytest.mark.parametrize(
    ("schema", "text", "says"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, "10", "x.yaml:1:4: `v` is out of range (write a number"),
        ({"type": "string", "maxLength": 3}, "abcd", "x.yaml:1:4: `v` is too long (write at most 3 characters)"),
        ({"type": "string", "pattern": "^a$"}, '"a\\n"', "x.yaml:1:4: `v` has characters that cannot stand here"),
        (
            {"type": "array", "items": {"type": "integer"}},
            "[1, b]",
            "x.yaml:1:8: an item of `v` must be a whole number",
        ),
        ({"type": "integer", "minimum": 40}, "39", "x.yaml:1:4: `v` is out of range (write 40 or more)"),
        ({"type": "integer", "minimum": 40}, "'39'", "x.yaml:1:4: `v` must be a whole number (write 40 or more"),
        ({"type": "integer", "minimum": 40}, "'41'", "x.yaml:1:4: `v` must be a whole number (write 41, without"),
        ({"type": "object", "minProperties": 1}, "{}", "x.yaml:1:4: `v` is empty"),
        ({"type": "boolean"}, "Yes", "x.yaml:1:4: `v` must be true or false (write true)"),
        ({"type": "boolean"}, "maybe", "x.yaml:1:4: `v` must be true or false (write true or false)"),
        ({"type": "integer"}, "00", "x.yaml:1:4: `v` must be a whole number (write a whole number)"),
        (
            {"enum": ["red", "blue"], "type": "string"},
            "bleu",
            "x.yaml:1:4: `v` cannot be `bleu` (did you mean `blue`?)",
        ),
        ({"enum": ["red", "blue"], "type": "string"}, "zzz", "x.yaml:1:4: `v` cannot be `zzz` (one of: red, blue)"),
    ],
)
def test_a_mistake_is_put_in_words(schema, text, says):
    (mistake,) = mistakes(f"v: {text}\n", mapping(v=schema))
    assert mistake.startswith(says)


def test_what_fits_has_no_mistakes():
    assert mistakes("v: 1\n", mapping(v={"type": "integer"})) == []


def test_every_pattern_of_the_schema_is_explained():
    vague, _ = misfit("^nobody knows this$", "x")
    patterns = {part["pattern"] for _, part in keys() if "pattern" in part}
    assert len(patterns) > 5
    assert [pattern for pattern in patterns if misfit(pattern, "\0")[0] == vague] == []


def test_the_manifest_is_checked_by_the_same_rules():
    text = "titel: x\ncredential: [ha2]\n"
    found = mistakes(text, MANIFEST)
    assert any("`titel` is not a setting (did you mean `title`?)" in one for one in found)
    assert any("cannot be `ha2` (did you mean `ha1`?)" in one for one in found)


@pytest.mark.parametrize(
    ("word", "known", "says"),
    [
        ("disply_name", ["display_name", "name"], "did you mean `display_name`?"),
        ("WSS", ["ws", "wss"], "did you mean `wss`?"),
        ("display-name", ["display_name"], "did you mean `display_name`?"),
        ("zoiper", ["jssip"], ""),
        ("", ["a"], ""),
        ("x", [], ""),
    ],
)
def test_the_nearest_word_is_proposed(word, known, says):
    assert did_you_mean(word, known) == says


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["1s", "wss", "opus", "https://a.example", "/x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(sorted({name.rpartition(".")[2] for name, _ in keys()})), inner, max_size=3)
    ),
    max_leaves=20,
)


def quick() -> Checker:
    """One that has read so much that the quick look is worth it."""
    checker = Checker(SETTINGS)
    for number in range(11):
        checker.mistakes(read_document(f"{number}.yaml", "#" * 10_000, SETTINGS))
    return checker


QUICK = quick()


EDITS = """
import sys
from provisioner.core.document import read_document
from provisioner.core.validate import Checker
schema = {"type": "integer"}
checker = Checker(schema)
for number in range(100):
    if sys.argv[1] == "edits":
        checker.begin()
    checker.mistakes(read_document("x.yaml", "#" * 10_000 + "\\n1", schema))
print("fastjsonschema" in sys.modules)
"""


@pytest.mark.parametrize(("what", "is_compiled"), [("edits", "False"), ("files", "True")])
def test_a_schema_is_compiled_for_many_files_and_not_for_many_edits(what: str, is_compiled: str):
    assert subprocess.check_output([sys.executable, "-c", EDITS, what], text=True).strip() == is_compiled


@settings(max_examples=3 * TRIES)
@given(VALUES)
def test_what_the_quick_look_refuses_the_thorough_one_explains(value):
    """`Checker.mistakes` raises AssertionError when the two do not agree."""
    import json

    document = read_document("x.yaml", json.dumps(value), SETTINGS)
    assert all(problem.where.line for problem in QUICK.mistakes(document))
