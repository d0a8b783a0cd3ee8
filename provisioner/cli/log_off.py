"""Log one agent off at the platform. The files stay; nobody logs the agent in again before `provisioner refresh` or a
change of the agent's password or address.
"""

from __future__ import annotations

import argparse

from provisioner.cli.ask import command
from provisioner.cli.common import add_format, add_places


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``log-off``."""
    add_places(parser)
    add_format(parser)
    parser.add_argument("agent", metavar="AGENT", help="the agent's user name at the platform")


def run(options: argparse.Namespace) -> int:
    """Log off; gives the exit code."""
    return command(options, {"verb": "log-off", "agent": options.agent})
