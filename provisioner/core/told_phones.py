"""How each phone of an agent is told, with every word of its commands filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from provisioner.core.layout import layout
from provisioner.core.parcel import Home, Layout
from provisioner.core.problem import Problem, ProvisionerError
from provisioner.core.reason import Wanted
from provisioner.core.schema_words import FILLED
from provisioner.core.settings import AgentSettings, ReloadPolicy, TargetChoice
from provisioner.core.target import ShippedReload, Target

_PLACEHOLDER = re.compile(rf"\{{({'|'.join(FILLED)})\}}")


@dataclass(frozen=True, slots=True)
class Told:
    """A phone that is told when the files at ``place`` change, and how."""

    place: Layout
    policy: ReloadPolicy


def told_phones(wanted: Wanted, home: Home | None, root: str) -> Mapping[str, Told]:
    """The phones of an agent that are told, by the folder of their files; for ``home`` and ``root`` see ``layout``."""
    found: dict[str, Told] = {}
    for choice in wanted.agent.targets:
        target = wanted.targets.get(choice.target)
        if choice.reload is None or target is None or home is None:
            continue
        try:
            place = layout(wanted.agent, choice, target, home=home, root=root)
        except ProvisionerError:
            continue  # nothing is delivered there, and its report says why
        policy = _with_shipped(choice.reload, target.reload)
        values = {"folder": place.absolute, "home": home.folder, "user": home.user, "login": wanted.agent.login}
        if policy.command:
            found[place.absolute] = Told(place, _filled(policy, values))
    return found


def nothing_shipped(agent: AgentSettings, choice: TargetChoice, target: Target) -> tuple[Problem, ...]:
    """The problem of a choice of ``agent`` that wants the target's own command where there is none."""
    if choice.reload is None or choice.reload.command or target.reload:
        return ()
    what = f"agent `{agent.login}`: {target.name} has no reload command of its own"
    return (Problem(agent.place, what, "name one: `reload: [COMMAND, ARGUMENT]`"),)


def _with_shipped(policy: ReloadPolicy, shipped: ShippedReload | None) -> ReloadPolicy:
    """``policy`` with the target's own commands, where it does not name a command by itself."""
    if policy.command or shipped is None:
        return policy
    running = policy.running_command or shipped.running_command
    busy = policy.busy_command or shipped.busy_command
    return replace(policy, command=shipped.command, running_command=running, busy_command=busy)


def _filled(policy: ReloadPolicy, values: Mapping[str, str]) -> ReloadPolicy:
    def words(command: Sequence[str]) -> tuple[str, ...]:
        # In one pass: what a value holds is not replaced again.
        return tuple(_PLACEHOLDER.sub(lambda found: values[found[1]], word) for word in command)

    return replace(
        policy,
        command=words(policy.command),
        running_command=words(policy.running_command),
        busy_command=words(policy.busy_command),
    )
