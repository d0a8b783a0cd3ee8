"""Four things that a login's response can mean, from every body that was seen or is to be feared."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provisioner.core.reply import (
    LONGEST_RETRY_AFTER,
    LoggedIn,
    LoggedOff,
    NotThere,
    Refused,
    Reply,
    Trouble,
    read_log_off,
    read_reply,
    retry_seconds,
)

TOKEN = "bWFydGE6MmFkZTM2MDEtM2EyOC00OGM3LWE0ODYtNzM1NjdmYjVkMjYx"
ROW = {"id": 4, "name": "1997", "host": "acme.example", "md5secret": "07a46a13aa5434e21e6a9aa870482720", "token": TOKEN}
ROW_TEXT = json.dumps(ROW)
HTML = "<!DOCTYPE html><html><head><title>uContact</title></head></html>"
NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def reply(
    body: str | bytes, status: int = 200, content_type: str = "text/plain", retry_after: str | None = None
) -> Reply:
    content = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    return Reply(status, content, content_type, retry_after, NOW.timestamp())


@pytest.mark.parametrize(
    "body",
    ["0", " 0\r\n", "\ufeff0", "0\x00", " \ufeff 0 ", '"0"', '"\\"0\\""', "0.0", "-0", "\t0\n\n"],
)
def test_zero_in_every_dress_is_a_refusal(body):
    assert isinstance(read_reply(reply(body)), Refused)


@pytest.mark.parametrize("status", [400, 401, 403, 422])
def test_zero_with_a_status_of_refusal_is_a_refusal(status):
    assert isinstance(read_reply(reply("0", status)), Refused)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("body", ["", HTML])
def test_the_status_alone_refuses_and_blames_not_the_password_alone(status, body):
    outcome = read_reply(reply(body, status))
    assert isinstance(outcome, Refused) and "or this machine" in outcome.cause


def test_zero_as_html_by_its_header_is_a_refusal():
    assert isinstance(read_reply(reply("0", content_type="text/html; charset=UTF-8")), Refused)


@pytest.mark.parametrize(
    "body",
    [
        "Error", "error", "ERROR", '"Error"', " Error\n", "\ufeffError", "", "   ", "\x00", "null", "[]", "{}", "true",
        "false", "1", "-1", "0.5", "NaN", "Infinity", '""', "[0]", '["0"]', "[[]]", "{", ROW_TEXT[:-1], '{"name": ""}',
        '{"id": 4, "callerid": "Marta"}', b"\xff\xfe\x00", b"\x1f\x8b\x08\x00", "[" * 30000, "1" * 5000, '"' * 1000,
        "00", "0 0", "{'name': '1997'}",
    ],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_what_is_no_answer_is_trouble(body):
    assert isinstance(read_reply(reply(body)), Trouble)


@pytest.mark.parametrize("status", [408, 409, 418, 429, 500, 501, 502, 503, 504, 599])
@pytest.mark.parametrize("body", ["", "busy", ROW_TEXT])
def test_a_status_of_trouble_is_trouble_whatever_the_body(status, body):
    assert isinstance(read_reply(reply(body, status)), Trouble)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
@pytest.mark.parametrize("body", [HTML, "0"])
def test_a_failing_server_refuses_nobody_and_is_at_the_right_address(status, body):
    assert isinstance(read_reply(reply(body, status)), Trouble)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_a_redirect_is_trouble_and_says_so(status):
    outcome = read_reply(reply(ROW_TEXT, status))
    assert isinstance(outcome, Trouble)
    assert "redirects" in outcome.cause


@pytest.mark.parametrize("status", [404, 405, 410])
@pytest.mark.parametrize("body", ["", "0", HTML, ROW_TEXT])
def test_a_missing_resource_is_not_there(status, body):
    assert isinstance(read_reply(reply(body, status)), NotThere)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (HTML, "text/html"),
        (HTML, "text/plain"),
        ("\n\ufeff<html lang=es>", ""),
        ("<HTML>", "text/plain"),
        ("<body>", "text/plain"),
        ("<!-- welcome --><p>", "text/plain"),
        ('<?xml version="1.0"?><html/>', "application/xhtml+xml"),
        ("<p>Sign in</p>", "text/html;charset=utf-8"),
    ],
)
def test_a_web_page_is_not_there(body, content_type):
    assert isinstance(read_reply(reply(body, content_type=content_type)), NotThere)


@pytest.mark.parametrize(
    "body",
    [
        ROW_TEXT,
        "\ufeff" + ROW_TEXT,
        f"\r\n  {ROW_TEXT}\n",
        ROW_TEXT + "\x00",
        json.dumps(ROW_TEXT),
        json.dumps(json.dumps(ROW_TEXT)),
        json.dumps("\n " + ROW_TEXT),
        f"[{ROW_TEXT}]",
        f'[1, "x", {ROW_TEXT}, "token"]',
        json.dumps(f"[{ROW_TEXT}]"),
    ],
    ids=lambda body: body[:12],
)
def test_a_row_is_a_login_in_every_wrapping(body):
    outcome = read_reply(reply(body))
    assert isinstance(outcome, LoggedIn)
    assert (outcome.peer.name, outcome.token.reveal()) == ("1997", TOKEN)
    assert json.loads(outcome.row.reveal()) == ROW


@pytest.mark.parametrize("content_type", ["text/html", "application/json", "text/plain; charset=ISO-8859-1", ""])
def test_the_content_type_of_a_row_does_not_matter(content_type):
    assert isinstance(read_reply(reply(ROW_TEXT, content_type=content_type)), LoggedIn)


@pytest.mark.parametrize(
    ("more", "field", "text"),
    [
        ({"name": 1997}, "name", "1997"),
        ({"name": 1997.0}, "name", "1997"),
        ({"name": " 1997 "}, "name", "1997"),
        ({"name": "", "defaultuser": 42}, "name", "42"),
        ({"name": None, "callerid": '"Marta" <2001>'}, "name", "2001"),
        ({"port": 5062}, "port", "5062"),
        ({"encryption": True}, "encryption", "yes"),
        ({"encryption": False}, "encryption", "no"),
        ({"host": None}, "host", ""),
        ({"host": {"a": 1}}, "host", ""),
        ({"mailbox": " "}, "mailbox", ""),
        ({"limite": float("nan")}, "name", "1997"),
        ({"limite": 1e999}, "name", "1997"),
        ({"unknown": [1, {"x": 2}]}, "name", "1997"),
        ({"unknown\n": "\ud800"}, "name", "1997"),
    ],
)
def test_numbers_missing_and_extra_fields_do_no_harm(more, field, text):
    outcome = read_reply(reply(json.dumps({**ROW, **more})))
    assert isinstance(outcome, LoggedIn)
    assert getattr(outcome.peer, field) == text


def test_a_row_of_a_name_alone_is_a_login_without_token():
    outcome = read_reply(reply('{"name": "1997"}'))
    assert isinstance(outcome, LoggedIn)
    assert not outcome.token
    assert not outcome.peer.md5secret


def test_latin_1_of_an_old_server_is_read_as_it_is_meant():
    outcome = read_reply(reply('{"name": "1997", "fullname": "Iñaki"}'.encode("latin-1")))
    assert isinstance(outcome, LoggedIn)
    assert outcome.peer.fullname == "Iñaki"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("120", 120.0),
        (" 120 ", 120.0),
        ("9" * 400, LONGEST_RETRY_AFTER),
        ("86401", LONGEST_RETRY_AFTER),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0.0),
        (format_datetime(NOW + timedelta(days=400), usegmt=True), LONGEST_RETRY_AFTER),
        ("Sun, 01 Mar 2026 09:00:00 +0100", 0.0),
        ("Sun, 01 Mar 2026 08:00:30 -0000", 30.0),
        ("Sun, 01 Mar 99999 08:00:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header, seconds):
    assert retry_seconds(header, NOW.timestamp()) == seconds


@given(st.text(max_size=60), st.floats(0, 1e10))
@example("0 0 -", 0.0)
@example("0\x1f", 0.0)
@example("Mon, 1 Jan 0001 00:00:00 +2359", 0.0)
def test_no_retry_after_raises(header, now):
    seconds = retry_seconds(header, now)
    assert seconds is None or 0 <= seconds <= LONGEST_RETRY_AFTER


@pytest.mark.parametrize(("status", "body"), [(503, ""), (429, ""), (200, "Error"), (200, ""), (302, ""), (408, "")])
def test_trouble_tells_how_long_the_platform_wants_peace(status, body):
    assert read_reply(reply(body, status, retry_after="7")) == Trouble(read_reply(reply(body, status)).cause, 7.0)


ANYTHING = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["name", "token", "md5secret", "secret", "callerid", "x"]), inner, max_size=6
            )
        ),
        max_leaves=20,
    ).map(lambda value: json.dumps(value).encode()),
)
MARK = "SeNtInElZq"


@given(ANYTHING, st.integers(100, 599), st.text(max_size=20), st.none() | st.text(max_size=20))
def test_no_bytes_raise(body, status, content_type, retry_after):
    for read in (read_reply, read_log_off):
        read(Reply(status, body, content_type, retry_after, 0.0))


@given(ANYTHING, st.integers(100, 599), st.sampled_from(["text/plain", "text/html", MARK]))
def test_no_cause_holds_a_part_of_the_body(body, status, content_type):
    marked = body.replace(b"a", MARK.encode()) + MARK.encode()
    for content in (marked, f'{{"name": "", "x": "{MARK}"}}'.encode(), f"<html>{MARK}".encode()):
        for outcome in (read_reply(reply(content, status, content_type)), read_log_off(reply(content, status))):
            assert MARK not in repr(outcome)


@pytest.mark.parametrize("body", ["1", "", "OK", '"1"', "true", '{"result": 1}', ROW_TEXT, "bye"])
@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_log_off_has_worked_when_nothing_says_that_it_failed(body, status):
    assert read_log_off(reply(body, status)) == LoggedOff()


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ("0", 200, Refused),
        ("\ufeff0\n", 200, Refused),
        ('"0"', 200, Refused),
        ("", 401, Refused),
        ("", 403, Refused),
        ("Error", 200, Trouble),
        ('"error"', 200, Trouble),
        ("1", 500, Trouble),
        ("1", 400, Trouble),
        (ROW_TEXT, 400, Trouble),
        ("1", 302, Trouble),
        ("1", 404, NotThere),
        (HTML, 200, NotThere),
    ],
)
def test_a_log_off_fails_in_the_same_three_ways(body, status, kind):
    assert isinstance(read_log_off(reply(body, status, retry_after="3")), kind)


def test_a_refused_log_off_does_not_speak_of_a_password():
    outcome = read_log_off(reply("0"))
    assert isinstance(outcome, Refused)
    assert "password" not in outcome.cause
