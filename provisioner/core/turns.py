"""An end to the loops of templates: nested, they could go on for days and write nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from jinja2 import Environment, nodes, pass_context
from jinja2.runtime import Context

from provisioner.core.problem import Place, Problem, ProvisionerError

# Some hundredths of a second; the longest file of a phone takes some hundred.
MOST = 100_000
# The name of a filter and of what it counts with. A template can write neither: no name has a blank in it.
_NAME = "turns taken"


def bound(tree: nodes.Template, environment: Environment) -> nodes.Template:
    """``tree`` with each `for` counting its turns; what it is filled with must have an ``allowance``."""
    environment.filters[_NAME] = _counted
    for loop in list(tree.find_all(nodes.For)):
        loop.iter = nodes.Filter(loop.iter, _NAME, [], [], None, None, lineno=loop.lineno)
    tree.set_environment(environment)
    return tree


def allowance() -> Mapping[str, Iterator[int]]:
    """What all loops of one file take their turns from."""
    return {_NAME: iter(range(MOST))}


@pass_context
def _counted(context: Context, items: Iterable[object]) -> Iterator[object]:
    for item in items:
        if next(context[_NAME], None) is None:
            raise ProvisionerError(Problem(Place(""), f"its loops take more than {MOST} turns", "look at its `for`"))
        yield item
