"""Print the JSON schema (draft-07) of provisioner.yaml and agents.d/*.yaml.

Editors that know JSON schema complete and check with it while you type:

  provisioner schema > /etc/softphone-provisioner/schema.json
"""

from __future__ import annotations

import argparse

from provisioner.cli.common import DONE, print_json
from provisioner.core.schema import SETTINGS


def configure(parser: argparse.ArgumentParser) -> None:
    """No options."""


def run(_options: argparse.Namespace) -> int:
    """Print the schema."""
    print_json(SETTINGS)
    return DONE
