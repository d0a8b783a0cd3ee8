"""Options of a target, as IT sets them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from provisioner.core.document import Document
from provisioner.core.problem import Problem
from provisioner.core.rules import target_items
from provisioner.core.spelling import did_you_mean
from provisioner.core.target import Target


def wrong_options(target: Target, given: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """The names of what ``given`` sets wrongly for ``target``, each with what is wrong and what to do about it: options
    that it does not have, values that an option does not take."""
    known = target.options
    for name, value in given.items():
        if name not in known:
            fix = did_you_mean(name, known) or f"it has: {', '.join(known) or 'none'}"
            yield name, f"{target.name} has no option `{name}`", fix
        elif known[name].values and value not in known[name].values:
            yield name, f"the option `{name}` cannot be `{value[:40]}`", f"one of: {', '.join(known[name].values)}"


def wrong_options_in(document: Document, targets: Mapping[str, Target]) -> Iterator[Problem]:
    """The same for all that a document says, each in its line; other mistakes in it do no harm, nor do names that are
    not among the ``targets``."""
    for path, item in target_items(document):
        if not isinstance(item, dict) or not isinstance(options := item.get("options"), dict):
            continue
        target = targets.get(str(item.get("target")))
        if target is None:
            continue
        for name, what, fix in wrong_options(target, {name: str(value) for name, value in options.items()}):
            yield Problem(document.place((*path, "options", name), key=name not in target.options), what, fix)
