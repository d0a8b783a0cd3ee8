"""Telling of problems in the journal: each once when it comes, and once when it is over."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from provisioner.core.problem import Problem

log = logging.getLogger(__name__)


def tell(before: Iterable[Problem], now: Iterable[Problem], *, who: str = "") -> None:
    """Log the problems of ``now`` that were not there ``before``, and those of ``before`` that are over, except
    remarks. ``who`` begins each line."""
    was, found = dict.fromkeys(before), dict.fromkeys(now)
    for problem in found:
        if problem not in was:
            log.log(logging.INFO if problem.remark else logging.WARNING, "%s%s", who, problem)
    for problem in was:
        if problem not in found and not problem.remark:
            log.info("%sover: %s: %s", who, problem.where, problem.what)
