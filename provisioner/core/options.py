"""Options of a target, as IT sets them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from provisioner.core.spelling import did_you_mean
from provisioner.core.target import Target


def wrong_options(target: Target, given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What is wrong with the options that ``given`` sets for ``target``, and what to do about it: names that it does
    not have, values that an option does not take."""
    known = target.options
    for name, value in given.items():
        if name not in known:
            fix = did_you_mean(name, known) or f"it has: {', '.join(known) or 'none'}"
            yield f"{target.name} has no option `{name}`", fix
        elif known[name].values and value not in known[name].values:
            yield f"the option `{name}` cannot be `{value[:40]}`", f"one of: {', '.join(known[name].values)}"
