"""Which values a phone cannot hold, by its manifest's ``limits`` and by what no file can hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from provisioner.core.escape import forbidden
from provisioner.core.secret import Secret
from provisioner.core.target import Target

# Made of other names, which are checked themselves.
_MADE = frozenset({"display_quoted", "user", "aor", "name_addr", "registrar", "outbound_proxy_uri", "ice_servers"})
# Not even one character of a secret is shown.
_SECRET = frozenset({"ha1", "password", "turn", "ice_servers"})


def unholdable(target: Target, names: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What ``target`` cannot hold of the values of ``names``, and what to do about each."""
    for name, value in names.items():
        limit = target.limits.get(name)
        if limit is None and name in _MADE:
            continue
        for text in _texts(value):
            found = forbidden(text, limit.refuse if limit else "")
            if found:
                shown = "a character" if name in _SECRET else found
                yield f"{target.name} cannot hold {shown} in `{name}`", "remove it"
            elif limit and limit.longest and len(text.encode()) > limit.longest:
                what = f"{target.name} holds at most {limit.longest} bytes in `{name}`"
                yield what, f"shorten it: it has {len(text.encode())}"


def _texts(value: object) -> Iterable[str]:
    match value:
        case str():
            return (value,)
        case int():
            return ()
        case Secret():
            return (value.reveal(),)
        case list() | tuple():
            return [text for item in value for text in _texts(item)]
        case Mapping():
            return [text for item in value.values() for text in _texts(item)]
    return ()
