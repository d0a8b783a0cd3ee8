"""A value becomes text in one pass, or is refused."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.escape import (
    UnwritableError,
    as_is,
    forbidden,
    jsonic,
    mapped,
    quoted_token,
    xml,
)
from provisioner.core.secret import Secret

HOLDABLE = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\u2028\u2029")).filter(
    lambda text: forbidden(text) is None
)
SENTINEL = "sentinel-4711"


@pytest.mark.parametrize("escape", [as_is, xml, jsonic, quoted_token, mapped({"a": "b"})])
@pytest.mark.parametrize(
    "char", ["\0", "\n", "\r", "\t", "\x1f", "\x7f", "\x80", "\x9f", "\u2028", "\u2029", "\ud800", "\udfff", "\ufffe"]
)
def test_what_no_phone_can_hold_is_refused_by_code_point_in_every_format(escape, char):
    with pytest.raises(UnwritableError, match=f"U\\+{ord(char):04X}"):
        escape(f"Ana{char}")


@pytest.mark.parametrize("escape", [as_is, xml, jsonic, quoted_token])
@pytest.mark.parametrize("value", [None, 1.5, b"x", object()])
def test_what_is_neither_text_nor_number_is_refused(escape, value):
    with pytest.raises(UnwritableError):
        escape(value)


@pytest.mark.parametrize("escape", [as_is, xml, quoted_token])
@pytest.mark.parametrize("value", [True, False, ["a"], {"a": "b"}, ("a",)])
def test_switches_and_lists_are_refused_where_they_are_no_text(escape, value):
    with pytest.raises(UnwritableError):
        escape(value)


@pytest.mark.parametrize("escape", [as_is, xml, jsonic, quoted_token, mapped({}, SENTINEL[0])])
def test_a_refused_secret_shows_nothing_of_itself(escape):
    with pytest.raises(UnwritableError) as caught:
        escape(Secret(f"{SENTINEL}\n"))
    text = f"{caught.value!r} {caught.value}"
    assert SENTINEL not in text
    assert "U+" not in text
    assert "a password holds a character" in text


def test_a_secret_is_written_as_it_is():
    assert (as_is(Secret("a b")), xml(Secret("<")), jsonic(Secret("a"))) == ("a b", "&lt;", '"a"')


def test_a_map_is_applied_in_one_pass():
    assert mapped({"a": "b", "b": "a", "\\": "\\\\"})("ab\\") == "ba\\\\"


def test_a_map_refuses_what_it_is_told_to():
    with pytest.raises(UnwritableError, match=r"U\+003B"):
        mapped({}, "];^-")("a;b")
    assert mapped({}, "];^-")("abc") == "abc"


@given(HOLDABLE)
def test_xml_comes_back_whole(text):
    root = ElementTree.fromstring(f'<a b="{xml(text)}">{xml(text)}</a>')
    assert (root.text or "", root.attrib["b"], len(root)) == (text, text, 0)


@given(st.recursive(HOLDABLE | st.integers() | st.booleans(), lambda of: st.lists(of) | st.dictionaries(HOLDABLE, of)))
def test_json_comes_back_whole_and_harmless_in_a_page_a_comment_and_a_template_literal(value):
    written = jsonic(value)
    assert json.loads(written) == value
    assert written.isascii()
    assert not set("<>&*`$") & set(written)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("alaw", "alaw"), ("a b", "'a b'"), ("O'Brien", '"O\'Brien"'), ('"A" <sip:x>', "'\"A\" <sip:x>'"),
        ("a#b", "'a#b'"), ("a\xa0b", "'a\xa0b'"), ("--log-file x", "'--log-file x'"),
    ],
)  # fmt: skip
def test_a_word_of_an_argument_file_stays_one_word(text, written):
    assert quoted_token(text) == written


@pytest.mark.parametrize("text", ["", "#", "#x", "# x"])
def test_a_word_that_would_be_left_out_is_refused(text):
    with pytest.raises(UnwritableError, match=r"U\+0023, or is empty"):
        quoted_token(text)
    with pytest.raises(UnwritableError, match="begins with a character, or is empty"):
        quoted_token(Secret(text))


def test_a_word_with_both_quotes_is_refused():
    with pytest.raises(UnwritableError, match="both kinds of quote"):
        quoted_token('O\'Brien "x"')
