"""Where the files of an agent's targets go."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import PurePosixPath

from provisioner.core.escape import forbidden
from provisioner.core.parcel import Home, Layout
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.settings import AgentSettings, TargetChoice
from provisioner.core.target import Target

_COMPONENT = re.compile(r"[^/.][^/]*")
_PLACEHOLDER = re.compile(r"\{(login|user)\}")


def layout(agent: AgentSettings, choice: TargetChoice, target: Target, *, home: Home, root: str = "/") -> Layout:
    """Where ``target`` puts its files for this agent. ``root`` is the folder that all absolute paths hang under.

    Raises ProvisionerError when the path has parts that lead elsewhere.
    """
    folders = tuple(_path(folder) for folder in target.folders)
    if choice.path is None:
        return Layout(home.folder, _path(target.folder), folders)
    path = _filled(agent, choice, home)
    if path.startswith("~/"):
        return Layout(home.folder, _relative(agent, path[2:].lstrip("/")), folders)
    inside = PurePosixPath(root) / path.lstrip("/")
    if inside.is_relative_to(home.folder):
        return Layout(home.folder, _relative(agent, str(inside.relative_to(home.folder))), folders)
    return Layout(root, _relative(agent, path.lstrip("/")), ())


_path = lru_cache(maxsize=256)(PurePosixPath)  # a target's folders are the same for every agent


def _filled(agent: AgentSettings, choice: TargetChoice, home: Home) -> str:
    path, values = choice.path or "", {"login": agent.login, "user": home.user}
    if re.search(r"[{}]", _PLACEHOLDER.sub("", path)):
        raise _wrong(agent, f"`path: {path}` names something unknown", "only {login} and {user} are replaced")
    for name in _PLACEHOLDER.findall(path):
        value = values[name]
        if not _COMPONENT.fullmatch(value) or forbidden(value):
            raise _wrong(agent, f"the {name} {value[:40]!r} cannot be a part of a path", "write the path out")
    # In one pass: what a name holds is not replaced again.
    return _PLACEHOLDER.sub(lambda found: values[found[1]], path)


def _relative(agent: AgentSettings, path: str) -> PurePosixPath:
    relative = PurePosixPath(path)
    if ".." in relative.parts or not relative.parts or forbidden(path):
        raise _wrong(agent, "`path` must name a folder, without `..`", "write the path out")
    return relative


def _wrong(agent: AgentSettings, what: str, fix: str) -> ProvisionerError:
    return ProvisionerError(Problem(Place(f"agent {agent.login}"), what, fix))
