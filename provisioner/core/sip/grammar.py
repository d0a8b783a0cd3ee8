"""The pieces of which SIP header values are made (RFC 3261 section 25.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from provisioner.core.problem import Place, Problem, ProvisionerError

TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]+"
URI = r"[^\s<>]+"
# A branch that begins so is another one for each transaction (section 8.1.1.7).
MAGIC = "z9hG4bK"
_TOKEN = re.compile(TOKEN)
_URI = re.compile(URI)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class NotSipError(ProvisionerError):
    """Bytes or a value that are not SIP."""

    def __init__(self, what: str, where: str = "SIP message") -> None:
        super().__init__(Problem(Place(where), what, "the other side does not speak SIP as RFC 3261 has it"))


@lru_cache(256)
def is_token(text: str) -> bool:
    """Whether ``text`` is a token: what methods, header names and parameter names are made of."""
    return _TOKEN.fullmatch(text) is not None


def is_uri(text: str) -> bool:
    """Whether ``text`` can stand as a Request-URI: nothing in it would end it."""
    return _URI.fullmatch(text) is not None


def split(text: str, separator: str) -> Iterator[str]:
    """The pieces of ``text`` between separators (one character) that stand neither in quotes nor in angle brackets,
    without the blanks around them."""
    if '"' not in text and "<" not in text:
        yield from (piece.strip(" \t") for piece in text.split(separator))
        return
    start, quoted, angled, escaped = 0, False, False, False
    for place, char in enumerate(text):
        if escaped:
            escaped = False
        elif quoted:
            quoted, escaped = char != '"', char == "\\"
        elif char == '"':
            quoted = True
        elif char in "<>":
            angled = char == "<"
        elif char == separator and not angled:
            yield text[start:place].strip(" \t")
            start = place + 1
    yield text[start:].strip(" \t")


def parameters(text: str, separator: str = ";") -> dict[str, str]:
    """``a=1;b="x y";c`` as names in lower case and values without their quotes; ``""`` where there is no value.

    Raises NotSipError for a name that is no token and for one that stands twice (RFC 3261 section 7.3.1).
    """
    found: dict[str, str] = {}
    for piece in split(text, separator):
        name, _, value = (part.strip(" \t") for part in piece.partition("="))
        if not piece:
            continue
        if not is_token(name) or name.lower() in found:
            raise NotSipError("a parameter has no name, or stands twice")
        found[name.lower()] = unquote(value)
    return found


def quote(text: str) -> str:
    """``text`` as a quoted-string."""
    return f'"{inside_quotes(text)}"'


def inside_quotes(text: str) -> str:
    """The inside of a quoted-string: backslash before backslash and quote."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def unquote(text: str) -> str:
    """What a quoted-string says; other text as it is."""
    if len(text) < 2 or not (text.startswith('"') and text.endswith('"')):
        return text
    return _ESCAPED.sub(r"\1", text[1:-1])
