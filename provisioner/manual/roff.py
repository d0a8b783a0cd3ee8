"""Text as man(7) wants it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator


def plain(text: str) -> str:
    """``text`` as it is; `code` becomes bold."""
    return re.sub(r"`([^`]*)`", r"\\fB\1\\fR", _escaped(text))


def bold(text: str) -> str:
    """``text`` to be typed: with hyphens that can be copied."""
    return f"\\fB{_escaped(text)}\\fR"


def italic(text: str) -> str:
    """``text`` to be replaced."""
    return f"\\fI{_escaped(text)}\\fR"


def title(name: str, section: int, version: str) -> str:
    """The first line of a page."""
    return f'.TH {name} {section} "" "softphone\\-provisioner {version}"'


def item(head: str, body: str) -> Iterator[str]:
    """A word and what it means."""
    yield ".TP"
    yield _line(head)
    yield _line(body or "\\&")


def prose(text: str) -> Iterator[str]:
    """Paragraphs, separated by blank lines; indented ones are shown as they are."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip("\n"))):
        if number:
            yield ".PP"
        if paragraph.startswith("  "):
            yield from example(paragraph)
        else:
            yield _line(plain(" ".join(paragraph.split())))


def example(text: str) -> Iterator[str]:
    """Lines as they are, indented."""
    yield from (".RS 4", ".nf")
    for line in textwrap.dedent(text.strip("\n")).split("\n"):
        yield _line(_escaped(line) or "\\&")
    yield from (".fi", ".RE")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha")


def _line(text: str) -> str:
    """A line that is not taken for a request."""
    return f"\\&{text}" if text.startswith((".", "'")) else text
