"""What comes after a login that did not work: another try, and when, or none before something changes."""

from __future__ import annotations

from provisioner.core.reason import back_off
from provisioner.core.reply import NotThere, Refused, Trouble
from provisioner.core.session import Attempt
from provisioner.core.settings import LoginPolicy

REFUSED, TROUBLE, NOT_THERE, LOGGED_OFF = "refused", "trouble", "not there", "logged off"
# A refusal repeated locks accounts; a log-off that IT asked for is not undone behind its back.
FINAL = frozenset({REFUSED, LOGGED_OFF})
CURES = {
    REFUSED: "correct `password:`, or ask the platform's administrator",
    TROUBLE: "it is tried again by itself",
    NOT_THERE: "correct `platform: {url: …}`",
    LOGGED_OFF: "`provisioner refresh` logs in again",
}


def attempt_after(outcome: Refused | Trouble | NotThere, last: Attempt, now: float) -> Attempt:
    """The failed attempt to remember; ``last`` is the one before (its count goes on), ``now`` Unix seconds."""
    retry_after = 0.0
    match outcome:
        case Refused(cause=cause):
            kind = REFUSED
        case Trouble(cause=cause):
            kind, retry_after = TROUBLE, outcome.retry_after or 0.0
        case NotThere(cause=cause):
            kind = NOT_THERE
    return Attempt(last.agent, last.password_mark, now, kind, cause, last.count + 1, retry_after)


def goes_on(attempt: Attempt, mark: str) -> bool:
    """Does ``attempt`` still say something when the password has this ``mark``? One that could not be read, then or now
    (an empty mark), is no other one."""
    return not mark or attempt.password_mark in ("", mark)


def next_try(attempt: Attempt | None, policy: LoginPolicy, *, chance: float) -> float | None:
    """Unix time of the next login; None when there is to be none before the settings change or somebody asks.

    ``chance`` is a random number from 0 to 1.
    """
    if attempt is None:
        return 0.0
    if attempt.kind in FINAL:
        return None
    if attempt.kind == NOT_THERE:
        # An instance without that resource will not grow one in seconds.
        return attempt.at + policy.longest_retry * (1.0 + chance) / 2.0
    pause = back_off(attempt.count, first=policy.first_retry, longest=policy.longest_retry, chance=chance)
    # On top of what the platform asked for, or all whom it told the same come back together.
    return attempt.at + attempt.retry_after + pause
