"""What a file would say differently, leaf by leaf, with nothing in it that anybody may not read."""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.core.formats import Leaves
from provisioner.core.render import Rendered
from provisioner.core.secret import STARS


def difference(wanted: Rendered, found: Leaves | None) -> tuple[str, ...]:
    """Lines ``+ name: value`` for new leaves, ``~ name: value`` for changed ones and ``- name`` for those that go.

    ``found`` are the leaves of the file that is there; None when there is none, or it cannot be read as one. Old values
    are never shown: one may be a secret that nobody knows of any more.
    """
    return tuple(_lines(wanted, dict(found or ())))


def _lines(wanted: Rendered, found: dict[str, str]) -> Iterator[str]:
    for name, value in wanted.leaves:
        shown = STARS if name in wanted.secret_leaves else value
        if name not in found:
            yield f"+ {name}: {shown}"
        elif found[name] != value:
            yield f"~ {name}: {shown}"
    kept = {name for name, _ in wanted.leaves}
    yield from (f"- {name}" for name in found if name not in kept)
