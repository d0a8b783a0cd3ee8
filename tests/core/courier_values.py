"""Values that travel between daemon and courier, all that there can be; and messages that are almost right."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from provisioner.core.parcel import Layout, Parcel
from provisioner.core.plan import DesiredFile

# However slow the machine is.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# With lone surrogates and whatever else a text can hold.
TEXTS = st.text(st.characters(), max_size=20)
NAMES = st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..")
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(lambda parts: PurePosixPath(*parts))
FILES = st.builds(DesiredFile, PATHS, st.binary(max_size=50), st.integers(0, 0o777), st.booleans())
BASES = st.just("/") | PATHS.map(lambda path: f"/{path}")
LAYOUTS = st.builds(Layout, BASES, PATHS, st.lists(PATHS, max_size=2).map(tuple))
CONTENT = st.lists(FILES, max_size=3, unique_by=lambda file: file.path).map(tuple)
FILLED = st.builds(Parcel, TEXTS, LAYOUTS, CONTENT, st.booleans())
PARCELS = st.lists(FILLED | st.builds(Parcel, TEXTS, st.none()), max_size=3).map(tuple)

WRONG: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 10**400, 1e308, 0.5, "", "x", "../x", "/x", "\0", "\ud800", [], [[]], [None], [0],
    {}, {"a": 1}, [{}], [["x"]], {"do": "run"},
)  # fmt: skip


def almost(message: Any) -> Iterator[Any]:
    """``message`` with one of its parts missing, or replaced by each wrong value."""
    for path in list(_paths(message)):
        for wrong in WRONG:
            yield _changed(message, path, lambda holder, key, wrong=wrong: holder.__setitem__(key, wrong))
        yield _changed(message, path, lambda holder, key: holder.__delitem__(key))


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from _paths(inner, (*path, key))


def _changed(message: Any, path: tuple[Any, ...], change: Any) -> Any:
    changed = holder = copy.deepcopy(message)
    for key in path[:-1]:
        holder = holder[key]
    change(holder, path[-1])
    return changed
