"""What a courier answers, there and back; and the lies that it is caught at."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.answer import (
    LONGEST_TEXT,
    MOST_PROBLEMS,
    back_as_json,
    back_from_json,
    brought_as_json,
    brought_from_json,
    folders_as_json,
    folders_from_json,
    problems_as_json,
    problems_from_json,
    ran_as_json,
    ran_from_json,
    touched_as_json,
    touched_from_json,
)
from provisioner.core.errand import Ran
from provisioner.core.frame import FrameError
from provisioner.core.parcel import Brought, Layout, Parcel, State, TargetReport
from provisioner.core.plan import DesiredFile
from provisioner.core.problem import Place, Problem
from tests.core.courier_values import FILLED, PARCELS, PATIENT, TEXTS, almost

READABLE = st.text(st.characters(exclude_categories=("C", "Z")), max_size=20)
PROBLEMS = st.lists(st.builds(Problem, READABLE.map(Place), READABLE, READABLE, st.booleans()), max_size=3).map(tuple)
PHONE = Parcel(
    "phone",
    Layout("/home/ana", PurePosixPath(".phone"), ()),
    tuple(DesiredFile(PurePosixPath(f".phone/{name}"), b"x") for name in ("a", "b")),
)
NOTHING = Parcel("other", PHONE.place)
WROTE = TargetReport("phone", "/home/ana/.phone", State.WRITTEN, ("/home/ana/.phone/a",), (), renewed=True)
REMARK = Problem(Place("/home/ana/.phone/a"), "was there", "look", remark=True)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[tuple[Parcel, ...], Brought]:
    """Parcels, and what can become of them."""
    parcels = draw(PARCELS)
    reports = tuple(draw(_reports(parcel)) for parcel in parcels)
    return parcels, Brought(reports, draw(PROBLEMS), draw(st.frozensets(TEXTS, max_size=3)))


def _reports(parcel: Parcel) -> st.SearchStrategy[TargetReport]:
    states = [State.UNCHANGED, State.KEPT, State.NEVER] if parcel.files else [State.KEPT, State.NEVER]
    still = st.builds(
        TargetReport, st.just(parcel.target), st.just(parcel.folder), st.sampled_from(states), st.just(()), PROBLEMS
    )
    if not parcel.files or parcel.place is None:
        return still
    paths = [f"{parcel.place.base.rstrip('/')}/{file.path}" for file in parcel.files]
    changed = st.lists(st.sampled_from(paths), min_size=1, unique=True).map(tuple)
    wrote = st.builds(
        TargetReport, st.just(parcel.target), st.just(parcel.folder), st.just(State.WRITTEN), changed, PROBLEMS,
        st.booleans(),
    )  # fmt: skip
    return still | wrote


@PATIENT
@given(deliveries())
def test_what_became_of_a_delivery_arrives_as_it_was_sent(delivery: tuple[tuple[Parcel, ...], Brought]):
    parcels, brought = delivery
    assert brought_from_json(json.loads(json.dumps(brought_as_json(brought))), parcels) == brought


@PATIENT
@given(st.builds(Ran, st.integers(-64, 255)) | st.builds(Ran, st.none(), READABLE.filter(bool)))
def test_how_a_command_ended_arrives_as_it_was_sent(ran: Ran):
    assert ran_from_json(json.loads(json.dumps(ran_as_json(ran)))) == ran


@PATIENT
@given(st.frozensets(TEXTS, max_size=5))
def test_who_was_touched_arrives_as_it_was_sent(agents: frozenset[str]):
    assert touched_from_json(json.loads(json.dumps(touched_as_json(agents))), agents) == agents


@PATIENT
@given(FILLED)
def test_almost_an_answer_is_one_or_an_error_and_nothing_else(parcel: Parcel):
    report = TargetReport(parcel.target, "", State.NEVER, (), (REMARK,))
    for wrong in almost(brought_as_json(Brought((report,), (REMARK,), frozenset({"ana"})))):
        try:
            brought = brought_from_json(wrong, (parcel,))
        except FrameError:
            continue
        assert [one.target for one in brought.targets] == [parcel.target]
        assert all(len(problem.what) <= LONGEST_TEXT for problem in brought.problems)


def lie(**changes: object) -> dict[str, Any]:
    message = brought_as_json(Brought((WROTE, TargetReport("other", "", State.NEVER, (), ()))))
    message["targets"][0] |= changes
    return message


def of_nothing(**changes: object) -> dict[str, Any]:
    message = lie()
    message["targets"][1] |= changes
    return message


@pytest.mark.parametrize(
    "message",
    [
        lie(target="baresip"),
        lie(target=["phone"]),
        lie(state="waits for the session"),
        lie(state="never heard of"),
        lie(state=[]),
        lie(changed=["/etc/shadow"]),
        lie(changed=["/home/ana/.phone/a"] * 2),
        lie(changed=[]),
        lie(state="unchanged"),
        lie(state="not written"),
        lie(state="unchanged", changed=[], renewed=True),
        lie(renewed=1),
        of_nothing(state="written"),
        of_nothing(state="unchanged"),
        of_nothing(state="written", changed=["/home/ana/.phone/a"]),
        {**lie(), "targets": lie()["targets"][:1]},
        {**lie(), "targets": lie()["targets"] * 2},
        {**lie(), "targets": lie()["targets"][::-1]},
        {**lie(), "freed": "ana"},
        {**lie(), "freed": [["ana"]]},
        {**lie(), "problems": problems_as_json([REMARK]) * (MOST_PROBLEMS + 1)},
        {**lie(), "problems": [{**problems_as_json([REMARK])[0], "remark": "no"}]},
        {**lie(), "problems": ["wrong"]},
    ],
    ids=str,
)
def test_a_report_that_cannot_be_true_is_refused(message: dict[str, Any]):
    with pytest.raises(FrameError, match="does not say what it should"):
        brought_from_json(message, (PHONE, NOTHING))


def test_the_folder_is_the_one_that_was_asked_for_whatever_the_answer_says():
    brought = brought_from_json(lie(folder="/etc"), (PHONE, NOTHING))
    assert [report.folder for report in brought.targets] == ["/home/ana/.phone"] * 2
    assert brought.targets[0] == WROTE


@pytest.mark.parametrize("code", [256, -65, 10**400, True, "0", 0.0])
def test_an_exit_code_is_one_that_the_system_has(code: object):
    with pytest.raises(FrameError):
        ran_from_json({"code": code, "cause": ""})


@pytest.mark.parametrize("ran", [{"code": None, "cause": ""}, {"code": 0, "cause": "x"}, {"code": 0}, {"cause": "x"}])
def test_a_command_has_a_code_or_a_cause(ran: dict[str, Any]):
    with pytest.raises(FrameError):
        ran_from_json(ran)


def test_nobody_is_told_of_who_was_not_asked_about():
    with pytest.raises(FrameError, match="other agents"):
        touched_from_json({"agents": ["ana", "beto"]}, {"ana"})


def test_nobody_is_told_of_folders_that_were_not_asked_about():
    folders = {PHONE.place.absolute} if PHONE.place else set()
    assert folders_from_json(folders_as_json(folders), [PHONE, NOTHING]) == folders
    with pytest.raises(FrameError, match="other folders"):
        folders_from_json({"folders": ["/etc"]}, [PHONE])
    for wrong in ({}, {"folders": "/etc"}, {"folders": [1]}, {"folders": [[]]}):
        with pytest.raises(FrameError):
            folders_from_json(wrong, [PHONE])


@pytest.mark.parametrize("back", [True, False])
def test_whether_files_came_back_arrives_as_it_was_sent(back: bool):
    assert back_from_json(back_as_json(back)) is back


@pytest.mark.parametrize("wrong", [{}, {"back": 1}, {"back": None}, {"back": "no"}])
def test_files_came_back_or_did_not(wrong: dict[str, Any]):
    with pytest.raises(FrameError):
        back_from_json(wrong)


def test_a_failure_has_a_reason():
    assert problems_from_json(problems_as_json([REMARK])) == (REMARK,)
    with pytest.raises(FrameError, match="no reason"):
        problems_from_json([])


def test_what_people_read_is_short_and_steers_no_terminal():
    hostile = "\x1b]0;x\x07\r\n\u202e\ud800" + "ñ" * 10_000
    said = [{"where": hostile, "what": hostile, "fix": hostile, "remark": False}]
    (problem,) = problems_from_json(said)
    for text in (problem.where.subject, problem.what, problem.fix):
        assert text.isprintable() and len(text) == LONGEST_TEXT
    assert len(ran_from_json({"code": None, "cause": hostile}).cause) == LONGEST_TEXT


def test_of_many_problems_mistakes_are_told_before_remarks():
    mistake = Problem(Place("/home/ana/.phone/b"), "the disk is full")
    told = problems_from_json(problems_as_json([*[REMARK] * 50, mistake]))
    assert told == (mistake, *[REMARK] * (MOST_PROBLEMS - 1))


def test_a_problem_with_a_line_is_told_as_text():
    (told,) = problems_from_json(problems_as_json([Problem(Place("a.yaml", 3, 4), "wrong")]))
    assert told.where == Place("a.yaml:3:4")


def test_only_folders_that_were_asked_for_can_change():
    said = folders_as_json({"/home/ana/.phone"})
    assert folders_from_json(json.loads(json.dumps(said)), [PHONE, Parcel("x")]) == {"/home/ana/.phone"}
    with pytest.raises(FrameError, match="other folders"):
        folders_from_json(said, [Parcel("x")])
    for wrong in almost(said):
        with suppress(FrameError):
            assert folders_from_json(wrong, [PHONE]) <= {"/home/ana/.phone"}


@pytest.mark.parametrize("back", [False, True])
def test_whether_files_came_back_is_yes_or_no(back: bool):
    assert back_from_json(json.loads(json.dumps(back_as_json(back)))) is back


@pytest.mark.parametrize("wrong", [{}, {"back": 1}, {"back": None}, {"back": "true"}])
def test_anything_else_is_no_answer_to_that(wrong: dict[str, Any]):
    with pytest.raises(FrameError):
        back_from_json(wrong)
