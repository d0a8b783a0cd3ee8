"""Messages between daemon and courier: what is one, and what is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.frame import HEAD, FrameError, frame, length_of, message_of
from tests.core.courier_values import PATIENT

MANY = 1_000_000
SIMPLE = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
ANY = st.recursive(
    SIMPLE | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)
NO_UTF8 = b'{"a": "\xff"}'


@PATIENT
@given(st.dictionaries(st.text(), ANY, max_size=3))
def test_what_is_said_arrives(message):
    whole = frame(message, MANY)
    assert length_of(whole[:HEAD], MANY) == len(whole) - HEAD
    assert message_of(whole[HEAD:]) == message


@PATIENT
@given(st.binary(max_size=8))
def test_a_head_is_a_length_within_the_limit_or_an_error(head):
    try:
        length = length_of(head, 1000)
    except FrameError:
        assert len(head) != HEAD or not 0 < int.from_bytes(head, "big") <= 1000
    else:
        assert length.to_bytes(HEAD, "big") == head


@PATIENT
@given(st.binary() | st.text().map(str.encode) | ANY.map(lambda value: json.dumps(value).encode()))
def test_a_body_is_an_object_or_an_error(body):
    try:
        message = message_of(body)
    except FrameError:
        return
    assert message == json.loads(body) and isinstance(message, dict)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[1]",
        b"{",
        NO_UTF8,
        '{"a": "ñ"}'.encode("utf-16"),
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 50_000 + b"]" * 50_000,
    ],
)
def test_what_is_no_message_is_an_error_that_holds_nothing_of_it(body: bytes):
    with pytest.raises(FrameError, match=r"a message is (not JSON|no JSON object)"):
        message_of(body)


def test_both_ends_keep_to_the_limit():
    message = {"a": "x" * 100}
    whole = frame(message, 109)
    assert length_of(whole[:HEAD], 109) == 109
    with pytest.raises(FrameError, match="longer than it may be"):
        frame(message, 108)
    with pytest.raises(FrameError, match="longer than it may be"):
        length_of(whole[:HEAD], 108)


def test_an_empty_message_is_none():
    with pytest.raises(FrameError, match="empty"):
        length_of(bytes(HEAD), 10)
