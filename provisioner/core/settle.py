"""When a burst of changes is acted on: after a quiet time, but never later than an upper bound."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Burst:
    """Changes that belong together; times are seconds of one monotonic clock."""

    first: float
    last: float

    def went_on(self, at: float) -> Burst:
        """The burst with one more change."""
        return replace(self, last=at)


def due(burst: Burst, *, quiet: float, at_most: float) -> float:
    """When to act: ``quiet`` seconds after the last change, ``at_most`` seconds after the first."""
    return min(burst.last + quiet, burst.first + at_most)
