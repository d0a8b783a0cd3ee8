"""Time that the machine slept."""

from __future__ import annotations

from provisioner.edge.suspension import Suspensions, asleep


def test_each_suspension_is_told_once():
    slept = 100.0
    suspensions = Suspensions(lambda: slept)
    assert suspensions.latest() == 0.0
    slept = 7300.0
    assert suspensions.latest() == 7200.0
    assert suspensions.latest() == 0.0


def test_a_machine_that_is_awake_does_not_sleep():
    before = asleep()
    assert before >= -1e-3
    assert abs(asleep() - before) < 1.0
