"""The command line as values: what argparse knows, in our own words."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class ArgumentKind(Enum):
    """What an argument names, for completion."""

    NOTHING = "takes no argument"
    WORD = "anything"
    CHOICE = "one of the choices"
    FILE = "a file"
    FOLDER = "a folder"


@dataclass(frozen=True, slots=True)
class Argument:
    """An option, or without ``flags`` a positional argument. ``shown`` is how its value is written in a synopsis."""

    flags: tuple[str, ...]
    shown: str
    help: str
    kind: ArgumentKind
    choices: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb; ``description`` are paragraphs separated by blank lines, with examples indented."""

    name: str
    summary: str
    description: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """The whole command."""

    name: str
    description: str
    epilog: str
    options: tuple[Argument, ...]
    verbs: tuple[Verb, ...]


def command_of(parser: argparse.ArgumentParser) -> Command:
    """The command that ``parser`` is for; it has the arguments of all verbs."""
    verbs = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    summaries = {action.dest: action.help or "" for action in verbs._choices_actions}
    return Command(
        parser.prog,
        parser.description or "",
        parser.epilog or "",
        tuple(_arguments(parser)),
        tuple(
            Verb(name, summaries[name], (verb.description or "").strip(), tuple(_arguments(verb)))
            for name, verb in verbs.choices.items()
        ),
    )


def _arguments(parser: argparse.ArgumentParser) -> Iterator[Argument]:
    formatter = parser._get_formatter()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) or action.help == argparse.SUPPRESS:
            continue
        shown = ""
        if action.nargs != 0:
            default = formatter._get_default_metavar_for_positional(action)
            if action.option_strings:
                default = formatter._get_default_metavar_for_optional(action)
            shown = formatter._format_args(action, default)
        yield Argument(
            tuple(action.option_strings),
            shown,
            formatter._expand_help(action) if action.help else "",
            _kind(action),
            tuple(map(str, action.choices or ())),
            action.required,
        )


def _kind(action: argparse.Action) -> ArgumentKind:
    match action:
        case argparse.Action(nargs=0):
            return ArgumentKind.NOTHING
        case argparse.Action(choices=[*_]):
            return ArgumentKind.CHOICE
        case argparse.Action(metavar="DIR"):
            return ArgumentKind.FOLDER
        case argparse.Action(metavar="FILE" | "REPLY"):
            return ArgumentKind.FILE
        case argparse.Action(type=kind) if kind is Path:
            return ArgumentKind.FILE
    return ArgumentKind.WORD
