"""What libyaml says of bad YAML, in the words of those who wrote it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import yaml

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
    ("block sequence entries are not allowed", "a list cannot begin here", "begin it in a line of its own"),
    ("did not find expected ',' or ']'", "a list in brackets is not closed", "put `,` between items and `]` behind"),
    ("did not find expected ',' or '}'", "a mapping in braces is not closed", "put `,` between keys and `}` behind"),
    ("did not find expected node content", "a value is missing here, or a bracket above is not closed",
     "write the value, or close the bracket"),
    ("found unexpected end of stream", "a text in quotes is not closed", "close it"),
    ("unknown escape character", "a backslash has a meaning in double quotes", "use single quotes"),
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
    ("directive", "a line that begins with % speaks to YAML itself", "put the value in quotes"),
)  # fmt: skip
# All that YAML lets stand in a file.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


_TAB = ("a tab stands where YAML wants blanks", "indent with blanks, two for each level")
_NO_BLANK = ("a blank is missing behind this colon", "write `key: value`")
_COLON = re.compile(r"\s*(?:- +)?[\w.]+(:)[^\s/:]")
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
    if "expected ':'" in said or "mapping values" in said:
        for near in (line, line - 1):
            found = _COLON.match(lines[near]) if 0 <= near < len(lines) else None
            if found and ": " not in lines[near]:
                return near, found.start(1), *_NO_BLANK
    for part, what, fix in _WORDS:
        if part in said:
            return line, column, what, fix
    return line, column, "this is not YAML", "compare with the sample that `provisioner init` writes"


def unprintable(text: str) -> tuple[int, int, str] | None:
    """Line and column (from 0) of the first character that YAML does not let stand, and its code point as U+XXXX."""
    found = _UNPRINTABLE.search(text)
    if found is None:
        return None
    before = text[: found.start()]
    return before.count("\n"), len(before) - (before.rfind("\n") + 1), f"U+{ord(found.group()):04X}"
