"""Say what `apply`, or the service, would change: who would be logged in, which files would be written, and how their
content would differ. Secrets are masked, nothing is touched, and nobody is asked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator

from provisioner.cli.common import (
    DONE,
    NOT_ALL,
    REFUSED,
    add_format,
    add_places,
    add_workstation,
    colourful,
    complain,
    places,
    print_json,
)
from provisioner.core.problem import ProvisionerError
from provisioner.core.report import BOLD, END, GREEN, RED, YELLOW, printable, problems_as_text
from provisioner.edge.state_folder import state_exists, state_owner
from provisioner.edge.store import open_store
from provisioner.ledger import Ledger
from provisioner.opening import here, reader_of
from provisioner.places import Places
from provisioner.preview import AgentPreview, Held, as_json, preview

_COLOURS = {"+": GREEN, "~": YELLOW, "-": RED}


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``plan``."""
    add_places(parser)
    add_workstation(parser)
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    """Print the plan; gives the exit code: 4 when an agent could not be served."""
    try:
        previews = _previews(places(options), here(options.workstation).workstation)
    except ProvisionerError as error:
        complain(error.problems, options.format)
        return REFUSED
    if options.format == "json":
        print_json({"agents": as_json(previews)})
    else:
        print("\n".join(_text(previews, colour=colourful(sys.stdout))))
    return NOT_ALL if any(not problem.remark for one in previews for problem in one.problems) else DONE


def _previews(places: Places, workstation: str) -> tuple[AgentPreview, ...]:
    if not state_exists(places.state):
        # Nothing was ever applied here: everybody would be logged in.
        site = reader_of(places, workstation, None).read()
        return preview(site, Held({}, {}, {}))
    store = open_store(places.state, read_only=True)
    try:
        uid = state_owner(places.state)
        site = reader_of(places, workstation, store, uid).read()
        ledger = Ledger(store)
        files = {agent: ledger.of(agent) for agent in ledger.agents()}
        return preview(site, Held(store.sessions(), store.attempts(), files, uid, store.relay_ports()))
    finally:
        store.close()


def _text(previews: Iterable[AgentPreview], *, colour: bool) -> Iterator[str]:
    for one in previews:
        yield f"{BOLD}{printable(one.agent)}{END}: {one.login}" if colour else f"{printable(one.agent)}: {one.login}"
        for name, way in one.ways:
            yield f"  {printable(name)}: {way}"
        for change in one.changes:
            yield f"  {change.action} {printable(change.path)}"
            for line in change.lines:
                shown = printable(line)
                yield f"    {_COLOURS[line[0]]}{shown}{END}" if colour else f"    {shown}"
        if one.problems:
            yield problems_as_text(one.problems, colour=colour)
        elif not one.changes and one.login == "stays logged in":
            yield "  nothing to change"
    if not previews:
        yield "no agent works at this workstation"
