"""The word that was meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """``did you mean `x`?`` for the ``known`` word nearest to ``word``; empty when none is near (``likeness``)."""
    names = {_plain(name): name for name in known}
    close = get_close_matches(_plain(word), names, 1, likeness)
    return f"did you mean `{names[close[0]]}`?" if close else ""


def _plain(word: str) -> str:
    return word.lower().replace("-", "_").replace(" ", "_")
