"""What the daemon asks of a courier, as values and as JSON.

Nobody trusts the other side's JSON: what does not say exactly what it should is a FrameError.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provisioner.core.exact import exactly, listed, number, path, reading, texts, whole
from provisioner.core.parcel import Layout, Parcel
from provisioner.core.plan import DesiredFile

PROTOCOL = 1
LONGEST_RUN = 3600.0  # seconds
JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hello:
    """A courier's first message. ``version`` is the program's."""

    protocol: int
    version: str


@dataclass(frozen=True, slots=True)
class Bring:
    """Make the agent's files what the parcels say; answered with ``Brought``."""

    agent: str
    parcels: tuple[Parcel, ...]


@dataclass(frozen=True, slots=True)
class Peek:
    """Which of the parcels would bring new content? Answered with their folders; nothing is written."""

    parcels: tuple[Parcel, ...]


@dataclass(frozen=True, slots=True)
class Previous:
    """Bring ``back`` what the files of a parcel that ``keeps`` held before, or forget it. Answered with whether
    anything came back."""

    agent: str
    place: Layout
    back: bool


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove all files of the agent; answered with a ``Brought`` without targets."""

    agent: str


@dataclass(frozen=True, slots=True)
class KeepOnly:
    """Remove all files of everybody but these agents; answered with a ``Brought`` without targets."""

    agents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """Who of these agents has files that somebody touched? Answered with their names."""

    agents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Run a command for at most so many seconds; answered with ``Ran``."""

    argv: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended: its exit ``code`` (negative: the signal), None when it did not start or was overdue, and
    then ``cause``."""

    code: int | None
    cause: str = ""


Errand = Bring | Peek | Previous | Remove | KeepOnly | Look | Run


def hello_as_json(hello: Hello) -> JSON:
    """The first message."""
    return {"courier": hello.protocol, "version": hello.version}


def hello_from_json(value: Mapping[str, Any]) -> Hello:
    """Raises FrameError. Of another protocol's hello only the number is read."""
    protocol = reading(lambda: exactly(int, value["courier"]))
    return Hello(protocol, reading(lambda: exactly(str, value["version"])) if protocol == PROTOCOL else "")


def errand_as_json(errand: Errand) -> JSON:
    """One errand."""
    match errand:
        case Bring(agent, parcels):
            return {"do": "bring", "agent": agent, "parcels": [_parcel_as_json(parcel) for parcel in parcels]}
        case Peek(parcels):
            return {"do": "peek", "parcels": [_parcel_as_json(parcel) for parcel in parcels]}
        case Previous(agent, place, back):
            return {"do": "previous", "agent": agent, "place": _layout_as_json(place), "back": back}
        case Remove(agent):
            return {"do": "remove", "agent": agent}
        case KeepOnly(agents):
            return {"do": "keep", "agents": list(agents)}
        case Look(agents):
            return {"do": "look", "agents": list(agents)}
        case Run(argv, seconds):
            return {"do": "run", "argv": list(argv), "seconds": seconds}


def errand_from_json(value: Mapping[str, Any]) -> Errand:
    """Raises FrameError."""
    return reading(lambda: _errand(value))


def _errand(value: Mapping[str, Any]) -> Errand:
    match value["do"]:
        case "bring":
            return Bring(exactly(str, value["agent"]), tuple(map(_parcel, listed(value["parcels"]))))
        case "peek":
            return Peek(tuple(map(_parcel, listed(value["parcels"]))))
        case "previous":
            return Previous(exactly(str, value["agent"]), _layout(value["place"]), exactly(bool, value["back"]))
        case "remove":
            return Remove(exactly(str, value["agent"]))
        case "keep":
            return KeepOnly(texts(value["agents"]))
        case "look":
            return Look(texts(value["agents"]))
        case "run" if value["argv"]:
            return Run(texts(value["argv"]), number(value["seconds"], 0, LONGEST_RUN))
    raise ValueError


def _parcel_as_json(parcel: Parcel) -> JSON:
    place = _layout_as_json(parcel.place) if parcel.place else None
    files = [_file_as_json(file) for file in parcel.files]
    return {"target": parcel.target, "place": place, "files": files, "keeps": parcel.keeps}


def _layout_as_json(place: Layout) -> JSON:
    return {"base": place.base, "folder": str(place.folder), "folders": list(map(str, place.folders))}


def _parcel(value: JSON) -> Parcel:
    place = None if value["place"] is None else _layout(value["place"])
    files = tuple(map(_file, listed(value["files"])))
    return Parcel(exactly(str, value["target"]), place, files, exactly(bool, value["keeps"]))


def _layout(value: JSON) -> Layout:
    base = exactly(str, value["base"])
    if not base.startswith("/") or "\0" in base:
        raise ValueError
    return Layout(base, path(value["folder"]), tuple(map(path, texts(value["folders"]))))


def _file_as_json(file: DesiredFile) -> JSON:
    content = base64.b64encode(file.content).decode("ascii")
    return {"path": str(file.path), "content": content, "mode": file.mode, "once": file.once}


def _file(value: JSON) -> DesiredFile:
    content = base64.b64decode(exactly(str, value["content"]), validate=True)
    return DesiredFile(path(value["path"]), content, whole(value["mode"], 0, 0o777), exactly(bool, value["once"]))
