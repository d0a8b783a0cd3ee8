"""Figures and how they are printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measurement: ``value`` and the ``bound`` it should stay below, in ``unit``; ``beside`` is the yardstick's."""

    what: str
    value: float
    unit: str
    bound: float | None = None
    beside: str = ""


def percentile(values: Iterable[float], share: float) -> float:
    """The value that ``share`` (from 0 to 1) of ``values`` do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def shown(figure: Figure) -> str:
    """The figure as a line of the table."""
    bound = "" if figure.bound is None else f"≤ {figure.bound:g}"
    verdict = "" if figure.bound is None else ("good" if figure.value <= figure.bound else "ABOVE")
    return f"{figure.what:<66} {figure.value:>9.2f} {figure.unit:<6} {bound:>9}  {verdict:<6} {figure.beside}"
