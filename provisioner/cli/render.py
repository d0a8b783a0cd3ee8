"""Make the files for a saved answer of the platform's login, without network: for trying a target, or for support.

The answer is the body as the platform sent it (`-` reads standard input). It holds secrets, and so do the files.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from provisioner.cli.common import DONE, NOT_ALL, REFUSED, add_format, complain, print_json
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.relay_way import RelayWay
from provisioner.core.report import problem_as_json
from provisioner.core.secret import Secret
from provisioner.edge.catalog import CatalogReader, shipped
from provisioner.offline import Saved, render_saved
from provisioner.places import NAME


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``render``."""
    parser.add_argument("reply", metavar="REPLY", help="file with the body of the login's answer")
    parser.add_argument("--out", type=Path, metavar="DIR", required=True, help="folder for the files")
    parser.add_argument("--target", action="append", metavar="NAME", help="only this one; may be repeated")
    parser.add_argument("--realm", help="the digest realm, where it is not `asterisk`")
    parser.add_argument("--password-file", metavar="FILE", help="holds the login password, to prove realm and password")
    parser.add_argument(
        "--relay", type=_port, metavar="PORT", help="with a relay at this port, for phones that cannot go over wss"
    )
    site = Path("/etc") / NAME / "templates"
    parser.add_argument(
        "--templates", type=Path, metavar="DIR", default=site, help="site targets (default: %(default)s)"
    )
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    """Render; gives the exit code: 4 when a target cannot serve this account."""
    try:
        catalog = CatalogReader([shipped(), options.templates]).read()
        password = _password(options.password_file) if options.password_file else None
        relay = RelayWay(options.relay) if options.relay else None
        saved = Saved(options.reply, _read(options.reply), password, options.realm, relay)
        chosen = options.target or sorted(catalog.names)
        prepared, written = render_saved(saved, catalog, chosen, options.out)
    except ProvisionerError as error:
        complain(error.problems, options.format)
        return REFUSED
    problems = [*prepared.problems, *(problem for target in prepared.targets for problem in target.problems)]
    if options.format == "json":
        print_json({"files": list(written), "problems": [problem_as_json(problem) for problem in problems]})
    else:
        complain(problems)
        for path in written:
            print(path)
    return NOT_ALL if any(not problem.remark for problem in problems) else DONE


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError("write a port from 1 to 65535")
    return int(text)


def _password(name: str) -> Secret:
    try:
        return Secret(_read(name).decode().rstrip("\r\n"))
    except UnicodeDecodeError:
        raise ProvisionerError(Problem(Place(name), "this is not UTF-8", "save the file as UTF-8")) from None


def _read(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise ProvisionerError(Problem(Place(name), f"this cannot be read: {error.strerror}", "name another")) from None
