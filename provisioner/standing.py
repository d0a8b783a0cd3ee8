"""How the configuration on the disk stands: in force, or refused, since when and why."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from provisioner.core.problem import Problem
from provisioner.core.report import problem_as_json
from provisioner.telling import tell

log = logging.getLogger(__name__)


class Standing:
    """Since when the configuration is in force, and since when and why a newer one is refused (Unix seconds)."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._loaded_at = 0.0
        self._refused_at: float | None = None
        self._problems: tuple[Problem, ...] = ()
        self._remarks: tuple[Problem, ...] = ()
        self._told: tuple[Problem, ...] = ()

    @property
    def refused(self) -> bool:
        """Is there a newer configuration that cannot be used?"""
        return self._refused_at is not None

    def accept(self, remarks: tuple[Problem, ...], *, new: bool) -> None:
        """What is on the disk is in force, in spite of ``remarks``; ``new`` says that it was another one before."""
        if self.refused:
            log.info("configuration: what is on the disk is in force")
        self._refused_at, self._problems, self._remarks = None, (), remarks
        if new:
            self._loaded_at = self._now()

    def refuse(self, problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
        """What is on the disk cannot be used; said once, and given back."""
        for problem in problems if problems != self._problems else ():
            log.error("configuration refused: %s", problem)
        self._refused_at, self._problems = self._refused_at or self._now(), problems
        return problems

    def tell(self, problems: Iterable[Problem]) -> None:
        """Log what is wrong though the configuration is in force, and ``problems`` beside it, once, and when it is
        over."""
        found = (*problems, *self._remarks)
        before, self._told = self._told, tuple(problem for problem in found if not problem.remark)
        tell(before, self._told)

    def as_json(self, problems: Iterable[Problem]) -> dict[str, Any]:
        """For the status; ``problems`` are those beside the configuration."""
        return {
            "loaded_at": self._loaded_at,
            "refused_at": self._refused_at,
            "problems": [problem_as_json(problem) for problem in (*self._problems, *problems, *self._remarks)],
        }
