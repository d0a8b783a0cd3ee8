"""Where a setting belongs that stands in the wrong place."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from operator import eq

from provisioner.core.schema import keys
from provisioner.core.schema_words import Schema


def belongs(name: str, path: Iterable[str | int], schema: Schema) -> str:
    """What to do about the key ``name`` of the mapping at ``path``, which knows it not: where else ``schema`` has it.

    Empty when it has it nowhere. The places nearest to ``path`` are named.
    """
    here = _segments(path)
    homes = [full.split(".")[:-1] for full, _ in keys(schema) if full.rpartition(".")[2] == name]
    if not homes:
        return ""
    costs = [(-_shared(here, home), len(home)) for home in homes]
    nearest = [home for home, cost in zip(homes, costs, strict=True) if cost == min(costs)]
    if [] in nearest:
        return "begin it at the left margin"
    return f"it belongs {' or '.join(dict.fromkeys(_words(home[-1]) for home in nearest))}"


def _shared(one: list[str], other: list[str]) -> int:
    """How many segments at their beginning are the same."""
    return len(list(takewhile(bool, map(eq, one, other))))


def _segments(path: Iterable[str | int]) -> list[str]:
    """``path`` as the names of settings are written: ``agents``, 0, ``account`` is agents[] and account."""
    segments: list[str] = []
    for step in path:
        if isinstance(step, str):
            segments.append(step)
        elif segments:
            segments[-1] += "[]"
    return segments


def _words(home: str) -> str:
    return f"to an item of `{home[:-2]}`" if home.endswith("[]") else f"below `{home}:`"
