"""A mistake says where it is, what it is, and what to do."""

import pytest

from provisioner.core.problem import Place, Problem, ProvisionerError


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place("agent marta"), "agent marta"),
        (Place("agents.d/a.yaml", 3, 7), "agents.d/a.yaml:3:7"),
        (Place("agents.d/a.yaml", 0, 7), "agents.d/a.yaml"),
        (Place("a.yaml", 1, 1, "login: marta"), "a.yaml:1:1"),
    ],
)
def test_a_place_is_written_as_editors_read_it(place, text):
    assert str(place) == text


def test_a_problem_ends_with_what_to_do():
    assert (
        str(Problem(Place("a.yaml", 3, 7), "no such codec", "write pcma")) == "a.yaml:3:7: no such codec (write pcma)"
    )
    assert str(Problem(Place("a.yaml"), "no such codec")) == "a.yaml: no such codec"


def test_an_error_carries_one_problem_or_all():
    one, other = Problem(Place("a"), "x"), Problem(Place("b"), "y", "z")
    assert ProvisionerError(one).problems == (one,)
    error = ProvisionerError(problem for problem in (one, other))
    assert error.problems == (one, other)
    assert str(error) == "a: x\nb: y (z)"


def test_a_problem_is_grave_unless_it_is_a_remark():
    assert not Problem(Place("a"), "x").remark
    assert Problem(Place("a"), "x", remark=True).remark
