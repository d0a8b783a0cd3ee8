"""What a file would say differently, leaf by leaf, with nothing in it that anybody may not read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from provisioner.core.formats import Leaves
from provisioner.core.render import Rendered
from provisioner.core.secret import STARS

# An element as the parser of XML names it: its name space, and its number among its neighbours.
_SPACE = re.compile(r"\{[^{}]*://[^{}]*\}")
_NUMBER = re.compile(r"\[\d+\]")


def difference(wanted: Rendered, found: Leaves | None) -> tuple[str, ...]:
    """Lines ``+ name: value`` for new leaves, ``~ name: value`` for changed ones and ``- name`` for those that go.

    ``found`` are the leaves of the file that is there; None when there is none, or it cannot be read as one. Old values
    are never shown: one may be a secret that nobody knows of any more.
    """
    return tuple(_lines(wanted, dict(found or ())))


def _lines(wanted: Rendered, found: dict[str, str]) -> Iterator[str]:
    public = {name: value for name, value in wanted.leaves if name not in wanted.secret_leaves}
    for name, value in filter(_is_of_use, wanted.leaves):
        shown = STARS if name in wanted.secret_leaves else value
        if name not in found:
            yield f"+ {_label(name, public)}: {shown}"
        elif found[name] != value:
            yield f"~ {_label(name, public)}: {shown}"
    kept = {name for name, _ in wanted.leaves}
    yield from (f"- {_label(name, public)}" for name in found if name and name not in kept)


def _is_of_use(leaf: tuple[str, str]) -> bool:
    return leaf[0] != ""  # the whole of a JSON file


def _label(name: str, leaves: Mapping[str, str]) -> str:
    """The name for people: an element of XML is called by its attribute ``name``, where ``leaves`` have one."""
    if not _SPACE.match(name):
        return name

    def called(number: re.Match[str]) -> str:
        own = leaves.get(f"{name[: number.end()]}@name")
        return number[0] if own is None else f"[{own}]"

    return _SPACE.sub("", _NUMBER.sub(called, name))
