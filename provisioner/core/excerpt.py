"""The line of a settings file that a message may show: without what may be a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

STARS = "********"
LONGEST = 400
_FAR = 200
_KEY = re.compile(r"""(?:^|[\s,{\-?])(["']?)([\w.\-]+)\1\s*:(?=\s|$)""")
_SECRET_KEY = re.compile(r"pas+w|pass|secret|token|ha1|kennwort|contrase|senha|clave|pwd", re.IGNORECASE)
_USERINFO = re.compile(r"//[^/@\s]*@")
# What libyaml takes as the end of a line; its line numbers count these.
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


def lines_of(text: str) -> list[str]:
    """``text`` in the lines that libyaml counts."""
    return _BREAK.split(text)


def shown(lines: Sequence[str], index: int) -> str:
    """Line ``index`` (from 0) of a settings file as it may be printed: what may be a secret is starred out. Empty for a
    line that may continue a secret, and for one that is too long to be of use."""
    if not 0 <= index < len(lines) or len(lines[index]) > LONGEST:
        return ""
    line = lines[index]
    keys = list(_KEY.finditer(line))
    if _continues_a_secret(lines, index, has_keys=bool(keys)):
        return ""
    for match in keys:
        if _SECRET_KEY.search(match.group(2)):
            return f"{line[: match.end()]} {STARS}" if line[match.end() :].strip() else line
    if _SECRET_KEY.search(line) and ":" in line:
        return line[: line.index(":") + 1] + f" {STARS}"
    return _USERINFO.sub(f"//{STARS}@", line)


def _continues_a_secret(lines: Sequence[str], index: int, *, has_keys: bool) -> bool:
    deepest = _indent(lines[index])
    nearest = not has_keys
    for above in _above(lines, index):
        key = next((match for match in _KEY.finditer(above) if _SECRET_KEY.search(match.group(2))), None)
        value = above[key.end() :].strip() if key else ""
        if (nearest and _SECRET_KEY.search(above)) or (value and deepest > _indent(above)) or _is_open(value):
            return True
        comment = above.lstrip().startswith("#")
        nearest = nearest and (comment or not _KEY.search(above))
        deepest = deepest if comment or not above.strip() else min(deepest, _indent(above))
    return False


def _above(lines: Sequence[str], index: int) -> Iterator[str]:
    for above in range(index - 1, max(-1, index - _FAR), -1):
        yield lines[above][:LONGEST]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t-"))


def _is_open(value: str) -> bool:
    """Does a quoted text begin here and end elsewhere?"""
    return value[:1] in ("'", '"') and value[0] not in value[1:]
