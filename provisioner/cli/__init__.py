"""The command line: one file a verb. A verb's module is imported only when it is asked for, so that light verbs stay
light."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from provisioner import __version__
from provisioner.cli.streams import lost_output, name_files_in_utf8, open_standard_streams

VERBS = {
    "run": "serve this workstation: log agents in, write their softphones' files, follow the YAML",
    "session": "bring the service's files into this user's home while the session lasts",
    "apply": "do all that once and stop",
    "plan": "say what would change, and change nothing",
    "check": "say whether the configuration is right",
    "render": "make the files for a saved login answer, without network",
    "targets": "list the softphones and what each can do",
    "status": "say how the running service and its agents are",
    "refresh": "log one agent in again",
    "verify": "ask the SIP server whether the agents would register, and why not",
    "reload": "have the running service read the configuration now",
    "log-off": "log one agent off",
    "baresip": "tell a running baresip that its accounts changed",
    "schema": "print the JSON schema of the configuration",
    "init": "write a commented sample configuration",
    "demo": "show the whole on a simulated platform",
}
EPILOG = """\
exit codes: 0 done; 1 a mistake in the configuration, or something was refused; 2 wrong usage;
3 the service is not running; 4 done, but not every agent could be served, or (`verify`) would register;
78 `run` found no usable configuration
"""
_WIDEST = 100


class _Help(argparse.HelpFormatter):
    """Fits the paragraphs of a text into the terminal; those that are indented stay as they are."""

    def __init__(self, prog: str) -> None:
        import shutil  # takes as long as a light verb's own modules, and nothing but help needs it

        super().__init__(prog, width=min(_WIDEST, shutil.get_terminal_size().columns) - 2)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        parts = text.strip("\n").split("\n\n")
        return "\n\n".join(part if part.startswith(" ") else fill(part, width, indent) for part in parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit code. ``arguments`` None means those of the process."""
    open_standard_streams()
    if arguments is None:
        name_files_in_utf8()
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = make_parser(words[0] if words and words[0] in VERBS else None)
    options = parser.parse_args(words)
    try:
        code = int(options.run(options))
    except KeyboardInterrupt:
        return 130
    if error := lost_output():
        print(f"standard output: this cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    return code


def make_parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """The parser of all verbs, or of the ``chosen`` verb alone: all that it takes to run."""
    parser = argparse.ArgumentParser(
        prog="provisioner",
        description="Keeps the softphones of contact-centre agents provisioned from YAML and the platform's logins.",
        epilog=EPILOG,
        formatter_class=_Help,
    )
    parser.add_argument("--version", action="version", version=f"softphone-provisioner {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for name in VERBS if chosen is None else [chosen]:
        module = import_module(f"provisioner.cli.{name.replace('-', '_')}")
        verb = verbs.add_parser(
            name, help=VERBS[name], description=module.__doc__, epilog=EPILOG, formatter_class=_Help
        )
        module.configure(verb)
        verb.set_defaults(run=module.run)
    return parser
