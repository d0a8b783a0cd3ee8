"""What a courier answers, as values and as JSON.

It runs as a user whom nobody has to trust: what it says is held against what it was asked, what people will read is
cut short and cannot steer their terminal, and anything else is a FrameError.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from provisioner.core.errand import JSON, Ran
from provisioner.core.exact import exactly, listed, reading, texts, whole
from provisioner.core.frame import FrameError
from provisioner.core.parcel import Brought, Parcel, State, TargetReport
from provisioner.core.problem import Place, Problem
from provisioner.core.report import printable, problem_as_json

LONGEST_TEXT = 1000
MOST_PROBLEMS = 10


def brought_as_json(brought: Brought) -> JSON:
    """What became of a delivery."""
    return {
        "targets": [_report_as_json(report) for report in brought.targets],
        "problems": problems_as_json(brought.problems),
        "freed": sorted(brought.freed),
    }


def brought_from_json(value: Mapping[str, Any], parcels: tuple[Parcel, ...] = ()) -> Brought:
    """What became of ``parcels``: a report for each, in their order. Raises FrameError."""
    return reading(
        lambda: Brought(
            tuple(_report(report, parcel) for report, parcel in zip(listed(value["targets"]), parcels, strict=True)),
            _problems(value["problems"]),
            frozenset(texts(value["freed"])),
        )
    )


def ran_as_json(ran: Ran) -> JSON:
    """How a command ended."""
    return {"code": ran.code, "cause": ran.cause}


def ran_from_json(value: Mapping[str, Any]) -> Ran:
    """Raises FrameError."""
    return reading(lambda: _ran(value["code"], _text(value["cause"])))


def touched_as_json(agents: Iterable[str]) -> JSON:
    """The agents whose files somebody touched."""
    return {"agents": list(agents)}


def touched_from_json(value: Mapping[str, Any], asked: Collection[str]) -> frozenset[str]:
    """Those of the ``asked`` agents whose files somebody touched. Raises FrameError."""
    touched = reading(lambda: frozenset(texts(value["agents"])))
    if not touched <= set(asked):
        raise FrameError("an answer speaks of other agents")
    return touched


def folders_as_json(folders: Iterable[str]) -> JSON:
    """The folders that would get new content."""
    return {"folders": sorted(folders)}


def folders_from_json(value: Mapping[str, Any], parcels: Iterable[Parcel]) -> frozenset[str]:
    """The folders of those ``parcels`` that would bring new content. Raises FrameError."""
    folders = reading(lambda: frozenset(texts(value["folders"])))
    if not folders <= {parcel.folder for parcel in parcels if parcel.place}:
        raise FrameError("an answer speaks of other folders")
    return folders


def back_as_json(back: bool) -> JSON:
    """Whether files came back."""
    return {"back": back}


def back_from_json(value: Mapping[str, Any]) -> bool:
    """Raises FrameError."""
    return reading(lambda: exactly(bool, value["back"]))


def problems_as_json(problems: Iterable[Problem]) -> list[JSON]:
    """The problems, or so many of them as somebody will read: mistakes before remarks."""
    found = tuple(problems)
    few = found if len(found) <= MOST_PROBLEMS else sorted(found, key=lambda problem: problem.remark)[:MOST_PROBLEMS]
    return [problem_as_json(problem) for problem in map(_readable, few)]


def problems_from_json(value: object) -> tuple[Problem, ...]:
    """Why something could not be done: one problem or more. Raises FrameError."""
    problems = reading(lambda: _problems(value))
    if not problems:
        raise FrameError("an answer gives no reason")
    return problems


def _report_as_json(report: TargetReport) -> JSON:
    return {
        "target": report.target,
        "state": str(report.state),
        "changed": list(report.changed),
        "problems": problems_as_json(report.problems),
        "renewed": report.renewed,
    }


def _report(value: JSON, parcel: Parcel) -> TargetReport:
    state, changed = State(exactly(str, value["state"])), texts(value["changed"])
    possible = {State.WRITTEN, State.UNCHANGED, State.KEPT, State.NEVER} if parcel.files else {State.KEPT, State.NEVER}
    renewed = exactly(bool, value["renewed"])
    if value["target"] != parcel.target or state not in possible or not set(changed) <= _paths(parcel):
        raise ValueError
    if bool(changed) != (state is State.WRITTEN) or len(set(changed)) < len(changed) or renewed > bool(changed):
        raise ValueError
    return TargetReport(parcel.target, parcel.folder, state, changed, _problems(value["problems"]), renewed)


def _paths(parcel: Parcel) -> set[str]:
    base = parcel.place.base.rstrip("/") if parcel.place else ""
    return {f"{base}/{file.path}" for file in parcel.files}


def _ran(code: object, cause: str) -> Ran:
    if (code is None) != bool(cause):
        raise ValueError
    return Ran(None if code is None else whole(code, -64, 255), cause)


def _problems(value: object) -> tuple[Problem, ...]:
    problems = listed(value)
    if len(problems) > MOST_PROBLEMS:
        raise ValueError
    return tuple(map(_problem, problems))


def _problem(value: JSON) -> Problem:
    where = Place(_text(value["where"]))
    return Problem(where, _text(value["what"]), _text(value["fix"]), exactly(bool, value["remark"]))


def _text(value: object) -> str:
    return _short(exactly(str, value))


def _readable(problem: Problem) -> Problem:
    where = Place(_short(str(problem.where)))
    return Problem(where, _short(problem.what), _short(problem.fix), problem.remark)


def _short(text: str) -> str:
    return printable(text[:LONGEST_TEXT])[:LONGEST_TEXT]
