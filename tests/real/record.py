"""What was seen with real phones: kept in record.json, told in the manifests and READMEs of the targets.

``RECORD=1 pytest tests/real`` makes the record anew; ``python -m tests.real.record`` then writes it into the targets.
Without that, each test holds what it sees against the record.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

FILE = Path(__file__).with_name("record.json")
TEMPLATES = Path(__file__).parents[2] / "templates"
SERVER = "Asterisk 16 (chan_sip, and chan_pjsip where it says so)"
_ROW = "Tried with a real server: "

# Target → phone with version → transport → what was seen.
Seen = dict[str, dict[str, dict[str, list[str]]]]


@dataclass
class Record:
    """What was seen until now; ``writing`` says that a new record is being made."""

    seen: Seen = field(default_factory=dict)
    writing: bool = False

    def saw(self, target: str, user_agent: str, transport: str, *what: str) -> None:
        """Note it; raises AssertionError when the record has the phone and does not say so."""
        phone = user_agent.split(" (")[0]
        if not self.writing and phone not in self.seen.get(target, {}):
            return  # Another version than the one of the record is another phone.
        known = self.seen.setdefault(target, {}).setdefault(phone, {}).setdefault(transport, [])
        new = [one for one in what if one not in known]
        assert self.writing or not new, f"not in {FILE.name}: {target}, {phone}, {transport}: {new}"
        known[:] = sorted([*known, *new])


def opened() -> Record:
    """The record as it is, or an empty one to be filled."""
    if os.environ.get("RECORD"):
        return Record(writing=True)
    return Record(json.loads(FILE.read_text()) if FILE.exists() else {})


def closed(record: Record) -> None:
    """Keep the record if it was made anew."""
    if record.writing:
        FILE.write_text(json.dumps(record.seen, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def lines(seen: Seen, target: str) -> Iterator[tuple[str, str, str]]:
    """Phone, transport and all that was seen, of one target."""
    for phone, transports in sorted(seen.get(target, {}).items()):
        for transport, what in sorted(transports.items()):
            yield phone, transport, ", ".join(what)


def manifest(text: str, seen: Seen, target: str) -> str:
    """A manifest with what was seen as its last entry."""
    before = text.partition("tried_with:\n")[0]
    told = [
        f"  - {json.dumps(f'{phone} over {transport}: {what}')}\n" for phone, transport, what in lines(seen, target)
    ]
    return before + ("tried_with:\n" + "".join(told) if told else "")


def readme(text: str, seen: Seen, target: str) -> str:
    """A README with what was seen at its end."""
    before = text.partition(_ROW)[0]
    rows = [f"| {phone} | {transport} | {what} |\n" for phone, transport, what in lines(seen, target)]
    if not rows:
        return f"{before}{_ROW}not yet\n"
    return f"{before}{_ROW}{SERVER}\n\n| phone | transport | seen at the server |\n|---|---|---|\n{''.join(rows)}"


if __name__ == "__main__":
    for folder in sorted(path.parent for path in TEMPLATES.glob("*/manifest.yaml")):
        for name, told in (("manifest.yaml", manifest), ("README.md", readme)):
            file = folder / name
            file.write_text(told(file.read_text(), opened().seen, folder.name))
