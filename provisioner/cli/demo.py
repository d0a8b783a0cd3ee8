"""Show the main job on a simulated platform, on this machine alone and without root.

A platform is simulated on a port of 127.0.0.1, the real service runs against it in a folder of its own, and an edit is
made while it runs. It ends by itself; with --stay everything goes on until Ctrl-C, for trying things by hand.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from provisioner.cli.common import DONE, REFUSED, complain
from provisioner.core.problem import ProvisionerError
from provisioner.demo.story import tell


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``demo``."""
    parser.add_argument("--dir", type=Path, default=Path("demo-files"), help="folder to work in (default: %(default)s)")
    parser.add_argument("--stay", action="store_true", help="keep platform and service running until Ctrl-C")


def run(options: argparse.Namespace) -> int:
    """Run the demonstration; gives the exit code."""
    try:
        asyncio.run(tell(options.dir.absolute(), stay=options.stay))
    except ProvisionerError as error:
        complain(error.problems)
        return REFUSED
    return DONE
