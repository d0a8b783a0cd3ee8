"""What two agents of one workstation cannot both have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from provisioner.core.layout import layout
from provisioner.core.problem import Problem, ProvisionerError
from provisioner.core.settings import TargetChoice
from provisioner.site import Served, Site


def clashes(site: Site) -> Iterator[Problem]:
    """Agents whose relays would want one port, and targets that would want one file (the first one gets it) or have no
    place for it."""
    ports: dict[int, str] = {}
    paths: dict[str, str] = {}
    for login, served in site.served.items():
        agent = served.wanted.agent
        port = agent.relay.port
        if port is not None and ports.setdefault(port, login) != login:
            what = f"the relay of agent `{ports[port]}` has the port {port} already"
            yield Problem(agent.place, what, "give each agent of a workstation another")
        for choice in agent.targets:
            yield from _taken(site, served, choice, paths)


def _taken(site: Site, served: Served, choice: TargetChoice, paths: dict[str, str]) -> Iterator[Problem]:
    """The problem where somebody of ``paths`` has a file of this target already; otherwise it has them now."""
    agent = served.wanted.agent
    who = f"{choice.target} of agent `{agent.login}`"
    try:
        files = _files(site, served, choice)
    except ProvisionerError as error:
        yield from (replace(problem, where=agent.place) for problem in error.problems)
        return
    for path in files:
        if path in paths:
            what = f"{who} would write {path}, which is {paths[path]}'s already"
            yield Problem(agent.place, what, "give one of them another `path` or `home`")
            return
    paths.update(dict.fromkeys(files, who))


def _files(site: Site, served: Served, choice: TargetChoice) -> list[str]:
    target = served.wanted.targets.get(choice.target)
    if target is None or served.home is None:
        return []
    place = layout(served.wanted.agent, choice, target, home=served.home, root=site.root)
    return [f"{place.absolute}/{file.name}" for file in target.files]
