"""Say whether the configuration is right, and if not, every mistake of every file at once.

Reads the settings, the targets that agents use, and whether the passwords of this workstation's agents are to be had,
and sees that no two of them want the same file, and by root that the service can read all of this; nothing is changed
and the platform is not asked. Works on a copy (--config DIR), and on single files, as in Ansible's
`validate: provisioner check %s`: those are then looked at alone.
"""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from provisioner.clashes import clashes
from provisioner.cli.common import (
    DONE,
    REFUSED,
    add_format,
    add_places,
    add_workstation,
    complain,
    places,
    print_json,
)
from provisioner.core.password_source import FromCredential, FromEnv
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.report import problem_as_json
from provisioner.core.rivals import rivalry, rivals
from provisioner.edge.catalog import CatalogReader, shipped
from provisioner.edge.configuration import mistakes_in
from provisioner.edge.credential import Credentials
from provisioner.edge.state_folder import state_owner
from provisioner.hidden import hidden
from provisioner.places import Places
from provisioner.site import Served, Site, SiteReader, Surroundings

# Marks made with it are compared with nothing.
_THROW_AWAY = b"check"


def configure(parser: argparse.ArgumentParser) -> None:
    """What to look at, and as which workstation."""
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="look at these files alone")
    add_places(parser)
    add_workstation(parser)
    parser.add_argument("--all", action="store_true", help="look for the passwords of all agents, wherever they work")
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    """Print the problems, or how much is right."""
    here = places(options)
    if options.files:
        return _check_files(options.files, here, options.format)
    name = options.workstation or socket.gethostname()
    credentials, service = Credentials(os.environ, here.root), _service(here)
    around = Surroundings(here.root, None if options.all else name, credentials, _THROW_AWAY, uid=service)
    reader = SiteReader(here.config, [shipped(), here.site_templates], around)
    try:
        site = reader.read()
    except ProvisionerError as error:
        complain([*error.problems, *reader.wrong_options()], options.format)
        return REFUSED
    problems = [
        *site.remarks,
        *reader.unusable_authorities(site.settings),
        *_of_agents(site, credentials),
        *_of_targets(site),
        *reader.wrong_options(),
        *_rivalries(site),
    ]
    if not options.all:
        problems += clashes(site)
    if options.config is None:  # a copy is not what the service reads
        problems += hidden(site, here, service)
    problems = list(dict.fromkeys(reader.placed(problems)))  # a broken target is a remark, and somebody's trouble
    wrong = any(not problem.remark for problem in problems)
    if options.format == "json":
        print_json(_counts(site, name) | {"problems": [problem_as_json(problem) for problem in problems]})
    else:
        complain(problems)
        if not wrong:
            print(_praise(site, name, all_agents=options.all))
    return REFUSED if wrong else DONE


def _service(here: Places) -> int | None:
    """The user that the service runs as, in whose home the files without `user:` are; None where there is no state."""
    try:
        return state_owner(here.state)
    except ProvisionerError:
        return None


def _check_files(files: Iterable[Path], here: Places, form: str) -> int:
    catalog = CatalogReader([shipped(), here.site_templates]).read()
    problems = [problem for file in files for problem in mistakes_in(file, catalog)]
    if problems or form == "json":
        complain(problems, form)
    else:
        print("right")
    return REFUSED if problems else DONE


def _of_agents(site: Site, credentials: Credentials) -> Iterator[Problem]:
    """What keeps agents from being served. Each is said once, though many agents share it."""
    found: dict[Problem, None] = {}
    for served in site.served.values():
        only_there = _known_to_the_service_only(served, credentials)
        for problem in served.problems:
            found[replace(problem, remark=True) if problem.what in only_there else problem] = None
    yield from found


def _known_to_the_service_only(served: Served, credentials: Credentials) -> set[str]:
    """Problems with passwords that systemd gives to the service: whoever checks by hand cannot have them."""
    if "INVOCATION_ID" in os.environ:
        return set()
    agent, turn = served.wanted.agent, served.wanted.platform.turn
    found: set[str] = set()
    for source in (agent.password, *(server.password for server in turn)):
        if isinstance(source, FromEnv | FromCredential):
            try:
                credentials.resolve(source, agent.place)
            except ProvisionerError as error:
                found |= {problem.what for problem in error.problems}
    return found


def _of_targets(site: Site) -> Iterator[Problem]:
    """Broken targets matter when somebody uses them; otherwise they are among the remarks."""
    for name in sorted(_targets(site) & site.broken.keys()):
        yield from site.broken[name]


def _rivalries(site: Site) -> Iterator[Problem]:
    """Each choice of softphones that displace each other, with the agents that have it."""
    found: dict[tuple[str, ...], list[str]] = {}
    for login, served in site.served.items():
        chosen = (served.wanted.targets.get(choice.target) for choice in served.wanted.agent.targets)
        names = rivals(target for target in chosen if target)
        if names:
            found.setdefault(names, []).append(login)
    for names, (first, *others) in found.items():
        who = f"agent {first}" + (f" and {_number(len(others), 'other')}" if others else "")
        yield rivalry(Place(who), names)


def _counts(site: Site, name: str) -> dict[str, object]:
    counts = {"agents": len(site.settings.agents), "served": len(site.served), "targets": len(_targets(site))}
    return {"workstation": name, **counts}


def _praise(site: Site, name: str, *, all_agents: bool) -> str:
    agents, targets = len(site.settings.agents), len(_targets(site))
    served = "all of them looked at" if all_agents else f"{len(site.served)} of them for this workstation ({name})"
    return f"{_number(agents, 'agent')}, {served}, {_number(targets, 'target')}: right"


def _targets(site: Site) -> set[str]:
    """Those that agents use."""
    return {choice.target for agent in site.settings.agents.values() for choice in agent.targets}


def _number(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
