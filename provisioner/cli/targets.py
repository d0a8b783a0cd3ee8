"""List the softphones that can be configured, and what each can do: those that come with the program and the site's.

A word that is missing is something the phone cannot do.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from provisioner.cli.common import DONE, REFUSED, add_format, add_places, colourful, complain, places, print_json
from provisioner.core.abilities import target_as_json
from provisioner.core.problem import Place, Problem
from provisioner.core.report import BOLD, END, problem_as_json
from provisioner.core.spelling import did_you_mean
from provisioner.edge.catalog import CatalogReader, shipped

_ROWS = (
    ("credential", "credential"), ("transports", "transports"), ("with wss only", "wss_only"),
    ("for the relay", "relay"), ("media encryption", "media_encryption"),
    ("digits", "dtmf"), ("codecs", "codecs"),
)  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``targets``."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="only this one")
    add_places(parser)
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    """List; gives the exit code: 1 when a target is broken or there is none of that name."""
    catalog = CatalogReader([shipped(), places(options).site_templates]).read()
    chosen = {name: target for name, target in catalog.targets.items() if options.name in (None, name)}
    problems = [problem for name, found in catalog.broken.items() if options.name in (None, name) for problem in found]
    if not chosen and not problems:
        fix = did_you_mean(str(options.name), catalog.targets) or f"there are: {', '.join(sorted(catalog.targets))}"
        problems = [Problem(Place("targets"), f"there is no target `{options.name}`", fix)]
    described = [target_as_json(target) for _, target in sorted(chosen.items())]
    if options.format == "json":
        print_json({"targets": described, "problems": [problem_as_json(problem) for problem in problems]})
    else:
        complain(problems)
    if described and options.format != "json":
        print("\n\n".join("\n".join(_lines(one, colour=colourful(sys.stdout))) for one in described))
    return REFUSED if problems else DONE


def _lines(target: Mapping[str, Any], *, colour: bool) -> Iterator[str]:
    name = f"{BOLD}{target['name']}{END}" if colour else target["name"]
    yield f"{name}  {target['title']}"
    for title, key in _ROWS:
        said = target[key]
        yield f"  {title + ':':18}{said if isinstance(said, str) else ', '.join(said) or 'none'}"
    for phone in target["tried_with"] or ["not yet with a real server"]:
        yield f"  {'tried with:':18}{phone}"
    for file in target["files"]:
        seed = ", written once and then the phone's own" if file["once"] else ""
        yield f"  {'file:':18}~/{file['path']} ({file['mode']}{seed})"
    for option, said in target["options"].items():
        values = f" [{'|'.join(said['values'])}]" if said["values"] else ""
        yield f"  {'option:':18}{option}{values} = {said['default'] or '(empty)'}  {said['description']}"
