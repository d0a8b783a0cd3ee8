"""Have the running service read the configuration now, instead of when it next notices a change.

With --wait, says whether it is in force: the exit code is 1 when it was refused, and then the old one stays.
"""

from __future__ import annotations

import argparse

from provisioner.cli.ask import command
from provisioner.cli.common import add_format, add_places


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``reload``."""
    add_places(parser)
    add_format(parser)
    parser.add_argument("--wait", action="store_true", help="wait until it is in force, or refused")
    parser.add_argument("--force", action="store_true", help="also when that removes many agents' files; waits")


def run(options: argparse.Namespace) -> int:
    """Reload; gives the exit code."""
    wait = options.wait or options.force
    return command(options, {"verb": "reload", "force": options.force, "wait": wait})
