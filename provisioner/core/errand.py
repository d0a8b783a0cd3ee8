"""What the daemon asks of a courier and what that answers, as values and as JSON.

Nobody trusts the other side's JSON: what does not say exactly what it should is a FrameError.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, TypeVar

from provisioner.core.frame import FrameError
from provisioner.core.parcel import Brought, Layout, Parcel, State, TargetReport
from provisioner.core.plan import DesiredFile
from provisioner.core.problem import Problem, ProvisionerError
from provisioner.core.report import problem_as_json, problem_from_json

PROTOCOL = 1
T = TypeVar("T")
JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hello:
    """A courier's first message. ``version`` is the program's, ``agents`` are those whose files it has."""

    protocol: int
    version: str
    agents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bring:
    """Make the agent's files what the parcels say; answered with ``Brought``."""

    agent: str
    parcels: tuple[Parcel, ...]


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove all files of the agent; answered with a ``Brought`` without targets."""

    agent: str


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


Errand = Bring | Remove | Look | Run


def hello_as_json(hello: Hello) -> JSON:
    """The first message."""
    return {"courier": hello.protocol, "version": hello.version, "agents": list(hello.agents)}


def hello_from_json(value: Mapping[str, Any]) -> Hello:
    """Raises FrameError."""
    return _read(lambda: Hello(_of(int, value["courier"]), _of(str, value["version"]), _texts(value["agents"])))


def errand_as_json(errand: Errand) -> JSON:
    """One errand."""
    match errand:
        case Bring(agent, parcels):
            return {"do": "bring", "agent": agent, "parcels": [_parcel_as_json(parcel) for parcel in parcels]}
        case Remove(agent):
            return {"do": "remove", "agent": agent}
        case Look(agents):
            return {"do": "look", "agents": list(agents)}
        case Run(argv, seconds):
            return {"do": "run", "argv": list(argv), "seconds": seconds}


def errand_from_json(value: Mapping[str, Any]) -> Errand:
    """Raises FrameError."""
    return _read(lambda: _errand(value))


def brought_as_json(brought: Brought) -> JSON:
    """What became of a delivery."""
    return {
        "targets": [_report_as_json(report) for report in brought.targets],
        "problems": [problem_as_json(problem) for problem in brought.problems],
        "freed": sorted(brought.freed),
    }


def brought_from_json(value: Mapping[str, Any], parcels: tuple[Parcel, ...] = ()) -> Brought:
    """What became of ``parcels``: a report for each, in their order. Raises FrameError."""
    brought = _read(
        lambda: Brought(
            tuple(map(_report, _list(value["targets"]))),
            tuple(map(_problem, _list(value["problems"]))),
            frozenset(_texts(value["freed"])),
        )
    )
    if [report.target for report in brought.targets] != [parcel.target for parcel in parcels]:
        raise FrameError("an answer speaks of other targets")
    return brought


def ran_as_json(ran: Ran) -> JSON:
    """How a command ended."""
    return {"code": ran.code, "cause": ran.cause}


def ran_from_json(value: Mapping[str, Any]) -> Ran:
    """Raises FrameError."""
    return _read(lambda: Ran(None if value["code"] is None else _of(int, value["code"]), _of(str, value["cause"])))


def touched_from_json(value: Mapping[str, Any]) -> frozenset[str]:
    """Raises FrameError."""
    return _read(lambda: frozenset(_texts(value["agents"])))


def problems_from_json(value: object) -> tuple[Problem, ...]:
    """Raises FrameError."""
    return _read(lambda: tuple(map(_problem, _list(value))))


def _errand(value: Mapping[str, Any]) -> Errand:
    match value["do"]:
        case "bring":
            return Bring(_of(str, value["agent"]), tuple(map(_parcel, _list(value["parcels"]))))
        case "remove":
            return Remove(_of(str, value["agent"]))
        case "look":
            return Look(_texts(value["agents"]))
        case "run":
            return Run(_texts(value["argv"]), float(_of(float, value["seconds"])))
    raise ValueError


def _parcel_as_json(parcel: Parcel) -> JSON:
    place = parcel.place
    folders = [str(folder) for folder in place.folders] if place else []
    where = {"base": place.base, "folder": str(place.folder), "folders": folders} if place else None
    return {"target": parcel.target, "place": where, "files": [_file_as_json(file) for file in parcel.files]}


def _parcel(value: JSON) -> Parcel:
    where = value["place"]
    place = where and Layout(
        _of(str, where["base"]),
        PurePosixPath(_of(str, where["folder"])),
        tuple(map(PurePosixPath, _texts(where["folders"]))),
    )
    return Parcel(_of(str, value["target"]), place, tuple(map(_file, _list(value["files"]))))


def _file_as_json(file: DesiredFile) -> JSON:
    content = base64.b64encode(file.content).decode("ascii")
    return {"path": str(file.path), "content": content, "mode": file.mode, "once": file.once}


def _file(value: JSON) -> DesiredFile:
    content = base64.b64decode(_of(str, value["content"]), validate=True)
    return DesiredFile(
        PurePosixPath(_of(str, value["path"])), content, _of(int, value["mode"]), _of(bool, value["once"])
    )


def _report_as_json(report: TargetReport) -> JSON:
    return {
        "target": report.target,
        "folder": report.folder,
        "state": str(report.state),
        "changed": list(report.changed),
        "problems": [problem_as_json(problem) for problem in report.problems],
        "renewed": report.renewed,
    }


def _report(value: JSON) -> TargetReport:
    return TargetReport(
        _of(str, value["target"]),
        _of(str, value["folder"]),
        State(value["state"]),
        _texts(value["changed"]),
        tuple(map(_problem, _list(value["problems"]))),
        _of(bool, value["renewed"]),
    )


def _problem(value: JSON) -> Problem:
    problem = problem_from_json(value)
    _texts([problem.where.subject, problem.what, problem.fix])
    _of(int, problem.where.line), _of(int, problem.where.column), _of(bool, problem.remark)
    return problem


def _read(make: Callable[[], T]) -> T:
    try:
        return make()
    except (KeyError, TypeError, ValueError, AttributeError, ProvisionerError):
        raise FrameError("a message does not say what it should") from None


def _of(kind: type[T], value: object) -> T:
    """``value``, if it is of that kind. JSON's true is no number, and its 1 may stand for 1.0."""
    wanted = (int, float) if kind is float else kind
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        raise TypeError
    return value  # type: ignore[return-value]


def _list(value: object) -> list[Any]:
    return _of(list, value)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_of(str, text) for text in _list(value))
