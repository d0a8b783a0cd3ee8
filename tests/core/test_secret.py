"""A secret is shown by nothing but ``reveal``."""

import copy
import json
import logging
import pickle
import traceback
from dataclasses import asdict, dataclass

import pytest

from provisioner.core.account import Credential, Proof, Turn
from provisioner.core.derive import Secrets
from provisioner.core.mark import password_mark
from provisioner.core.password_source import Inline
from provisioner.core.peer import peer_from_row
from provisioner.core.reply import LoggedIn, Reply, read_reply
from provisioner.core.secret import STARS, Secret
from provisioner.core.session import HeldSession

SENTINEL = "Xq7-never-seen"
SECRET = Secret(SENTINEL)


@dataclass(frozen=True)
class Holder:
    secret: Secret


@pytest.mark.parametrize(
    "shown",
    [
        str(SECRET),
        repr(SECRET),
        f"{SECRET}",
        f"{SECRET!r:>20}",
        "%s" % SECRET,  # noqa: UP031
        str([SECRET]),
        str({"a": SECRET}),
        repr(Holder(SECRET)),
        repr(Inline(SECRET)),
        repr(Credential("1997", "asterisk", SECRET, SECRET, Proof.PROVEN)),
        repr(Turn("turn.example", "udp", "user", SECRET)),
        repr(Secrets(SECRET, (SECRET,))),
        repr(HeldSession("marta", "https://a.example", "marta", SECRET, SECRET, "mark", 0.0)),
        repr(peer_from_row({"name": "1997", "secret": SENTINEL, "token": SENTINEL, "other": SENTINEL})),
        repr(Reply(200, SENTINEL.encode())),
    ],
)
def test_it_prints_as_stars(shown):
    assert SENTINEL not in shown


def test_what_a_login_gave_prints_without_secrets():
    body = json.dumps({"name": "1997", "secret": SENTINEL, "md5secret": "ab" * 16, "token": SENTINEL})
    outcome = read_reply(Reply(200, body.encode()))
    assert isinstance(outcome, LoggedIn)
    assert SENTINEL not in repr(outcome)
    assert "ab" * 16 not in repr(outcome)


def test_only_reveal_gives_the_text():
    assert SECRET.reveal() == SENTINEL
    assert str(SECRET) == STARS


def test_it_has_no_length_to_tell():
    assert str(Secret("a")) == str(Secret("a" * 100))
    with pytest.raises(TypeError):
        len(SECRET)  # type: ignore[arg-type]


def test_it_is_in_no_log(caplog):
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("x").debug("%s %r", SECRET, [SECRET])
    assert SENTINEL not in caplog.text


def test_it_is_in_no_traceback():
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert STARS in told
    assert SENTINEL not in told


@pytest.mark.parametrize("serialize", [pickle.dumps, copy.deepcopy, copy.copy, json.dumps, asdict])
def test_it_is_not_serialized(serialize):
    with pytest.raises(TypeError):
        serialize(Holder(SECRET) if serialize is asdict else SECRET)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("", "", True),
        ("ñ", "ñ", True),
        ("ñ", "n\u0303", False),
        ("\ud800", "\ud800", True),
    ],
)
def test_equal_texts_are_equal_secrets(one, other, equal):
    assert (Secret(one) == Secret(other)) is equal
    assert (Secret(one) != Secret(other)) is not equal
    assert not equal or hash(Secret(one)) == hash(Secret(other))


def test_it_is_no_text():
    assert Secret("a") != "a"
    assert Secret("a") not in ("a", None, 1)


def test_an_empty_one_is_false():
    assert not Secret("")
    assert Secret(" ")


def test_the_mark_of_a_password_tells_changes_without_telling_the_password():
    marks = {password_mark(key, Secret(text)) for key in (b"1" * 32, b"2" * 32) for text in ("a", "b", "\ud800")}
    assert len(marks) == 6
    assert password_mark(b"k", Secret(SENTINEL)) == password_mark(b"k", Secret(SENTINEL))
    assert SENTINEL not in password_mark(b"k", Secret(SENTINEL))
