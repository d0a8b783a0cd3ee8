"""One agent at this workstation, as the daemon sees them: wanted, logged in or not, and what became of the files."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from provisioner.core.attempt import CURES
from provisioner.core.parcel import TargetReport
from provisioner.core.pending import Reload
from provisioner.core.problem import Place, Problem
from provisioner.core.reason import Identity, same_login
from provisioner.core.relay_way import way_as_json
from provisioner.core.reload import problem_of, reload_as_json
from provisioner.core.report import problem_as_json
from provisioner.core.session import Attempt, HeldSession
from provisioner.refresh import AgentReport
from provisioner.site import Served


@dataclass
class Seat:
    """State of one agent.

    ``next_at`` is the Unix time before which there is no login, None when there is to be none; ``renew`` asks for one
    although there is a session. ``due_at`` is when one that waits for its time begins, None where none does.
    ``changed`` wakes the login task, ``tried`` is set after each login that was tried. ``busy`` is held by whoever logs
    in or off, ``enquiring`` by whoever asks for the realm, ``delivering`` by whoever brings files. ``rendered`` is what
    the files were made from last, ``told`` the problems of ``served`` that the log has named. ``reloads`` is what
    phones are still to be told, by the folder of their files. ``gone`` says that this agent is served no longer,
    ``asking`` that the platform is asked to log it in, ``looking`` how many want its realm looked for, ``unasked`` that
    no server has answered for which realm its hash is. ``unproven`` is what the log said last of that. ``moving`` says
    that what it has elsewhere is being undone: until it has its new settings, nothing is begun with the old.
    """

    served: Served
    session: HeldSession | None = None
    attempt: Attempt | None = None
    next_at: float | None = 0.0
    due_at: float | None = None
    report: AgentReport | None = None
    rendered: Served | None = None
    told: tuple[Problem, ...] = ()
    reloads: dict[str, Reload] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    tried: asyncio.Event = field(default_factory=asyncio.Event)
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    enquiring: asyncio.Lock = field(default_factory=asyncio.Lock)
    delivering: asyncio.Lock = field(default_factory=asyncio.Lock)
    task: asyncio.Task[None] | None = None
    renew: bool = False
    gone: bool = False
    asking: bool = False
    looking: int = 0
    unasked: bool = True
    unproven: str = ""
    moving: bool = False

    @property
    def login(self) -> str:
        """The agent's user name at the platform."""
        return self.served.wanted.agent.login

    @property
    def uid(self) -> int | None:
        """The user whose courier reaches the home; None when this process does it by itself."""
        return self.served.home.uid if self.served.home else None

    @property
    def identity(self) -> Identity:
        """What a login for this agent depends on now."""
        return self.served.wanted.identity

    @property
    def holds(self) -> bool:
        """Is the session at hand the one that is wanted?"""
        return self.session is not None and same_login(self.session, self.identity)

    def is_elsewhere(self, served: Served) -> bool:
        """Does the session at hand belong to another address than ``served`` wants?"""
        return self.session is not None and self.session.url != served.wanted.identity.url

    def moves(self, served: Served) -> bool:
        """Do the files of ``served`` belong to another user's home?"""
        return self.served.home is not None and served.home is not None and self.uid != served.home.uid

    def leaves_for(self, served: Served) -> bool:
        """Is something of the seat to be undone before it has the settings of ``served``? Then it is moving from here
        on."""
        self.moving = self.is_elsewhere(served) or self.moves(served)
        return self.moving

    def leave(self) -> None:
        """Be served no longer; what is under way is finished, and nothing is begun."""
        self.gone = True
        self.changed.set()

    async def first_try(self, now: float) -> None:
        """Wait until a login was tried, or there is none to be tried ``now`` (Unix seconds)."""
        if self.task is not None and self.next_at is not None and self.next_at <= now:
            tried = asyncio.ensure_future(self.tried.wait())
            await asyncio.wait([tried, self.task], return_when=asyncio.FIRST_COMPLETED)
            tried.cancel()

    def forget_failures(self) -> None:
        """Let the next login happen at once."""
        self.attempt, self.next_at = None, 0.0

    def last_attempt(self) -> Attempt:
        """The attempt to count on from: the last one for this same identity, or none. A password that cannot be read
        now is taken for the one that was used last."""
        mark = self.identity.password_mark
        if self.attempt is not None and mark in ("", self.attempt.password_mark):
            return self.attempt
        used = self.session.password_mark if self.session else ""
        return Attempt(self.login, mark or used, 0.0, "", "", 0)


def seat_as_json(seat: Seat, *, present: bool) -> dict[str, Any]:
    """What the status tells of one agent; ``present`` says whether the agent's user has a session now."""
    report = seat.report
    problems = [*seat.served.problems, *(report.problems if report else ()), *_untold(seat)]
    return {
        "agent": seat.login,
        "user": seat.served.home.user if seat.served.home else None,
        "present": present,
        "served": is_served(seat),
        "login": _login(seat, present),
        "proof": str(report.proof) if report and report.proof else None,
        "targets": [_target(seat, target) for target in report.targets] if report else [],
        "problems": [problem_as_json(problem) for problem in problems],
    }


def is_served(seat: Seat) -> bool:
    """Are the files of this agent as they should be?"""
    report = seat.report
    if report is None or report.waiting or not report.healthy or seat.served.problems or not seat.holds:
        return False
    return not seat.reloads or all(problem.remark for problem in _untold(seat))


def why_not(seat: Seat) -> tuple[Problem, ...]:
    """What keeps this agent from being served."""
    if seat.attempt:
        what = f"login {seat.attempt.kind}: {seat.attempt.cause}"
        return (Problem(Place(f"agent {seat.login}"), what, CURES.get(seat.attempt.kind, "")),)
    report = seat.report
    targets = [problem for target in report.targets for problem in target.problems] if report else []
    return (*seat.served.problems, *(report.problems if report else ()), *targets, *_untold(seat))


def _untold(seat: Seat) -> list[Problem]:
    """What keeps phones from knowing their files."""
    return [problem for problem in map(problem_of, seat.reloads.values()) if problem]


def _login(seat: Seat, present: bool) -> dict[str, Any]:
    attempt = seat.attempt
    waits = {"next_at": seat.due_at} if present and seat.due_at is not None else {}
    last = {"cause": _last_login(attempt), "failed_at": attempt.at, "count": attempt.count} if attempt else {}
    if seat.session and seat.holds:
        held = {"state": "logged in", "at": seat.session.logged_in_at}
        return {**held, **last, **waits} if attempt else held
    if seat.asking:
        return {"state": "logging in", **last}
    if attempt is None and not seat.identity.password_mark:
        return {"state": "no password"}
    if attempt is None:
        return {"state": "waiting", **waits} if present else {"state": "away"}
    return {"state": attempt.kind, "at": attempt.at, "cause": attempt.cause, "count": attempt.count, **waits}


def _last_login(attempt: Attempt) -> str:
    return f"the last login: {attempt.kind}: {attempt.cause}"


def _target(seat: Seat, target: TargetReport) -> dict[str, Any]:
    way = seat.report.ways.get(target.target) if seat.report else None
    reload = seat.reloads.get(target.folder)
    return {
        "target": target.target,
        **way_as_json(way),
        "state": str(target.state),
        "folder": target.folder,
        "reload": reload_as_json(reload) if reload else None,
        "problems": [problem_as_json(problem) for problem in target.problems],
    }
