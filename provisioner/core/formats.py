"""The file formats: how each is written (``escape``) and how the phone reads it back (``parse``).

``parse`` gives the file's leaves as (name, value) pairs in the phone's own reading. What was rendered is read back with
it before it is delivered: a value that added, ended or changed anything is found there, whatever the template did.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from provisioner.core import escape
from provisioner.core.problem import Place, Problem, ProvisionerError

Leaves = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Format:
    """``parse`` raises ProvisionerError where the phone would not read the file. ``code`` names the leaf that is a
    program: what a value would mean there, no escaping can know, so none may stand in it."""

    escape: escape.Escape
    parse: Callable[[str], Leaves]
    code: str = ""


class UnreadableError(ProvisionerError):
    """The phone would not read this."""


def _unreadable(number: int, what: str) -> UnreadableError:
    return UnreadableError(Problem(Place(f"line {number}"), what))


def text_lines(text: str) -> Leaves:
    """Any text: every line is a leaf."""
    return [(f"line {number}", line) for number, line in enumerate(text.split("\n"), 1)]


def ini(text: str) -> Leaves:
    """Sections and ``key=value`` as liblinphone reads them (coreapi/lpconfig.c): no escapes, no inline comments."""
    section = ""
    leaves: Leaves = []
    for number, line in _lines(text):
        if line.startswith("["):
            section = re.split(r"[\s\]]", line[1:])[0]
            leaves.append((f"[{section}]", ""))
            continue
        key, equals, value = line.partition("=")
        if not equals:
            raise _unreadable(number, "this is neither a section nor `key=value`")
        leaves.append((f"[{section}] {key}", value.rstrip(" ")))
    return leaves


def assignments(text: str) -> Leaves:
    """``key=value``, both trimmed (Twinkle, src/user.cpp: a line without ``=`` spoils the whole file)."""
    leaves: Leaves = []
    for number, line in _lines(text):
        key, equals, value = line.partition("=")
        if not equals:
            raise _unreadable(number, "this is not `key=value`")
        leaves.append((key.strip(" \t"), value.strip(" \t")))
    return leaves


def words(text: str) -> Leaves:
    """``key value`` with blanks between; the value ends at the next blank (baresip's config; re, src/conf/conf.c)."""
    leaves: Leaves = []
    for number, line in _lines(text):
        key, *values = re.findall(r"[^ \t]+", line)
        if not values:
            raise _unreadable(number, "this is not `key value`")
        leaves.append((key, values[0]))
    return leaves


_ACCOUNT = re.compile(r'("(?:[^"\\]|\\.)*"|[^<"\\]*?)\s*<([^<>"]*)>((?:;[\w]+(?:=(?:"[^"\\]*"|[^;\s"]*))?)*)')
# baresip looks for `;name=` wherever it stands, quotes or not (re, src/msg/param.c); `transport` is the URI's alone.
_INSIDE = re.compile(r"; *(?!transport\b)[\w-]+ *=")
_PARAMETER = re.compile(r';([\w]+)(?:=(?:"([^"\\]*)"|([^;\s"]*)))?')


def accounts(text: str) -> Leaves:
    """baresip's accounts: ``"Name" <uri>;key=value;key="value"`` a line (src/account.c, account_alloc)."""
    leaves: Leaves = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line.startswith("#"):
            continue
        match = _ACCOUNT.fullmatch(line)
        if match is None:
            raise _unreadable(number, "baresip would not read this account, nor any after it")
        leaves += [(f"{number} name", match[1]), (f"{number} uri", match[2])]
        for key, quoted, bare in _PARAMETER.findall(match[3]):
            if _INSIDE.search(quoted):
                raise _unreadable(number, f"baresip would take a part of `{key}` for a parameter of its own")
            leaves.append((f"{number} {key}", quoted or bare))
    return leaves


def arguments(text: str) -> Leaves:
    """The words of a pjsua argument file (pjsua_app_config.c, read_config_file).

    Quotes or not, an empty one is left out, and one that begins with ``#`` is a comment.
    """
    found: Leaves = []
    for number, line in enumerate(text.split("\n"), 1):
        rest = line.strip()
        while rest and not rest.startswith("#"):
            match = re.match(r"""(?:"([^"]*)"|'([^']*)'|([^\s"'][^\s]*))(?=\s|$)""", rest)
            if match is None:
                raise _unreadable(number, "a quote does not end in this line")
            word = match[1] or match[2] or match[3] or ""
            if word.startswith("#"):
                break
            found += [(f"{number}", word)] if word else []
            rest = rest[match.end() :].lstrip()
    return found


def xml(text: str) -> Leaves:
    """XML without a document type."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise _unreadable(1, "a document type is not read")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - no document type, so no entities
    except ElementTree.ParseError as error:
        raise _unreadable(error.position[0], "this is not XML") from None
    return list(_elements(root, root.tag))


def _elements(element: ElementTree.Element, path: str) -> Iterator[tuple[str, str]]:
    for name, value in element.attrib.items():
        yield f"{path}@{name}", value
    yield path, (element.text or "") if not len(element) else (element.text or "").strip()
    for number, child in enumerate(element):
        yield from _elements(child, f"{path}/{child.tag}[{number}]")


def json_text(text: str) -> Leaves:
    """JSON without doubled keys."""
    try:
        value = json.loads(text, object_pairs_hook=_once)
    except ValueError as error:
        raise _unreadable(
            getattr(error, "lineno", 1), "this is not JSON, where values bring their own quotes"
        ) from None
    leaves: Leaves = []
    _note(value, "", leaves)
    return leaves


_ASSIGNMENT = re.compile(r"^[ \t]*(?:(?:var|const|let) +|window\.)[\w.]+ *= *(?=[{\[\"])", re.MULTILINE)


def script(text: str) -> Leaves:
    """A script for a page: ``window.name = JSON;`` at the start of a line, and code that holds no values."""
    leaves: Leaves = []
    code, start = "", 0
    for match in _ASSIGNMENT.finditer(text):
        if match.start() < start:
            continue
        try:
            value, end = json.JSONDecoder(object_pairs_hook=_once).raw_decode(text, match.end())
        except ValueError:
            raise _unreadable(
                text.count("\n", 0, match.start()) + 1,
                "what is assigned here is not JSON, where values bring their own quotes",
            ) from None
        _note(value, match.group().strip("= \t"), leaves)
        code += text[start : match.end()]
        start = end
    return [*leaves, ("code", code + text[start:])]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("doubled key")
    return result


def _note(value: object, path: str, leaves: Leaves) -> None:
    """Add the leaves of a JSON ``value`` that stands at ``path``."""
    match value:
        case str():
            leaves.append((path, value))
        case dict():
            leaves.append((path, "{}"))
            for key, item in value.items():
                _note(item, f"{path}.{key}", leaves)
        case list():
            leaves.append((path, f"[{len(value)}]"))
            for number, item in enumerate(value):
                _note(item, f"{path}[{number}]", leaves)
        case bool():
            leaves.append((path, "true" if value else "false"))
        case int():
            leaves.append((path, str(value)))
        case _:
            leaves.append((path, json.dumps(value)))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that are neither empty nor a comment, numbered from 1."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line


FORMATS: Mapping[str, Format] = {
    "text": Format(escape.as_is, text_lines),
    "ini": Format(escape.as_is, ini),
    "assignments": Format(escape.as_is, assignments),
    "words": Format(escape.as_is, words),
    "baresip-accounts": Format(escape.as_is, accounts),
    "pjsua-arguments": Format(escape.quoted_token, arguments),
    "xml": Format(escape.xml, xml),
    "json": Format(escape.jsonic, json_text),
    "script": Format(escape.jsonic, script, code="code"),
}
