"""What is wrong, where, and what to do about it: the one form in which mistakes travel through the program."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where a problem is.

    ``subject`` names the object: a file, a path, an agent, a URL. ``line`` and ``column`` count from 1; 0 means that
    the object has no lines. ``source`` is the text of that line, already free of secrets, or empty.
    """

    subject: str
    line: int = 0
    column: int = 0
    source: str = ""

    def __str__(self) -> str:
        if not self.line:
            return self.subject
        return f"{self.subject}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake or one remark.

    ``what`` says what is wrong, ``fix`` what to do (may be empty). A ``remark`` stops nothing: it is shown and the
    work goes on.
    """

    where: Place
    what: str
    fix: str = ""
    remark: bool = False

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}"
        return f"{line} ({self.fix})" if self.fix else line


class ProvisionerError(Exception):
    """An error this program knows and survives; everything else is a bug and ends the process."""

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))
