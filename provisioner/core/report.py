"""Problems and results → text for people and JSON for programs. Nothing secret comes this far."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from provisioner.core.problem import Place, Problem

WIDTH = 110
# How terminals are told (ECMA-48, SGR).
BOLD, DIM, RED, GREEN, YELLOW, END = "\033[1m", "\033[2m", "\033[31m", "\033[32m", "\033[33m", "\033[0m"


def problems_as_text(problems: Iterable[Problem], *, colour: bool = False, width: int = WIDTH) -> str:
    """Each problem as ``file:line:column: what (what to do)``, then its line with a caret under the mistake; of that
    line at most ``width`` characters."""
    return "\n".join(_as_text(problem, colour, width) for problem in problems)


def problem_as_json(problem: Problem) -> dict[str, Any]:
    """``{"where", "line", "column", "what", "fix", "remark"}``; line and column only where there are any."""
    place = problem.where
    lines = {"line": place.line, "column": place.column} if place.line else {}
    return {"where": place.subject, **lines, "what": problem.what, "fix": problem.fix, "remark": problem.remark}


def problem_from_json(value: Mapping[str, Any]) -> Problem:
    """The problem that ``problem_as_json`` gave."""
    place = Place(value["where"], value.get("line", 0), value.get("column", 0))
    return Problem(place, value["what"], value["fix"], value["remark"])


def printable(text: str) -> str:
    """``text`` on one line of a terminal: what is not printable is written as an escape."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _as_text(problem: Problem, colour: bool, width: int) -> str:
    bold, mark, dim, end = (BOLD, YELLOW if problem.remark else RED, DIM, END) if colour else ("", "", "", "")
    fix = f" {dim}({printable(problem.fix)}){end}" if problem.fix else ""
    lines = [f"{bold}{printable(str(problem.where))}:{end} {mark}{printable(problem.what)}{end}{fix}"]
    if problem.where.source:
        source, before = _around(problem.where.source, problem.where.column - 1, width)
        lines += [f"    {_line(source)}", f"    {''.join(map(_blank, before))}{mark}^{end}"]
    return "\n".join(lines)


def _around(source: str, column: int, width: int) -> tuple[str, str]:
    """As much of a line as fits on a terminal with ``column`` (from 0) in it, and what of that is before it."""
    start = max(0, column - width // 2) if len(source) > width else 0
    piece = source[start : start + width]
    return piece, piece[: column - start].ljust(column - start)


def _blank(char: str) -> str:
    """What is as wide as ``char`` on a terminal, so that a caret below stands where it should."""
    if char == "\t":
        return char
    if char.isprintable() and unicodedata.category(char) in ("Mn", "Me"):
        return ""
    return "  " if char.isprintable() and unicodedata.east_asian_width(char) in "WF" else " "


def _line(text: str) -> str:
    return "".join(char if char.isprintable() or char == "\t" else "?" for char in text)
