"""Completions for bash, zsh and fish, from the parser. They need nothing at run time, not even the program."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from provisioner.manual.verbs import Argument, ArgumentKind, Command

_BASH = """\
# Completion of {name} for bash.
_{name}() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" verb="" each
    for each in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$each" in
        {verb_pattern}) verb="$each"; break ;;
        esac
    done
    COMPREPLY=()
    case "$verb $before" in
{values}
    esac
    case "$verb" in
{verbs}
    *) mapfile -t COMPREPLY < <(compgen -W {start} -- "$word") ;;
    esac
}}
complete -F _{name} {name}
"""
_BASH_FILES = "compopt -o filenames"
_ZSH = """\
#compdef {name}
# Completion of {name} for zsh.
_{name}() {{
    local context state state_descr line
    typeset -A opt_args
    local -a verbs
    verbs=(
{verbs}
    )
    _arguments -C \\
{options}
        '1:verb:->verb' '*::argument:->arguments'
    case $state in
    verb) _describe -t verbs verb verbs ;;
    arguments)
        case $words[1] in
{arguments}
        esac ;;
    esac
}}
_{name} "$@"
"""


def bash(command: Command) -> str:
    """A script for bash-completion's folder of completions."""
    return _BASH.format(
        name=command.name,
        verb_pattern="|".join(verb.name for verb in command.verbs),
        values="\n".join(_bash_values(command)),
        verbs="\n".join(_bash_verbs(command)),
        start=shlex.quote(" ".join([*_flags(command.options), *(verb.name for verb in command.verbs)])),
    )


def _bash_values(command: Command) -> Iterator[str]:
    """What comes after an option that takes a value."""
    for verb in command.verbs:
        for argument in verb.arguments:
            if argument.flags and argument.kind != ArgumentKind.NOTHING:
                patterns = "|".join(f'"{verb.name} {flag}"' for flag in argument.flags)
                yield f"    {patterns}) {_bash_words(argument)}; return ;;"


def _bash_words(argument: Argument) -> str:
    match argument.kind:
        case ArgumentKind.CHOICE:
            return f'mapfile -t COMPREPLY < <(compgen -W {shlex.quote(" ".join(argument.choices))} -- "$word")'
        case ArgumentKind.FILE:
            return f'{_BASH_FILES}; mapfile -t COMPREPLY < <(compgen -f -- "$word")'
        case ArgumentKind.FOLDER:
            return f'{_BASH_FILES}; mapfile -t COMPREPLY < <(compgen -d -- "$word")'
    return ":"


def _bash_verbs(command: Command) -> Iterator[str]:
    for verb in command.verbs:
        words = shlex.quote(" ".join(_flags(verb.arguments)))
        files = any(not argument.flags and argument.kind == ArgumentKind.FILE for argument in verb.arguments)
        before, also = (f"{_BASH_FILES}; ", "-f ") if files else ("", "")
        yield f'    {verb.name}) {before}mapfile -t COMPREPLY < <(compgen {also}-W {words} -- "$word") ;;'


def zsh(command: Command) -> str:
    """A script for zsh's function path, to be named ``_provisioner``."""
    return _ZSH.format(
        name=command.name,
        verbs="\n".join(f"        {shlex.quote(f'{verb.name}:{verb.summary}')}" for verb in command.verbs),
        options="\n".join(f"        {spec} \\" for spec in _zsh_specs(command.options)),
        arguments="\n".join(
            f"        {verb.name}) _arguments {' '.join(_zsh_specs(verb.arguments))} ;;" for verb in command.verbs
        ),
    )


def _zsh_specs(arguments: Iterable[Argument]) -> Iterator[str]:
    for argument in arguments:
        action = f":{argument.shown.strip('[]') or 'value'}:{_zsh_action(argument)}"
        if not argument.flags:
            yield shlex.quote(f"*{action}")
        for flag in argument.flags:
            value = "" if argument.kind == ArgumentKind.NOTHING else action
            yield shlex.quote(f"{flag}[{_zsh_escaped(argument.help)}]{value}")


def _zsh_action(argument: Argument) -> str:
    match argument.kind:
        case ArgumentKind.CHOICE:
            return f"({' '.join(argument.choices)})"
        case ArgumentKind.FILE:
            return "_files"
        case ArgumentKind.FOLDER:
            return "_files -/"
    return " "


def _zsh_escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")


def fish(command: Command) -> str:
    """A script for fish's vendor completions."""
    return "\n".join(_fish_lines(command)) + "\n"


def _fish_lines(command: Command) -> Iterator[str]:
    name, verbs = command.name, " ".join(verb.name for verb in command.verbs)
    yield f"# Completion of {name} for fish."
    yield f"complete -c {name} -f"
    none = f"not __fish_seen_subcommand_from {verbs}"
    for verb in command.verbs:
        yield f"complete -c {name} -n '{none}' -a {verb.name} -d {_fish_quoted(verb.summary)}"
    for argument in command.options:
        yield f"complete -c {name} -n '{none}' {_fish_option(argument)}"
    for verb in command.verbs:
        for argument in verb.arguments:
            seen = f"complete -c {name} -n '__fish_seen_subcommand_from {verb.name}'"
            if argument.flags:
                yield f"{seen} {_fish_option(argument)}"
            elif argument.kind == ArgumentKind.FILE:
                yield f"{seen} -F"


def _fish_option(argument: Argument) -> str:
    flags = (f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in argument.flags)
    values = {
        ArgumentKind.NOTHING: "",
        ArgumentKind.WORD: " -x",
        ArgumentKind.CHOICE: f" -x -a {_fish_quoted(' '.join(argument.choices))}",
        ArgumentKind.FILE: " -r -F",
        ArgumentKind.FOLDER: " -x -a '(__fish_complete_directories)'",
    }
    return f"{' '.join(flags)}{values[argument.kind]} -d {_fish_quoted(argument.help)}"


def _fish_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _flags(arguments: Iterable[Argument]) -> list[str]:
    return [flag for argument in arguments for flag in argument.flags]
