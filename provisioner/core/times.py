"""Lengths of time as the YAML writes them."""

from __future__ import annotations

import re

from provisioner.core.schema_words import DURATION

LENGTH = re.compile(DURATION)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(length: str) -> float:
    """``200ms``, ``10s``, ``5m``, ``1h``, ``2d`` in seconds. Anything else was refused by the schema."""
    number = length.rstrip("msdh")
    return round(float(number) * _SECONDS[length[len(number) :]], 6)
