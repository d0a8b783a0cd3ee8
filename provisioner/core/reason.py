"""What a change costs: a login, a rendering, or nothing. And how long to wait after a failure.

A login makes the agent available for calls, so it happens once for each reason and never by the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from provisioner.core.password_source import Inline
from provisioner.core.secret import Secret
from provisioner.core.session import HeldSession
from provisioner.core.settings import AgentSettings, Platform
from provisioner.core.target import Target

_ANY = Inline(Secret(""))


class Reason(StrEnum):
    """What has to be done for an agent. The words are those of ``x-effect`` in the schema."""

    LOG_IN = "log-in"
    RENDER = "render"
    NOTHING = "none"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a login depends on: nothing else is a reason for one. ``password_mark`` tells passwords apart without
    holding one; empty when the password cannot be read."""

    url: str
    login: str
    password_mark: str

    @property
    def at_platform(self) -> str:
        """The agent at this platform: what belongs to both is remembered under this name."""
        return f"{self.login} at {self.url}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Everything that the files of one agent depend on, the login's answer aside.

    ``secrets_mark`` tells apart what the settings only point to: passwords of TURN servers, a realm that was seen.
    """

    identity: Identity
    agent: AgentSettings
    platform: Platform
    targets: Mapping[str, Target | None]
    secrets_mark: str = ""


def identity_of(session: HeldSession) -> Identity:
    """The identity that a session was opened with."""
    return Identity(session.url, session.login, session.password_mark)


def reason(held: Identity | None, old: Wanted | None, new: Wanted) -> Reason:
    """What ``new`` asks for; ``held`` is the identity of the session at hand, ``old`` what was rendered last."""
    if held is None or not same_login(held, new.identity):
        return Reason.LOG_IN
    if old is None or _rendered(old) != _rendered(new):
        return Reason.RENDER
    return Reason.NOTHING


def same_login(held: Identity | HeldSession, wanted: Identity) -> bool:
    """Would a login for ``wanted`` only repeat the one behind ``held``? A password that cannot be read is no news."""
    marks_differ = wanted.password_mark and wanted.password_mark != held.password_mark
    return held.url == wanted.url and held.login == wanted.login and not marks_differ


def _rendered(wanted: Wanted) -> object:
    """What files are made from: not how long is waited, where the password is kept, how the phone is told."""
    turn = tuple(replace(server, password=_ANY) for server in wanted.platform.turn)
    platform = replace(wanted.platform, url="", connect_timeout=0.0, timeout=0.0, turn=turn)
    choices = tuple(replace(choice, reload=None) for choice in wanted.agent.targets)
    agent = replace(wanted.agent, password=None, workstations=None, targets=choices)
    return platform, agent, dict(wanted.targets), wanted.identity.password_mark, wanted.secrets_mark


def back_off(count: int, *, first: float, longest: float, chance: float) -> float:
    """Seconds to wait after the ``count``-th failure in a row (from 1): exponential with full jitter.

    ``first`` and ``longest`` bound the growth, ``chance`` is a random number from 0 to 1.
    """
    return chance * min(longest, first * 2.0 ** min(count - 1, 60))
