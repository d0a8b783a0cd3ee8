"""The header fields of a SIP message, in the order in which they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
    """One header field: its name as it was written, and its value unfolded and without the blanks around it."""

    name: str
    value: str

    @property
    def key(self) -> str:
        """The name that all spellings share: long and in lower case."""
        name = self.name.lower()
        return _COMPACT.get(name, name)


@dataclass(frozen=True, slots=True)
class Headers:
    """All header fields of a message. ``Content-Length`` is not among them: it is framing."""

    fields: tuple[Header, ...] = ()

    def every(self, name: str) -> Iterator[str]:
        """The values of ``name`` in any spelling, one for each value also where a comma joins several."""
        key = Header(name, "").key
        for field in self.fields:
            if field.key == key:
                yield from (field.value,) if key in _SINGLE else split(field.value, ",")

    def first(self, name: str) -> str:
        """The first value of ``name``, or ``""``."""
        return next(self.every(name), "")
