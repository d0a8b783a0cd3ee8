"""What the verbs share: where things are, and how they speak. Imports nothing heavy."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from provisioner.core.problem import Problem
from provisioner.core.report import WIDTH, problem_as_json, problems_as_text
from provisioner.places import NAME, Places, places_of

DONE, REFUSED, NOT_RUNNING, NOT_ALL, NO_CONFIGURATION = 0, 1, 3, 4, 78


def add_places(parser: argparse.ArgumentParser) -> None:
    """The options that say where things are."""
    group = parser.add_argument_group("places")
    group.add_argument("--config", type=Path, metavar="DIR", help=f"configuration (default: /etc/{NAME})")
    group.add_argument("--state", type=Path, metavar="DIR", help=f"state and control socket (default: /var/lib/{NAME})")
    group.add_argument("--root", type=Path, metavar="DIR", help="folder under which all of these, and homes, hang")


def add_workstation(parser: argparse.ArgumentParser) -> None:
    """``--workstation NAME``."""
    parser.add_argument("--workstation", metavar="NAME", help="stand for this host name (default: this machine's)")


def add_format(parser: argparse.ArgumentParser, *more: str) -> None:
    """``--format text|json``, and ``more``."""
    what = "for people or for programs"
    parser.add_argument("--format", choices=["text", "json", *more], default="text", help=what)


def places(options: argparse.Namespace) -> Places:
    """The places that the options name."""
    return places_of(options.root, options.config, options.state)


def complain(problems: Iterable[Problem], form: str = "text") -> None:
    """Print problems: text to standard error, JSON to standard output."""
    if form == "json":
        print_json({"problems": [problem_as_json(problem) for problem in problems]})
    elif text := problems_as_text(problems, colour=colourful(sys.stderr), width=_room(sys.stderr)):
        print(text, file=sys.stderr)


def _room(stream: Any) -> int:
    """How many characters of an indented line have room in one line of ``stream``."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except OSError:
        return WIDTH
    return min(WIDTH, columns - 5) if columns > 20 else WIDTH


def print_json(value: Any) -> None:
    """``value`` as JSON on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=(sys.stdout.encoding or "").lower() != "utf-8"))


def colourful(stream: Any) -> bool:
    """Colour is for terminals, and for those who want it (https://no-color.org)."""
    return bool(stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb")
