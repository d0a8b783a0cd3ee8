"""Refused is final, trouble comes back with growing patience, what is not there is asked for slowly."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.attempt import FINAL, LOGGED_OFF, NOT_THERE, REFUSED, TROUBLE, attempt_after, next_try
from provisioner.core.reply import NotThere, Refused, Trouble
from provisioner.core.session import Attempt
from tests.examples import POLICY

NONE_YET = Attempt("marta", "mark", 0.0, "", "", 0)
NOW = 1_000_000.0
CHANCES = st.floats(0, 1)


@pytest.mark.parametrize(
    ("outcome", "kind", "retry_after"),
    [
        (Refused("no"), REFUSED, 0.0),
        (Trouble("busy"), TROUBLE, 0.0),
        (Trouble("busy", 7.0), TROUBLE, 7.0),
        (NotThere("404"), NOT_THERE, 0.0),
    ],
)
def test_a_failure_is_remembered_with_its_kind_time_and_cause(outcome, kind, retry_after):
    first = attempt_after(outcome, NONE_YET, NOW)
    assert first == Attempt("marta", "mark", NOW, kind, outcome.cause, 1, retry_after)
    assert attempt_after(outcome, first, NOW + 5).count == 2


def test_nobody_waits_who_never_failed():
    assert next_try(None, POLICY, chance=1.0) == 0.0


@pytest.mark.parametrize("kind", [REFUSED, LOGGED_OFF])
@pytest.mark.parametrize("count", [1, 2, 100])
def test_a_refusal_and_a_log_off_are_final(kind, count):
    assert kind in FINAL
    assert next_try(Attempt("marta", "mark", NOW, kind, "", count), POLICY, chance=0.0) is None


@pytest.mark.parametrize(("count", "upper"), [(1, 1.0), (2, 2.0), (4, 8.0), (7, 60.0), (70, 60.0)])
def test_trouble_is_retried_with_growing_patience(count, upper):
    attempt = Attempt("marta", "mark", NOW, TROUBLE, "busy", count)
    assert next_try(attempt, POLICY, chance=1.0) == NOW + upper
    assert next_try(attempt, POLICY, chance=0.5) == NOW + upper / 2
    assert next_try(attempt, POLICY, chance=0.0) == NOW


@given(CHANCES, st.integers(1, 50), st.floats(0, 86400))
def test_retry_after_is_obeyed(chance, count, retry_after):
    attempt = Attempt("marta", "mark", NOW, TROUBLE, "busy", count, retry_after)
    due = next_try(attempt, POLICY, chance=chance)
    assert due is not None
    assert NOW + retry_after <= due <= NOW + retry_after + POLICY.longest_retry


@given(CHANCES, st.integers(1, 50))
def test_what_is_not_there_is_asked_for_slowly_from_the_first_time(chance, count):
    due = next_try(Attempt("marta", "mark", NOW, NOT_THERE, "404", count), POLICY, chance=chance)
    assert due is not None
    assert NOW + POLICY.longest_retry / 2 <= due <= NOW + POLICY.longest_retry


def test_the_policy_sets_the_pace():
    attempt = Attempt("marta", "mark", NOW, TROUBLE, "busy", 3)
    assert next_try(attempt, replace(POLICY, first_retry=5.0), chance=1.0) == NOW + 20.0
    assert next_try(attempt, replace(POLICY, longest_retry=3.0), chance=1.0) == NOW + 3.0
