"""Codec lists as Asterisk reads them (main/format_cap.c, ast_format_cap_update_by_allow_disallow)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.codec import DEFAULT, NAMES, audio, evaluate
from tests.examples import MANY

ALL = tuple(NAMES.values())
DEFAULTS = tuple(NAMES[name] for name in DEFAULT)
OTHERS = tuple(name for name in ALL if name not in DEFAULTS)


@pytest.mark.parametrize(
    ("disallow", "allow", "codecs"),
    [
        ("all", "alaw;ulaw", ("pcma", "pcmu")),
        ("all", "ulaw;alaw", ("pcmu", "pcma")),
        ("all", "alaw,ulaw", ("pcma", "pcmu")),
        ("all", "alaw|ulaw", ("pcma", "pcmu")),
        ("all", "alaw&ulaw", ("pcma", "pcmu")),
        ("all", " alaw ; ulaw , g722|opus ", ("pcma", "pcmu", "g722", "opus")),
        ("all", "alaw:20;ulaw:30", ("pcma", "pcmu")),
        ("all", "alaw:0", ("pcma",)),
        ("all", "ALAW;Opus", ("pcma", "opus")),
        ("ALL", "alaw;alaw;alaw", ("pcma",)),
        ("all", "alaw;ulaw;!alaw", ("pcmu",)),
        ("all", "alaw;!all;g722", ("g722",)),
        ("", "!all,g722", ("g722",)),
        ("!all", "", (*DEFAULTS, *OTHERS)),
        ("all", "all", ALL),
        ("all", "all;!ulaw", tuple(name for name in ALL if name != "pcmu")),
        ("all", "g722;all", ("g722", *(name for name in ALL if name != "g722"))),
        ("", "", DEFAULTS),
        ("", "opus", (*DEFAULTS, "opus")),
        ("", "alaw", DEFAULTS),
        ("ulaw", "", tuple(name for name in DEFAULTS if name != "pcmu")),
        ("ulaw;h263", "ulaw", ("pcma", "gsm", "pcmu")),
        ("gsm,h263", "", ("pcmu", "pcma")),
        ("", "(opus|alaw)", ("opus", "pcma")),
        ("all", "(opus|alaw)", ("opus", "pcma")),
        ("(alaw|ulaw)", "", ("gsm", "h263", *OTHERS)),
        ("all", "", ()),
        ("all", "(", ()),
        ("all", "slin16;speex16;g729a;g729", ("l16/16000", "speex/16000", "g729")),
        ("all", "ulaw;h264;vp8;t140", ("pcmu", "h264", "vp8", "t140")),
        ("all;all", "alaw", ("pcma",)),
        ("all", " ", ()),
    ],
)
def test_a_list_has_its_codecs_in_order(disallow, allow, codecs):
    assert evaluate(disallow, allow) == (codecs, ())


@pytest.mark.parametrize(
    ("allow", "codecs", "unknown"),
    [
        ("alaw;nonsense;ulaw", ("pcma", "pcmu"), ("nonsense",)),
        ("alaw:x;ulaw", ("pcmu",), ("alaw:x",)),
        ("alaw:-20;ulaw", ("pcmu",), ("alaw:-20",)),
        ("alaw:;ulaw", ("pcmu",), ("alaw:",)),
        ("alaw;!nonsense", ("pcma",), ("!nonsense",)),
        ("!!alaw;ulaw", ("pcmu",), ("!!alaw",)),
        ("alaw^3Bulaw", (), ("alaw^3Bulaw",)),
        ("x;x;y", (), ("x", "y")),
    ],
)
def test_a_word_that_is_no_codec_is_dropped_alone_and_told(allow, codecs, unknown):
    assert evaluate("all", allow) == (codecs, unknown)


def test_only_sound_is_audio():
    assert audio(("pcma", "h264", "vp8", "t140", "red", "opus", "h263-1998")) == ("pcma", "opus")


def test_every_codec_has_one_name():
    assert len(set(ALL)) == len(NAMES)
    assert set(DEFAULT) <= set(NAMES)


@pytest.mark.parametrize(
    "text",
    ["!" * MANY + "alaw", "(" * MANY, "((" * MANY + "))", "alaw" + ";" * MANY, ":" * MANY],
    ids=["no", "opened", "twice", "empty", "lengths"],
)
def test_a_hostile_list_comes_to_an_end(text):
    assert evaluate(text, text)


WORDS = st.sampled_from([*NAMES, "all", "x", "alaw:20", "(alaw|opus)"]).flatmap(lambda w: st.sampled_from([w, f"!{w}"]))


@given(st.lists(WORDS, max_size=8), st.lists(WORDS, max_size=8), st.sampled_from(";,|&"))
def test_no_codec_comes_twice_and_none_is_invented(disallow, allow, separator):
    codecs, _ = evaluate(separator.join(disallow), separator.join(allow))
    assert len(set(codecs)) == len(codecs)
    assert set(codecs) <= set(ALL)


@given(st.text(), st.text())
def test_no_list_raises(disallow, allow):
    evaluate(disallow, allow)
