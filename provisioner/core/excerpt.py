"""The line of a settings file that a message may show: without what may be a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import lru_cache

from provisioner.core.secret import STARS

LONGEST = 400
_FAR = 200
_LONGEST_WORD = len("contraseñas")
_KEY = re.compile(r"""(?:^|[\s,{\-?])(["']?)([\w.\-]+)\1\s*:(?=\s|$)""")
_SECRET = re.compile(r"pas+w|pass|secret|token|ha1|kennwort|contrase|senha|clave|pwd", re.IGNORECASE)
_NEARLY = ("password", "secret", "token")
_WORD = re.compile(r"([\w.]+)(?:[\"']?\s*:(?=\s|$))?")
# A key with something else in it, such as `pas@word:`, and one that YAML takes apart, such as `pas]word:`.
_KEYISH = re.compile(r"([^\s,{}\[\]]*[^\s,{}\[\]:])\s*:(?=\s|$)")
_GAPS = "|".join(r"\W?".join(r"\W?" if at == gap else char for at, char in enumerate("password")) for gap in range(8))
_TORN = re.compile(rf"({_GAPS})[\"']?\s*:(?=\s|$)", re.IGNORECASE)
_USERINFO = re.compile(r"//[^/@\s]*@")
# What libyaml takes as the end of a line; its line numbers count these.
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


def lines_of(text: str) -> list[str]:
    """``text`` in the lines that libyaml counts."""
    return _BREAK.split(text)


def shown(lines: Sequence[str], index: int) -> str:
    """Line ``index`` (from 0) of a settings file as it may be printed: what may be a secret is starred out. Empty for a
    line that may continue a secret, and for one that is too long to be of use."""
    if not 0 <= index < len(lines) or len(lines[index]) > LONGEST or _continues_a_secret(lines, index):
        return ""
    line = lines[index]
    secret = min(filter(None, (_secret_word(line), _odd_key(line))), key=re.Match.start, default=None)
    if secret and (len(secret.group(1)) > _LONGEST_WORD or line[secret.end() :].strip("\"' :")):
        # The secret itself may be grown on to a long word.
        end = secret.start() if len(secret.group(1)) > _LONGEST_WORD else secret.end()
        return f"{line[:end]} {STARS}"
    return _USERINFO.sub(f"//{STARS}@", line)


def quoted(word: str) -> str:
    """A word of a settings file as a message may name it: not when it is too long for one, or a secret may have slipped
    into it, as in `password:x`."""
    secret = _secret_word(word)
    if len(word) > 60 or (secret and (secret.end() < len(word) or len(word) > _LONGEST_WORD)):
        return "what stands here"
    return f"`{word}`"


def _continues_a_secret(lines: Sequence[str], index: int) -> bool:
    deepest = _indent(lines[index])
    first = _KEY.search(lines[index])
    # What stands before the first key of a line belongs to a key above.
    nearest = first is None or bool(lines[index][: first.start()].strip(" \t-{[,?"))
    for above in _above(lines, index):
        comment = above.lstrip().startswith("#")
        secret = _secret_word(above, opens=comment)
        value = above[secret.end() :].strip() if secret else ""
        if (nearest and secret) or (value and deepest > _indent(above)) or _is_open(value):
            return True
        nearest = nearest and (comment or not _KEY.search(above))
        deepest = deepest if comment or not above.strip() else min(deepest, _indent(above))
    return False


def _secret_word(line: str, *, opens: bool = False) -> re.Match[str] | None:
    """The first word of ``line`` that announces a secret, with what belongs to the key: a quote and a colon.

    A word that is nearly one counts too: whoever mistypes `password` has a password behind it all the same. With
    ``opens`` only a key counts whose value goes on below: the rest of a comment does not.
    """
    words = (match for match in _WORD.finditer(line) if _is_secret(match.group(1)))
    return next((match for match in words if not opens or _opens(line, match)), None)


def _odd_key(line: str) -> re.Match[str] | None:
    """The first key of ``line`` that announces a secret with something else in it, which YAML may even take apart."""
    keys = (match for match in _KEYISH.finditer(line) if _is_secret(re.sub(r"\W", "", match.group(1))))
    return min(filter(None, (next(keys, None), _TORN.search(line))), key=re.Match.start, default=None)


def _opens(line: str, key: re.Match[str]) -> bool:
    value = line[key.end() :].strip()
    return key.group().endswith(":") and (value[:1] in "|>" or _is_open(value))


@lru_cache(maxsize=4096)
def _is_secret(word: str) -> bool:
    return bool(_SECRET.search(word) or get_close_matches(word.lower(), _NEARLY, 1, 0.7))


def _above(lines: Sequence[str], index: int) -> Iterator[str]:
    for above in range(index - 1, max(-1, index - _FAR), -1):
        yield lines[above][:LONGEST]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t-"))


def _is_open(value: str) -> bool:
    """Does a quoted text begin here and end elsewhere?"""
    return value[:1] in ("'", '"') and value[0] not in value[1:]
