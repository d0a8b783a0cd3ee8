"""Changes are acted on when they settle, and in any case before long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.settle import Burst, due


def test_one_change_waits_for_quiet():
    assert due(Burst(10.0, 10.0), quiet=0.2, at_most=2.0) == 10.2


def test_more_changes_wait_for_quiet_after_the_last():
    assert due(Burst(10.0, 10.0).went_on(10.5), quiet=0.2, at_most=2.0) == 10.7


def test_changes_without_end_are_acted_on_all_the_same():
    assert due(Burst(10.0, 10.0).went_on(13.0), quiet=0.2, at_most=2.0) == 12.0


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0, 10), st.floats(0, 10))
def test_never_later_than_the_bound_nor_earlier_than_quiet_allows(times, quiet, at_most):
    first, *later = sorted(times)
    burst = Burst(first, first)
    for time in later:
        burst = burst.went_on(time)
    at = due(burst, quiet=quiet, at_most=at_most)
    assert at <= first + at_most
    assert at == first + at_most or at == max(times) + quiet
