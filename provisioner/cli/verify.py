"""Ask the SIP server whether the agents of this workstation would register, and if not, why: over each transport that
an agent may use, connect, look at the certificate, and send one query that changes nothing at the server. Nobody is
logged in, no call is touched, no file is written.

The account is the one that the service holds since the login. Secrets are never shown.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

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
from provisioner.cli.show_verify import Lines
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.edge.state_folder import state_exists
from provisioner.edge.store import open_store
from provisioner.opening import here, reader_of
from provisioner.places import Places
from provisioner.preview import Held
from provisioner.site import Served, Site
from provisioner.verify import VerifiedAgent, Verifier, as_json


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``verify``."""
    parser.add_argument("agent", nargs="?", metavar="AGENT", help="one agent's login (default: all who work here)")
    parser.add_argument(
        "--timeout", type=_seconds, default=5.0, metavar="SECONDS", help="longest wait for each step (default: 5)"
    )
    add_workstation(parser)
    add_places(parser)
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    """Print what was found; gives the exit code: 4 when a softphone of these agents could not register."""
    try:
        site, held = _held(places(options), here(options.workstation).workstation)
        chosen = _chosen(site, options.agent)
    except ProvisionerError as error:
        complain(error.problems, options.format)
        return REFUSED
    verifier = Verifier(site, held, time.time, options.timeout)
    reports = asyncio.run(_verify(verifier, chosen, as_they_come=options.format == "text"))
    if options.format == "json":
        print_json({"agents": [as_json(report) for report in reports]})
    elif not reports:
        print("no agent works at this workstation")
    return DONE if all(report.able for report in reports) else NOT_ALL


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 300:
        raise argparse.ArgumentTypeError("write a number of seconds from 0.1 to 300")
    return seconds


def _held(places: Places, workstation: str) -> tuple[Site, Held]:
    if not state_exists(places.state):
        what = "no agent was ever logged in here, so there is no account to ask with"
        fix = "start the service, or `provisioner apply`"
        raise ProvisionerError(Problem(Place(str(places.state)), what, fix))
    store = open_store(places.state, read_only=True)
    try:
        site = reader_of(places, workstation, store).read()
        return site, Held(store.sessions(), {}, {}, relays=store.relay_ports())
    finally:
        store.close()


def _chosen(site: Site, agent: str | None) -> list[Served]:
    if agent is None:
        return list(site.served.values())
    if agent not in site.served:
        known = ", ".join(sorted(site.served)[:10]) or "nobody"
        what = "this workstation does not serve this agent"
        raise ProvisionerError(Problem(Place(f"agent {agent}"), what, f"it serves: {known}"))
    return [site.served[agent]]


async def _verify(verifier: Verifier, chosen: list[Served], *, as_they_come: bool) -> list[VerifiedAgent]:
    lines = Lines(colour=colourful(sys.stdout))
    reports = []
    async with asyncio.TaskGroup() as group:
        for task in [group.create_task(verifier.verify(served)) for served in chosen]:
            reports.append(await task)
            if as_they_come:
                before = "\n" if len(reports) > 1 else ""
                print(before + "\n".join(lines.agent(reports[-1])), flush=True)
    return reports
