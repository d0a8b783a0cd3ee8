"""Asterisk's codec lists → canonical codec names: the SDP encoding name in lower case, with the clock rate where one
name has several (``l16/16000``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

# Asterisk 13: main/format_cache.c (names), main/rtp_engine.c ast_rtp_engine_init (SDP names and rates).
NAMES = {
    "ulaw": "pcmu", "alaw": "pcma", "gsm": "gsm", "g722": "g722", "g729": "g729", "g723": "g723", "g726": "g726-32",
    "g726aal2": "aal2-g726-32", "ilbc": "ilbc", "opus": "opus", "speex": "speex", "speex16": "speex/16000",
    "speex32": "speex/32000", "siren7": "g7221/16000", "siren14": "g7221/32000", "g719": "g719", "slin": "l16",
    "slin12": "l16/12000", "slin16": "l16/16000", "slin24": "l16/24000", "slin32": "l16/32000", "slin44": "l16/44100",
    "slin48": "l16/48000", "slin96": "l16/96000", "slin192": "l16/192000", "codec2": "codec2", "adpcm": "dvi4",
    "lpc10": "lpc", "silk8": "silk/8000", "silk12": "silk/12000", "silk16": "silk/16000", "silk24": "silk/24000",
    "h261": "h261", "h263": "h263", "h263p": "h263-1998", "h264": "h264", "h265": "h265", "vp8": "vp8", "vp9": "vp9",
    "mpeg4": "mp4v-es", "t140": "t140", "red": "red",
}  # fmt: skip
VIDEO = frozenset({"h261", "h263", "h263-1998", "h264", "h265", "vp8", "vp9", "mp4v-es"})
TEXT = frozenset({"t140", "red"})
# chan_sip.c, DEFAULT in set_default caps: what a peer has when nothing is said.
DEFAULT = ("ulaw", "alaw", "gsm", "h263")
_ALIASES = {"g729a": "g729", "pcma": "alaw", "pcmu": "ulaw", "slin8": "slin"}


@lru_cache(maxsize=64)  # a thousand agents have a handful of lists
def evaluate(disallow: str, allow: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The canonical codecs in order of preference, and the words that name no codec.

    Both lists are as the database has them: items between ``;`` ``,`` ``|`` or ``&``, each ``name``, ``name:ms``,
    ``!name`` (the opposite), ``all``, or ``(a|b)`` (afresh). Asterisk 13: main/format_cap.c,
    ast_format_cap_update_by_allow_disallow.
    """
    chosen = list(DEFAULT)
    unknown: list[str] = []
    for wanted, text in ((False, disallow), (True, allow)):
        for item in _items(text):
            _apply(item, chosen, unknown, wanted=wanted)
    return tuple(NAMES[name] for name in chosen), tuple(dict.fromkeys(unknown))


def audio(codecs: Iterable[str]) -> tuple[str, ...]:
    """Those that carry sound."""
    return tuple(name for name in codecs if name not in VIDEO and name not in TEXT)


def _items(text: str) -> Iterator[str]:
    for piece in re.findall(r"\([^()]*\)|[^;,|&\s()]+", text):
        if piece.startswith("("):
            yield "!all"
            yield from _items(piece[1:-1])
        else:
            yield piece


def _apply(item: str, chosen: list[str], unknown: list[str], *, wanted: bool) -> None:
    wanted = wanted is not item.startswith("!")
    name, colon, milliseconds = item.lower().removeprefix("!").partition(":")
    name = _ALIASES.get(name, name)
    if (name not in NAMES and name != "all") or (colon and not re.fullmatch("[0-9]+", milliseconds)):
        unknown.append(item)
        return
    for one in NAMES if name == "all" else (name,):
        if wanted and one not in chosen:
            chosen.append(one)
        elif not wanted and one in chosen:
            chosen.remove(one)
