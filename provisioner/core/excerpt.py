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
    secret = _secret_word(line)
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
        secret = _secret_word(above)
        value = above[secret.end() :].strip() if secret else ""
        comment = above.lstrip().startswith("#")
        # Nothing goes on below a comment, unless the first line alone of a secret was made one.
        if comment and secret and not (secret.group().endswith(":") and (value[:1] in "|>" or _is_open(value))):
            secret, value = None, ""
        if (nearest and secret) or (value and deepest > _indent(above)) or _is_open(value):
            return True
        nearest = nearest and (comment or not _KEY.search(above))
        deepest = deepest if comment or not above.strip() else min(deepest, _indent(above))
    return False


def _secret_word(line: str) -> re.Match[str] | None:
    """The first word of ``line`` that announces a secret, with what belongs to the key: a quote and a colon.

    A word that is nearly one counts too: whoever mistypes `password` has a password behind it all the same.
    """
    return next((match for match in _WORD.finditer(line) if _is_secret(match.group(1))), None)


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
