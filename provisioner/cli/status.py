"""Say how the running service and its agents are: logins, files, and what is wrong since when.

A login is `logged in`; `logging in` while the platform is asked; `waiting` for its time, or for its turn; `away` while
the agent's user has no session; `trouble` or `not there`, tried again at the time that is told; `refused` or `logged
off`, not tried again by itself; or there is `no password`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from typing import Any

from provisioner.cli.ask import NotRunningError, ask
from provisioner.cli.common import (
    DONE,
    NOT_ALL,
    NOT_RUNNING,
    add_format,
    add_places,
    colourful,
    complain,
    places,
    print_json,
)
from provisioner.cli.show import status_as_text


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``status``."""
    add_places(parser)
    add_format(parser, "metrics")


def run(options: argparse.Namespace) -> int:
    """Print the status; gives the exit code: 4 when an agent is not served, or the configuration on disk is refused."""
    try:
        status = ask(places(options).socket, {"verb": "status"}, seconds=20.0)
    except NotRunningError as error:
        complain(error.problems, options.format)
        if options.format == "metrics":
            print(_as_metrics(None))
        return NOT_RUNNING
    status.pop("problems")
    match options.format:
        case "json":
            print_json(status)
        case "metrics":
            print(_as_metrics(status))
        case _:
            print(status_as_text(status, now=time.time(), colour=colourful(sys.stdout)))
    return DONE if status["everybody_served"] and not status["configuration"]["refused_at"] else NOT_ALL


def _as_metrics(status: Mapping[str, Any] | None) -> str:
    from provisioner.core.metrics import metrics_as_text  # a light verb imports what it prints with

    return metrics_as_text(status)
