"""What libyaml says of bad YAML, in the words of those who wrote it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import yaml

from provisioner.core.excerpt import lines_of

# In the order of looking: (part of libyaml's message, what is wrong, what to do).
_WORDS = (
    ("found a tab character", "a tab stands where YAML wants blanks", "indent with blanks, two for each level"),
    ("mapping values are not allowed", "a `key:` cannot stand here",
     "line it up with its neighbours, see whether the line above has its `: `, or put a text with `: ` in quotes"),
    ("could not find expected ':'", "here a `key: value` was begun and has no `: `", "write a colon and a blank"),
    ("did not find expected key", "this does not line up with what stands above",
     "indent the keys of one mapping alike, and close quotes and brackets"),
    ("did not find expected '-'", "this does not line up with the list above",
     "begin each item with `- `, all indented alike"),
    ("block sequence entries are not allowed", "a list cannot begin here",
     "begin it in a line of its own, or put a text that begins with `- ` in quotes"),
    ("mapping keys are not allowed", "a value cannot begin with `? `", "put the value in quotes"),
    ("did not find expected ',' or ']'", "a list in brackets is not closed", "put `,` between items and `]` behind"),
    ("did not find expected ',' or '}'", "a mapping in braces is not closed", "put `,` between keys and `}` behind"),
    ("did not find expected node content", "a value is missing here, or a bracket above is not closed",
     "write the value, or close the bracket"),
    ("found unexpected end of stream", "a text in quotes is not closed", "close it"),
    ("unknown escape character", "a backslash has a meaning in double quotes", "use single quotes"),
    ("Unicode character escape", "this escape is no character of its own", "write the character itself, in UTF-8"),
    ("did not find expected hexdecimal", "a backslash has a meaning in double quotes", "use single quotes"),
    ("cannot start any token", "a value cannot begin with this character", "put the value in quotes"),
    ("undefined alias", "a value that begins with * repeats a named one (&), and there is none of this name",
     "put the value in quotes"),
    ("expected a single document", "a second document begins here", "keep one: remove the `---`"),
    ("but found another document", "a second document begins here", "keep one: remove the `---`"),
    ("did not find expected <document start>", "this stands outside of everything",
     "line it up with what stands above"),
    ("invalid indentation", "the indentation is wrong here", "indent with blanks, two for each level"),
    ("block scalar", "what stands behind `|` or `>` is wrong", "put a text that begins with | or > in quotes"),
    ("anchor", "a value that begins with & or * names or repeats another", "put the value in quotes"),
    ("alias", "a value that begins with & or * names or repeats another", "put the value in quotes"),
    ("tag", "a value that begins with ! is a YAML tag", "put the value in quotes"),
    ("nesting depth", "this is nested without end", "write it flatter"),
    ("directive", "a line that begins with % speaks to YAML itself", "put the value in quotes"),
)  # fmt: skip
# All that YAML lets stand in a file.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


TEMPLATE = ("the braces of a template stand here", "have it filled in before the file comes here, or use quotes")
_TAB = ("a tab stands where YAML wants blanks", "indent with blanks, two for each level")
_NO_BLANK = ("a blank is missing behind this colon", "write `key: value`")
_COLON = re.compile(r"\s*(?:- +)?[\w.]+(:)[^\s/:]")
_NO_DASH = ("a blank is missing behind this dash", "write `- key: value`")
_DASH = re.compile(r"\s*(-)[\w.]+:(\s|$)")
_ODD_BLANK = re.compile("[ -]*([\xa0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff])")
_CLOSED = re.compile("([\"'}\\]])(\\s*)$")
# What began and has no end is told where it begins.
_BEGUN = ("unexpected end of stream", "expected ':'", "',' or")


def explained(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> tuple[int, int, str, str]:
    """Line and column (from 0), what is wrong, and what to do. Nothing of the file is quoted: behind `password:`
    anything may be a secret."""
    said = f"{error.problem or ''} {error.context or ''}"
    begun = any(part in said for part in _BEGUN)
    mark = (begun and error.context_mark) or error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    if "cannot start any token" in said and lines[line][column : column + 1] == "\t":
        return line, column, *_TAB
    if "cannot start any token" in said and lines[line][:column].endswith("{"):
        return line, column - 1, *TEMPLATE
    if "expected ':'" in said or "mapping values" in said:
        for near in (near for near in (line, line - 1) if 0 <= near < len(lines)):
            if slip := _slip(lines[near]):
                return near, *slip
    end = error.problem_mark
    if end and (more := _too_much(said, lines[end.line : end.line + 1], end.column)):
        return end.line, end.column, *more
    for part, what, fix in _WORDS:
        if part in said:
            return line, column, what, fix
    return line, column, "this is not YAML", "compare with the sample that `provisioner init` writes"


def _slip(line: str) -> tuple[int, str, str] | None:
    """What is not quite a blank or a key at the beginning of ``line``: the column, what is wrong, and what to do."""
    if odd := _ODD_BLANK.match(line):
        what = f"this looks like a blank and is none (U+{ord(odd.group(1)):04X})"
        return odd.start(1), what, "write ordinary blanks"
    if dash := _DASH.match(line):
        return dash.start(1), *_NO_DASH
    colon = _COLON.match(line)
    return (colon.start(1), *_NO_BLANK) if colon and ": " not in line else None


def _too_much(said: str, at: Sequence[str], column: int) -> tuple[str, str] | None:
    """What is wrong, and what to do, when something stands behind the end of a value."""
    closed = _CLOSED.search(at[0][:column]) if at else None
    if closed and ("expected key" in said or "expected '-'" in said or ("',' or" in said and not closed.group(2))):
        fix = "remove it" if closed.group(1) in "]}" else "put a text with quotes in it in quotes of the other kind"
        return f"something stands behind the closing {closed.group(1)}", fix
    return None


def unprintable(text: str) -> tuple[int, int, str] | None:
    """Line and column (from 0) of the first character that YAML does not let stand, and its code point as U+XXXX."""
    found = _UNPRINTABLE.search(text)
    if found is None:
        return None
    return *end_of(text[: found.start()]), f"U+{ord(found.group()):04X}"


def end_of(text: str) -> tuple[int, int]:
    """Line and column (from 0) behind the last character of ``text``."""
    lines = lines_of(text)
    return len(lines) - 1, len(lines[-1])
