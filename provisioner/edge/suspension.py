"""How long the machine was suspended: what CLOCK_BOOTTIME counts and CLOCK_MONOTONIC does not (clock_gettime(2))."""

from __future__ import annotations

import time
from collections.abc import Callable


def asleep() -> float:
    """Seconds that this machine was suspended since it was switched on."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


class Suspensions:
    """Tells each suspension once. ``asleep`` gives the seconds of all so far."""

    def __init__(self, asleep: Callable[[], float] = asleep) -> None:
        self._asleep = asleep
        self._told = asleep()

    def latest(self) -> float:
        """Seconds of suspension since this was asked last."""
        now = self._asleep()
        since, self._told = now - self._told, now
        return max(0.0, since)
