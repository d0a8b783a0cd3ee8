"""What becomes of what a phone is still to be told: tried again, put off by a call, given up, rolled back.

No clock and no dice here: ``now`` is Unix seconds, ``chance`` a random number from 0 to 1.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum

from provisioner.core.errand import Ran
from provisioner.core.pending import Reload
from provisioner.core.problem import Place, Problem
from provisioner.core.reason import back_off
from provisioner.core.settings import ReloadPolicy


class Decision(StrEnum):
    """What becomes of the content that a phone is to have."""

    BRING = "bring"
    AS_IT_IS = "as it is"
    HOLD = "hold"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Wish:
    """The content that a phone is to have: its mark (none where nothing is ever rolled back), whether it ``changes``
    what is there, and whether the phone is to be ``asked`` first if it is in a call."""

    content: str
    changes: bool
    asked: bool


def judged(reload: Reload, policy: ReloadPolicy, wish: Wish, now: float) -> tuple[Decision, Reload]:
    """What becomes of ``wish``, and what is to be remembered before it does."""
    reload = resumed(reload, policy, now)
    if wish.content and wish.content == reload.refused:
        return Decision.REFUSED, free(reload) if reload.held else reload
    if not wish.changes:
        accepted = replace(reload, refused="", refusal="")
        return Decision.AS_IT_IS, free(accepted) if reload.held else accepted
    if wish.asked:
        return Decision.HOLD, reload if reload.held else replace(reload, held=True, look_at=now)
    return Decision.BRING, renewed(reload, now, content=wish.content)


def due(reload: Reload) -> float | None:
    """When something is to be done for this phone next; None when nothing is."""
    if reload.held or reload.busy_since is not None:
        return reload.look_at
    return reload.next_at if reload.since is not None else None


def renewed(reload: Reload, now: float, *, content: str) -> Reload:
    """Files with new ``content`` (a mark, or nothing) come to the phone: it is to be told at once."""
    since = now if reload.since is None else reload.since
    fresh = Reload(reload.agent, reload.folder, reload.target, since, reload.number + 1, next_at=now, content=content)
    # A call that has lasted for too long is not waited for anew.
    return fresh if reload.busy_since is None else replace(fresh, busy_since=reload.busy_since, look_at=now)


def put_off(reload: Reload, policy: ReloadPolicy, now: float) -> Reload:
    """The phone is in a call. It is asked again, and at the limit for the last time."""
    since = now if reload.busy_since is None else min(reload.busy_since, now)
    return replace(reload, busy_since=since, look_at=min(now + policy.busy_every, since + policy.busy_limit))


def is_overdue(reload: Reload, policy: ReloadPolicy, now: float) -> bool:
    """Has the call put things off for as long as it may?"""
    return reload.busy_since is not None and now - reload.busy_since >= policy.busy_limit


def free(reload: Reload) -> Reload:
    """Nothing waits for a call any more."""
    return replace(reload, held=False, busy_since=None, look_at=None)


def told(reload: Reload) -> Reload:
    """The phone knows its files."""
    return replace(
        reload, since=None, count=0, code=None, cause="", next_at=None, busy_since=None, content="", command=""
    )


def after(reload: Reload, ran: Ran, policy: ReloadPolicy, *, now: float, chance: float) -> Reload:
    """What follows from a run: done, tried again later, or never."""
    if ran.code == 0:
        return told(reload)
    count = reload.count + 1
    cause = f"the reload command {policy.command[0]} {ran.cause or f'failed with exit code {ran.code}'}"
    failed = replace(reload, count=count, code=ran.code, cause=cause, command=_command_mark(policy), busy_since=None)
    if ran.code in policy.final_codes:
        return replace(failed, next_at=None)
    pause = back_off(count, first=policy.first_retry, longest=policy.longest_retry, chance=chance)
    return replace(failed, next_at=now + pause)


def rolls_back(reload: Reload, policy: ReloadPolicy) -> bool:
    """Has it failed so often, or so, that the files from before are to come back?"""
    if not policy.rolls_back or not reload.content or reload.since is None:
        return False
    return reload.count >= policy.roll_back_after or (reload.count > 0 and reload.gave_up)


def rolled_back(reload: Reload, now: float) -> Reload:
    """The files from before are back, and the phone is to be told of them."""
    again = renewed(reload, now, content="")
    return replace(again, refused=reload.content, refusal=reload.cause)


def resumed(reload: Reload, policy: ReloadPolicy, now: float) -> Reload:
    """The same after a restart, or under other settings: a command that changed is tried at once."""
    if reload.gave_up and reload.command != _command_mark(policy):
        return replace(reload, next_at=now, count=0)
    # A clock that was ahead then must not put anything off for as long.
    next_at = None if reload.next_at is None else min(reload.next_at, now + policy.longest_retry)
    busy_since = None if reload.busy_since is None else min(reload.busy_since, now)
    look_at = None if reload.look_at is None else min(reload.look_at, now + policy.busy_every)
    return replace(reload, next_at=next_at, busy_since=busy_since, look_at=look_at)


def _command_mark(policy: ReloadPolicy) -> str:
    """Tells whether the command, or what its codes mean, changed."""
    words = (*policy.command, *map(str, sorted(policy.final_codes)))
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()


def asked(reload: Reload, now: float) -> Reload:
    """Somebody asks for another try of what was given up or rolled back."""
    again = replace(reload, refused="", refusal="")
    return replace(again, next_at=now, count=0) if reload.gave_up else again


def problem_of(reload: Reload) -> Problem | None:
    """What there is to tell people, if there is anything."""
    where = Place(f"agent {reload.agent}, {reload.target}")
    if reload.refused:
        what = f"{reload.refusal}: the files from before are back"
        return Problem(where, what, "not tried again before the content changes, or `provisioner refresh`")
    if reload.busy_since is not None:
        return Problem(where, "the phone is in a call: pending", "it happens when the call ends", remark=True)
    if reload.since is None or not reload.count:
        return None
    fix = "not run again before it or the files change" if reload.gave_up else "it is run again by itself"
    return Problem(where, reload.cause, f"{fix}; run it by hand as its user to see what it says")


def reload_as_json(reload: Reload) -> dict[str, object]:
    """For the status: ``state`` is ``pending``, ``gave up`` or ``rolled back``; ``code`` is the last exit code."""
    state = "rolled back" if reload.refused else "gave up" if reload.gave_up else "pending"
    said = {"since": reload.since, "busy_since": reload.busy_since, "count": reload.count, "code": reload.code}
    return {"state": state, **said, "next_at": due(reload)}
