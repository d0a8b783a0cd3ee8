"""How a value becomes text of a file: in one pass, or not at all.

A format either has a way to write a character or refuses it, by code point; nothing is dropped or replaced. Everything
here that refuses a value raises UnwritableError.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.secret import Secret

Escape = Callable[[object], str]

# C0, DEL and C1 controls, the two Unicode line ends, lone surrogates, noncharacters: no format of a phone holds them.
NOWHERE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")

_XML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
_AS_JSON = json.JSONEncoder().encode
# What ends a script in a page, and a comment or a template literal in a script, wherever the template's author put it.
_SCRIPT = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&*`$"})


class UnwritableError(ProvisionerError):
    """A value that the format cannot hold."""


def refuse(what: str, fix: str = "") -> UnwritableError:
    """The error for a value that cannot be written; the renderer adds the file's name."""
    return UnwritableError(Problem(Place("value"), what, fix))


def forbidden(text: str, characters: str = "") -> str | None:
    """The first character that cannot be written, as ``U+XXXX``; None when all can."""
    found = NOWHERE.search(text)
    if found is None and characters:
        found = re.search(f"[{re.escape(characters)}]", text)
    return f"U+{ord(found.group()):04X}" if found else None


def plain(value: object) -> str:
    """Text and numbers; what is neither (None, True, lists) is a mistake of the template."""
    match value:
        case Secret():
            text = value.reveal()
        case str():
            text = str(value)
        case bool() | None:
            raise refuse(f"the template writes {value!r} into the file", "use `if` in the template")
        case int():
            text = str(value)
        case _:
            str(value)  # an undefined name says so itself
            raise refuse(f"the template writes a {type(value).__name__} into the file", "use `for` in the template")
    found = forbidden(text)
    if found:
        raise _holds(value, found, "which no phone's file can hold")
    return text


def _holds(value: object, found: str, why: str) -> UnwritableError:
    # Not even one character of a secret is shown.
    if isinstance(value, Secret):
        return refuse(f"a password holds a character {why}", "choose another password")
    return refuse(f"a value holds {found}, {why}", "remove that character")


def mapped(characters: Mapping[str, str], forbid: str = "") -> Escape:
    """Writes each character as ``characters`` says, all in one pass; refuses those in ``forbid``."""
    table = {ord(char): written for char, written in characters.items()}

    def escape(value: object) -> str:
        text = plain(value)
        found = forbidden(text, forbid)
        if found:
            raise _holds(value, found, "which this file cannot hold")
        return text.translate(table)

    return escape


as_is = mapped({})
xml = mapped(_XML)


def jsonic(value: object) -> str:
    """A JSON value that is also safe inside a script of a page: pure ASCII, no ``<``, ``>``, ``&``."""
    match value:
        case str() | Secret():
            return _json_string(value)
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case list() | tuple():
            return f"[{', '.join(map(jsonic, value))}]"
        case Mapping():
            members = (f"{_json_string(key)}: {jsonic(item)}" for key, item in value.items())
            return f"{{{', '.join(members)}}}"
    return _json_string(value)


def _json_string(value: object) -> str:
    return _AS_JSON(plain(value)).translate(_SCRIPT)


def quoted_token(value: object) -> str:
    """One word of a pjsua argument file: bare, or between the kind of quote that it does not contain.

    pjproject: pjsua_app_config.c, read_config_file. There is no escape character; quotes or not, an empty word is left
    out and one that begins with `#` is a comment: the option before it would take the next option for its value.
    """
    text = plain(value)
    if not text or text.startswith("#"):
        begins = "a password begins with a character" if isinstance(value, Secret) else "a value begins with U+0023"
        raise refuse(f"{begins}, or is empty, which this file cannot hold", "choose another")
    if not re.search(r"[\s\"'#]", text):
        return text
    for quote in "'\"":
        if quote not in text:
            return f"{quote}{text}{quote}"
    raise refuse("a value holds both kinds of quote, which this file cannot hold", "remove one kind")
