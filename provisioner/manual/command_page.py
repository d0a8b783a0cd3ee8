"""provisioner(1), from the parser."""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.manual.roff import bold, example, italic, item, plain, prose, title
from provisioner.manual.verbs import Argument, Command, Verb

_FILES = {
    "/etc/softphone-provisioner/provisioner.yaml": "The platform, and what all agents share: "
    "softphone-provisioner.yaml(5).",
    "/etc/softphone-provisioner/agents.d/*.yaml": "The agents.",
    "/etc/softphone-provisioner/templates/": "Targets of this site; one with the name of a shipped one replaces it.",
    "/usr/share/softphone-provisioner/templates/": "The targets that come with the program.",
    "/var/lib/softphone-provisioner/": "Sessions, and which files were written; readable by the service only.",
    "/run/softphone-provisioner/": "The service's sockets.",
}
_UNITS = {
    "softphone-provisioner.service": "The service, one on each workstation: `provisioner run`.",
    "softphone-provisioner-session.service": "In each desktop session, writes the files of whoever sits there: "
    "`provisioner session`.",
}


def command_page(command: Command, version: str) -> str:
    """The page of ``command``, as roff."""
    return "\n".join(_page(command, version)) + "\n"


def _page(command: Command, version: str) -> Iterator[str]:
    yield title(command.name.upper(), 1, version)
    yield from (".SH NAME", plain(f"{command.name} - keeps softphones provisioned from YAML and a platform's logins"))
    yield from (".SH SYNOPSIS", f"{bold(command.name)} {italic('VERB')} [{italic('OPTION')}...]")
    yield ".SH DESCRIPTION"
    yield from prose(command.description)
    yield from _options(command.options)
    yield ".SH VERBS"
    for verb in command.verbs:
        yield from _verb(command, verb)
    yield ".SH EXIT STATUS"
    yield from prose(command.epilog.removeprefix("exit codes: "))
    for head, entries in {"UNITS": _UNITS, "FILES": _FILES}.items():
        yield f".SH {head}"
        for name, text in entries.items():
            yield from item(bold(name), plain(text))
    yield ".SH EXAMPLE"
    yield from example("provisioner check && systemctl reload softphone-provisioner\nprovisioner status")
    yield from (".SH SEE ALSO", f"{bold('softphone-provisioner.yaml')}(5), {bold('systemctl')}(1)")


def _verb(command: Command, verb: Verb) -> Iterator[str]:
    yield f".SS {bold(f'{command.name} {verb.name}')} {' '.join(_synopsis(verb))}".rstrip()
    yield from prose(verb.description or verb.summary)
    yield from _options(verb.arguments)


def _synopsis(verb: Verb) -> Iterator[str]:
    for argument in verb.arguments:
        if argument.flags and argument.required:
            yield f"{bold(argument.flags[-1])} {italic(argument.shown)}"
    if any(argument.flags and not argument.required for argument in verb.arguments):
        yield f"[{italic('OPTION')}...]"
    yield from (italic(argument.shown) for argument in verb.arguments if not argument.flags)


def _options(arguments: tuple[Argument, ...]) -> Iterator[str]:
    for argument in arguments:
        if argument.flags == ("-h", "--help"):
            continue
        flags = ", ".join(map(bold, argument.flags))
        yield from item(f"{flags} {italic(argument.shown) if argument.shown else ''}".strip(), plain(argument.help))
