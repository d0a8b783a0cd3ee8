"""Do once what the service does all the time: log in whoever is not logged in, write all files, stop.

Agents stay logged in, and the next `apply` or `run` goes on with their sessions.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import time
from dataclasses import replace
from typing import Any

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
from provisioner.cli.show import status_as_text
from provisioner.core.problem import Problem, ProvisionerError
from provisioner.edge.journal import set_up_logging
from provisioner.edge.kept_ports import KeptPorts
from provisioner.edge.service import Systemd, forbid_core_dumps
from provisioner.opening import Here, here, open_workbench
from provisioner.places import Places
from provisioner.workstation import Workstation


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``apply``."""
    add_places(parser)
    add_workstation(parser)
    add_format(parser)
    parser.add_argument("--force", action="store_true", help="also when that removes many agents' files")
    parser.add_argument("--verbose", action="store_true", help="log each step to standard error")


def run(options: argparse.Namespace) -> int:
    """Apply; gives the exit code."""
    forbid_core_dumps()
    set_up_logging(os.environ, logging.DEBUG if options.verbose else logging.WARNING)
    # Told at the end, with the line and a caret.
    logging.getLogger("provisioner.standing").setLevel(logging.CRITICAL)
    try:
        problems, status = asyncio.run(_apply(places(options), here(options.workstation), force=options.force))
    except ProvisionerError as error:
        problems, status = error.problems, {}
    if problems:
        complain(problems, options.format)
        return REFUSED
    if options.format == "json":
        print_json(status)
    else:
        print(status_as_text(status, now=time.time(), colour=colourful(sys.stdout)))
    return DONE if status["everybody_served"] else NOT_ALL


async def _apply(places: Places, here: Here, *, force: bool) -> tuple[tuple[Problem, ...], dict[str, Any]]:
    chances = replace(here.chances, hurry=True)
    with open_workbench(places, here.workstation) as bench:
        async with asyncio.TaskGroup() as group:
            workstation = Workstation(bench, chances, group.create_task, KeptPorts(Systemd({})))
            problems = await workstation.reload(force=force, asked=True)
            await workstation.first_logins()
            status = workstation.status()
            await workstation.stop(log_off=False)
    return problems, status
