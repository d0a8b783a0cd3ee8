"""Numbers at the server."""

from __future__ import annotations

import pytest

from provisioner.core.sip.reply import LARGEST_NUMBER
from provisioner.core.sip.sequences import Sequences

NOW = 1_790_000_000.0


def test_after_a_restart_the_numbers_go_on_above_those_before():
    before = Sequences(NOW)
    last = max(before.next("call", number, "INFO") for number in range(1, 30))
    after = Sequences(NOW + 60)
    assert after.next("call", 30, "BYE") > last


@pytest.mark.parametrize("number", [1, 2**30, LARGEST_NUMBER - 100])
def test_no_number_is_above_what_sip_allows(number: int):
    numbers = Sequences(NOW)
    assert number <= numbers.next("call", number, "INVITE") < LARGEST_NUMBER
    assert numbers.of("call", number) == numbers.next("other", number, "INVITE")


def test_who_rested_longest_is_forgotten():
    numbers = Sequences(0.0, most=2)
    for call in ("a", "b"):
        assert [numbers.next(call, 1, "INVITE") for _ in range(2)] == [1, 2]
    numbers.next("a", 1, "INVITE")
    numbers.next("c", 1, "INVITE")
    assert numbers.of("a", 1) == 3 and numbers.of("b", 1) == 1
