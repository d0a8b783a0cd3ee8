"""The header fields of a SIP message, in the order in which they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from provisioner.core.sip.grammar import split

# RFC 3261 section 20, RFC 3515, 3841, 3892, 4028, 6665, 8224.
_COMPACT = {
    "a": "accept-contact", "b": "referred-by", "c": "content-type", "d": "request-disposition",
    "e": "content-encoding", "f": "from", "i": "call-id", "j": "reject-contact", "k": "supported",
    "l": "content-length", "m": "contact", "o": "event", "r": "refer-to", "s": "subject", "t": "to",
    "u": "allow-events", "v": "via", "x": "session-expires", "y": "identity",
}  # fmt: skip
# A comma in these separates parameters, not values (RFC 3261 section 7.3.1).
_SINGLE = {"www-authenticate", "authorization", "proxy-authenticate", "proxy-authorization"}


@dataclass(frozen=True, slots=True)
class Header:
    """One header field: its name as it was written, and its value unfolded and without the blanks around it.

    ``raw`` is the whole field as it came, line folds and all, or empty for one that was made here; it takes no part in
    comparisons, and who changes a value makes a new field. ``key`` is the name that all spellings share: long and in
    lower case.
    """

    name: str
    value: str
    raw: str = field(default="", compare=False, repr=False)
    key: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", key_of(self.name))

    @property
    def text(self) -> str:
        """The field as it goes on the wire, without the line's end."""
        return self.raw or f"{self.name}: {self.value}"

    def values(self) -> Iterable[str]:
        """Its values, one by one where a comma joins several."""
        return (self.value,) if "," not in self.value or self.key in _SINGLE else split(self.value, ",")


@lru_cache(256)
def key_of(name: str) -> str:
    """The name that all spellings of a header share: long and in lower case."""
    name = name.lower()
    return _COMPACT.get(name, name)


@dataclass(frozen=True, slots=True)
class Headers:
    """All header fields of a message. ``Content-Length`` is not among them: it is framing.

    A change gives new headers, in which every field that it does not concern stands as it came, byte for byte.
    """

    fields: tuple[Header, ...] = ()

    def every(self, name: str) -> Iterator[str]:
        """The values of ``name`` in any spelling, one for each value also where a comma joins several."""
        key = key_of(name)
        for one in self.fields:
            if one.key == key:
                yield from one.values()

    def first(self, name: str) -> str:
        """The first value of ``name``, or ``""``."""
        key = key_of(name)
        for one in self.fields:
            if one.key == key:
                return next(iter(one.values()), "")
        return ""

    def on_top(self, name: str, value: str) -> Headers:
        """With one more field before all others."""
        return Headers((Header(name, value), *self.fields))

    def at_end(self, name: str, value: str) -> Headers:
        """With one more field behind all others."""
        return Headers((*self.fields, Header(name, value)))

    def changed(self, name: str, change: Callable[[str], str | None]) -> Headers:
        """With ``change`` made to each value of ``name``; a value that becomes None goes, an empty field with it."""
        key = key_of(name)
        made = [_changed(one, change) if one.key == key else one for one in self.fields]
        return Headers(tuple([one for one in made if one]))

    def without_first(self, name: str) -> Headers:
        """Without the first value of ``name``, whether it has a field of its own or shares one."""
        left = [True]
        return self.changed(name, lambda value: None if left and left.pop() else value)

    def without(self, *names: str) -> Headers:
        """Without all values of ``names``."""
        keys = set(map(key_of, names))
        return Headers(tuple([one for one in self.fields if one.key not in keys]))

    def with_one(self, name: str, value: str) -> Headers:
        """With ``value`` as the only one of ``name``, in the place of the first."""
        if not self.first(name):
            return self.without(name).at_end(name, value)
        new = [value]
        return self.changed(name, lambda _: new.pop() if new else None)


def _changed(one: Header, change: Callable[[str], str | None]) -> Header | None:
    before = list(one.values())
    after = [change(value) for value in before]
    if before == after:
        return one
    kept = [value for value in after if value is not None]
    return Header(one.name, ", ".join(kept)) if kept else None
