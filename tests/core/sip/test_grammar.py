"""The pieces of header values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.sip.grammar import NotSipError, inside_quotes, parameters, quote, split, unquote


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a, b,c", ["a", "b", "c"]),
        ('"a,b" <sip:x,y>;z, c', ['"a,b" <sip:x,y>;z', "c"]),
        (r'"a\",b", c', [r'"a\",b"', "c"]),
        ('"a<", b', ['"a<"', "b"]),
        ("", [""]),
    ],
)
def test_values_are_split_outside_quotes_and_brackets(text: str, pieces: list[str]):
    assert list(split(text, ",")) == pieces


def test_parameters_have_names_in_lower_case_and_values_without_quotes():
    assert parameters('LR ; Tag = "a \\"b\\"; c" ;x=1') == {"lr": "", "tag": 'a "b"; c', "x": "1"}


@pytest.mark.parametrize("text", ["a=1;A=2", "=1", "a b=1", '"a"=1'])
def test_a_parameter_without_name_or_one_that_stands_twice_is_refused(text: str):
    with pytest.raises(NotSipError):
        parameters(text)


@given(st.text())
def test_what_is_quoted_comes_back_and_stays_one_value(text: str):
    assert unquote(quote(text)) == text
    assert list(split(quote(text), ",")) == [quote(text)]


def test_a_quoted_string_escapes_the_backslash_first():
    assert inside_quotes('\\"') == '\\\\\\"'
