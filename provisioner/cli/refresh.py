"""Log one agent in again, whatever happened before, and write the files anew.

For a password that was changed at the platform, or a refusal whose cause is gone.
"""

from __future__ import annotations

import argparse

from provisioner.cli.ask import command
from provisioner.cli.common import add_format, add_places


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``refresh``."""
    add_places(parser)
    add_format(parser)
    parser.add_argument("agent", metavar="AGENT", help="the agent's user name at the platform")


def run(options: argparse.Namespace) -> int:
    """Refresh; gives the exit code."""
    return command(options, {"verb": "refresh", "agent": options.agent})
