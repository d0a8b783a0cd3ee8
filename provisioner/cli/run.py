"""Serve this workstation until it is told to stop (SIGTERM). SIGHUP reads the configuration again.

Runs in the foreground; under systemd it reports readiness, status and the watchdog's sign of life.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os

from provisioner.cli.common import DONE, NO_CONFIGURATION, REFUSED, add_places, add_workstation, places
from provisioner.core.problem import ProvisionerError
from provisioner.daemon import NoConfigurationError, serve
from provisioner.edge.journal import set_up_logging
from provisioner.edge.kept_ports import KeptPorts
from provisioner.edge.service import Systemd, forbid_core_dumps, passed
from provisioner.opening import here


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``run``."""
    add_places(parser)
    add_workstation(parser)
    parser.add_argument("--verbose", action="store_true", help="log more, for finding a fault; never secrets")


def run(options: argparse.Namespace) -> int:
    """Serve; gives the exit code."""
    set_up_logging(os.environ, logging.DEBUG if options.verbose else logging.INFO)
    forbid_core_dumps()
    systemd = Systemd(os.environ)
    ports = KeptPorts(systemd, passed(os.environ))
    try:
        asyncio.run(serve(places(options), here(options.workstation), systemd, ports))
    except NoConfigurationError:
        logging.getLogger(__name__).error("there is no usable configuration: `provisioner check` shows every mistake")
        return NO_CONFIGURATION
    except ProvisionerError as error:
        for problem in error.problems:
            logging.getLogger(__name__).error("%s", problem)
        return REFUSED
    return DONE
