"""Softphones that take the line from each other: the server keeps one contact for a peer, that of the newest REGISTER.

So has chan_sip (it has no list of contacts), whichever way each phone came: a browser phone, a native phone, or one
through the relay.
"""

from __future__ import annotations

from collections.abc import Iterable

from provisioner.core.problem import Place, Problem
from provisioner.core.target import Target


def rivals(targets: Iterable[Target]) -> tuple[str, ...]:
    """The names of those of one agent's ``targets`` that would displace each other; empty where there is one at most.

    What hands out every credential is for people's own loaders, and registers nothing.
    """
    phones = [target.name for target in targets if not target.every_credential]
    return tuple(phones) if len(phones) > 1 else ()


def rivalry(where: Place, names: Iterable[str]) -> Problem:
    """The remark for an agent, or several, with these rivals."""
    *others, last = names
    what = f"{', '.join(others)} and {last} share one account, and the server keeps only the one that registered last"
    return Problem(where, f"{what}: calls arrive there alone", "configure one, or run one at a time", remark=True)
