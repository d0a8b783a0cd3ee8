"""What becomes of what a phone is still to be told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.errand import Ran
from provisioner.core.pending import Reload
from provisioner.core.reload import (
    Decision,
    Wish,
    after,
    asked,
    due,
    free,
    is_overdue,
    judged,
    problem_of,
    put_off,
    reload_as_json,
    renewed,
    resumed,
    rolled_back,
    rolls_back,
)
from provisioner.core.settings import ReloadPolicy

NOBODY = Reload("ana", "/home/ana/phone", "phone")
POLICY = ReloadPolicy(
    ("/bin/tell", "it"),
    final_codes=frozenset({2}),
    first_retry=5.0,
    longest_retry=60.0,
    busy_every=5.0,
    busy_limit=60.0,
)
BACK = replace(POLICY, rolls_back=True, roll_back_after=2)
NEWS = renewed(NOBODY, 100.0, content="m1")
FAILED = Ran(1)
TIME = st.floats(0, 1e6)
CHANCE = st.floats(0, 1)


def failing(reload: Reload, *codes: int | None, policy: ReloadPolicy = POLICY) -> Reload:
    for code in codes:
        reload = after(reload, Ran(code, "" if code else "took longer than 30 s"), policy, now=200.0, chance=1.0)
    return reload


def test_new_files_are_told_at_once():
    assert (due(NEWS), NEWS.since, NEWS.worth_keeping) == (100.0, 100.0, True)
    assert (due(NOBODY), NOBODY.worth_keeping) == (None, False)


def test_a_success_is_the_end():
    done = after(NEWS, Ran(0), POLICY, now=101.0, chance=0.5)
    assert (due(done), done.worth_keeping, problem_of(done)) == (None, False, None)


def test_newer_files_begin_anew_and_are_still_waited_for_since_the_first():
    newer = renewed(failing(NEWS, 1, 1), 300.0, content="m2")
    assert (newer.since, newer.count, newer.code, due(newer), newer.content) == (100.0, 0, None, 300.0, "m2")
    assert newer.number == NEWS.number + 1


@pytest.mark.parametrize(("failures", "pause"), [(1, 5.0), (2, 10.0), (3, 20.0), (4, 40.0), (5, 60.0), (50, 60.0)])
def test_the_wait_doubles_up_to_the_longest(failures, pause):
    assert due(failing(NEWS, *[1] * failures)) == 200.0 + pause


@given(st.lists(st.sampled_from([1, 3, 127, -9, None]), min_size=1, max_size=30), CHANCE)
def test_a_failure_is_tried_again_within_the_longest_wait(codes, chance):
    reload = NEWS
    for code in codes:
        reload = after(reload, Ran(code), POLICY, now=200.0, chance=chance)
        assert reload.next_at is not None and 200.0 <= reload.next_at <= 260.0
    assert reload.count == len(codes) and reload.since == NEWS.since


def test_a_final_code_ends_the_trying_until_the_files_or_the_command_change():
    final = failing(NEWS, 1, 2)
    assert (due(final), final.gave_up, final.worth_keeping) == (None, True, True)
    assert resumed(final, POLICY, 300.0) == final
    assert due(resumed(final, replace(POLICY, command=("/bin/other",)), 300.0)) == 300.0
    assert due(resumed(final, replace(POLICY, final_codes=frozenset({3})), 300.0)) == 300.0
    assert due(renewed(final, 300.0, content="")) == 300.0
    assert due(asked(final, 300.0)) == 300.0


def test_asking_does_not_hurry_what_is_tried_again_anyway():
    waits = failing(NEWS, 1)
    assert asked(waits, 150.0) == waits


@given(TIME, TIME)
def test_a_clock_that_was_ahead_puts_nothing_off_for_long(then, now):
    reload = put_off(failing(replace(NEWS, next_at=then), 1), POLICY, then)
    again = resumed(replace(reload, next_at=then), POLICY, now)
    assert again.next_at is not None and again.next_at <= now + POLICY.longest_retry
    assert again.look_at is not None and again.look_at <= now + POLICY.busy_every
    assert again.busy_since is not None and again.busy_since <= now


# Calls


@given(st.lists(st.floats(0, 40), max_size=40))
def test_a_call_puts_things_off_up_to_its_limit_and_the_phone_is_asked_in_time(pauses):
    reload, now = put_off(NEWS, POLICY, 100.0), 100.0
    for pause in pauses:
        now += pause
        reload = put_off(reload, POLICY, now)
        assert reload.busy_since == 100.0
        assert is_overdue(reload, POLICY, now) == (now >= 160.0)
        if not is_overdue(reload, POLICY, now):
            assert now < (due(reload) or 0.0) <= min(now + 5.0, 160.0)


@pytest.mark.parametrize(
    ("what", "old", "wish", "decision"),
    [
        ("new content", NOBODY, Wish("m2", changes=True, asked=False), Decision.BRING),
        ("nothing new", NOBODY, Wish("m2", changes=False, asked=False), Decision.AS_IT_IS),
        ("nothing new, phone to be asked", NOBODY, Wish("", changes=False, asked=True), Decision.AS_IT_IS),
        ("a phone to be asked first", NOBODY, Wish("", changes=True, asked=True), Decision.HOLD),
        ("rolled back", replace(NOBODY, refused="m2"), Wish("m2", changes=True, asked=False), Decision.REFUSED),
        ("that, to be asked", replace(NOBODY, refused="m2"), Wish("m2", changes=True, asked=True), Decision.REFUSED),
        ("another than that", replace(NOBODY, refused="m1"), Wish("m2", changes=True, asked=False), Decision.BRING),
        ("rolled back, now kept", replace(NOBODY, refused="m2"), Wish("", changes=True, asked=False), Decision.BRING),
        ("while it fails", failing(NEWS, 1), Wish("m2", changes=True, asked=False), Decision.BRING),
        ("while it fails, to be asked", failing(NEWS, 1), Wish("m2", changes=True, asked=True), Decision.HOLD),
    ],
)
def test_what_becomes_of_a_wish(what, old, wish, decision):
    assert judged(old, POLICY, wish, 300.0)[0] is decision, what


def test_what_is_held_waits_since_the_first_time_and_is_let_go_when_there_is_nothing_new():
    _, held = judged(NOBODY, POLICY, Wish("", changes=True, asked=True), 300.0)
    assert held.held and due(held) == 300.0 and held.worth_keeping
    busy = put_off(held, POLICY, 301.0)
    assert judged(busy, POLICY, Wish("", changes=True, asked=True), 302.0) == (Decision.HOLD, busy)
    _, gone = judged(busy, POLICY, Wish("", changes=False, asked=True), 303.0)
    assert not gone.worth_keeping


def test_a_run_that_ends_while_newer_files_are_held_says_nothing_of_those():
    _, held = judged(NEWS, POLICY, Wish("", changes=True, asked=True), 300.0)
    done = after(held, Ran(0), POLICY, now=301.0, chance=0.0)
    assert done.since is None and done.held and done.worth_keeping


def test_what_is_delivered_at_the_limit_of_a_call_is_told_then_too():
    _, held = judged(NOBODY, POLICY, Wish("", changes=True, asked=True), 300.0)
    at_last = renewed(put_off(held, POLICY, 300.0), 360.0, content="")
    assert due(at_last) == 360.0
    assert is_overdue(put_off(at_last, POLICY, 360.0), POLICY, 360.0)
    assert after(at_last, Ran(0), POLICY, now=361.0, chance=0.0).busy_since is None


# Rolling back


@pytest.mark.parametrize(
    ("what", "codes", "policy", "back"),
    [
        ("not yet", [1], BACK, False),
        ("often enough", [1, 1], BACK, True),
        ("too late every time", [None, None], BACK, True),
        ("a final code", [2], BACK, True),
        ("nobody wants it", [1, 1, 2], POLICY, False),
        ("a success", [1, 0], BACK, False),
    ],
)
def test_when_files_come_back(what, codes, policy, back):
    reload = NEWS
    for code in codes:
        reload = after(reload, Ran(code), policy, now=200.0, chance=0.0)
    assert rolls_back(reload, policy) is back, what


def test_what_was_rolled_back_is_told_and_not_brought_again():
    back = rolled_back(failing(NEWS, 1, 1, policy=BACK), 300.0)
    assert (due(back), back.refused, back.count) == (300.0, "m1", 0)
    assert judged(back, BACK, Wish("m1", changes=True, asked=False), 301.0)[0] is Decision.REFUSED
    problem = problem_of(back)
    assert (
        problem
        and problem.what == "the reload command /bin/tell failed with exit code 1: the files from before are back"
    )
    done = after(back, Ran(0), BACK, now=301.0, chance=0.0)
    assert done.worth_keeping and due(done) is None and problem_of(done) == problem
    assert not rolls_back(failing(back, 1, 1, 1, policy=BACK), BACK)


def test_other_content_makes_a_roll_back_forgotten():
    back = after(rolled_back(failing(NEWS, 1, 1, policy=BACK), 300.0), Ran(0), BACK, now=301.0, chance=0.0)
    _, brought = judged(back, BACK, Wish("m2", changes=True, asked=False), 302.0)
    assert (brought.refused, brought.refusal, brought.content) == ("", "", "m2")
    _, same = judged(back, BACK, Wish("m0", changes=False, asked=False), 302.0)
    assert not same.worth_keeping
    assert not asked(back, 302.0).worth_keeping


# What people are told


@pytest.mark.parametrize(
    ("reload", "state", "what", "remark"),
    [
        (NEWS, "pending", None, None),
        (failing(NEWS, 3), "pending", "the reload command /bin/tell failed with exit code 3", False),
        (failing(NEWS, None), "pending", "the reload command /bin/tell took longer than 30 s", False),
        (failing(NEWS, 2), "gave up", "the reload command /bin/tell failed with exit code 2", False),
        (put_off(NEWS, POLICY, 101.0), "pending", "the phone is in a call: pending", True),
    ],
)
def test_what_is_said_of_it(reload, state, what, remark):
    problem = problem_of(reload)
    assert (problem and problem.what, problem and problem.remark) == (what, remark)
    assert reload_as_json(reload)["state"] == state
    assert problem is None or problem.remark or problem.fix.endswith("; run it by hand as its user to see what it says")


def test_the_status_says_since_when_how_often_and_when_next():
    assert reload_as_json(failing(NEWS, 1, 7)) == {
        "state": "pending", "since": 100.0, "busy_since": None, "count": 2, "code": 7, "next_at": 210.0,
    }  # fmt: skip


def test_nothing_is_left_of_what_waits_for_no_call_any_more():
    _, held = judged(NOBODY, POLICY, Wish("", changes=True, asked=True), 300.0)
    assert not free(put_off(held, POLICY, 300.0)).worth_keeping
