"""CSeq numbers at the server: a request that the relay signs takes a number more than its phone knows of.

Where they begin depends on the clock, so that a relay that has forgotten everything goes on above what it used before:
a server answers nothing below.
"""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.core.sip.reply import LARGEST_NUMBER

_EPOCH = 1_700_000_000
_ROOM = 1 << 24


@dataclass(slots=True)
class _Numbers:
    ahead: int = 0
    last: int = 0
    invite: tuple[int, int] = (0, 0)


class Sequences:
    """The numbers of one account's phones, by Call-ID. They outlive a phone's connection, as dialogs do; of more than
    ``most`` Call-IDs the one that rested longest is forgotten. ``now`` is in Unix seconds."""

    def __init__(self, now: float, most: int = 1024) -> None:
        self._start = max(int(now) - _EPOCH, 0)
        self._most = most
        self._known: dict[str, _Numbers] = {}

    def next(self, call_id: str, number: int, method: str) -> int:
        """The number at the server for the phone's next request, which has ``number``; above all before."""
        known = self._known.pop(call_id, None) or _Numbers(self._first(number))
        self._known[call_id] = known
        if len(self._known) > self._most:
            del self._known[next(iter(self._known))]
        known.last = max(number + known.ahead, known.last + 1)
        known.ahead = known.last - number
        if method == "INVITE":
            known.invite = (number, known.last)
        return known.last

    def of(self, call_id: str, number: int) -> int:
        """The number at the server that the phone's INVITE ``number`` got last: for its ACK and RAck."""
        known = self._known.get(call_id) or _Numbers(self._first(number))
        return known.invite[1] if known.invite[0] == number else number + known.ahead

    def _first(self, number: int) -> int:
        """How far ahead a dialog begins; not at all where the phone's own numbers are too high for it."""
        return self._start if number < LARGEST_NUMBER - _ROOM - self._start else 0
