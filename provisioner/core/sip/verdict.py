"""Would a phone register? What was tried, judged in one sentence that ends with what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from provisioner.core.account import Account, Proof, Transport
from provisioner.core.secret import Secret
from provisioner.core.sip.message import Response
from provisioner.core.sip.obstacle import Occasion, in_words
from provisioner.core.sip.trial import Obstacle, Trial, proves

_ASK = "ask the platform's administrator"
_SHOWN = 80
_CLOCK_SLACK = 300.0
_DATE = "%a, %d %b %Y %H:%M:%S GMT"


class Outcome(StrEnum):
    """What became of a query that was answered."""

    ACCEPTED = "accepted"
    NOT_ASKED = "no password asked"
    WRONG_REALM = "wrong realm"
    CANNOT_ANSWER = "cannot answer"
    NOT_DIGEST = "other authentication"
    CHALLENGED_AGAIN = "challenged again"
    FORBIDDEN = "forbidden"
    UNKNOWN_PEER = "unknown peer"
    TOO_BRIEF = "interval too brief"
    REDIRECTED = "redirected"
    SERVER_TROUBLE = "server trouble"
    OTHER = "other answer"
    SPARED = "not tried"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``able`` says whether a phone with our files would register; ``what`` why (not), ``fix`` what to do, ``remarks``
    what is odd."""

    outcome: Outcome | Obstacle
    able: bool
    what: str
    fix: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """For whom, with which passwords at hand beside the account's own, and when: ``now`` in Unix seconds, ``timeout``
    the longest wait in seconds."""

    account: Account
    passwords: tuple[Secret, ...]
    now: float
    timeout: float


def judge(trials: Iterable[Trial], asked: Asked) -> tuple[Verdict, ...]:
    """A verdict on each trial, in the light of all."""
    every = tuple(trials)
    took = tuple(trial.transport for trial in every if trial.accepted)
    return tuple(_Judgement(trial, asked, took).verdict() for trial in every)


class _Judgement:
    def __init__(self, trial: Trial, asked: Asked, took: tuple[Transport, ...]) -> None:
        self._trial = trial
        self._asked = asked
        self._took = took

    def verdict(self) -> Verdict:
        trial, response = self._trial, self._trial.response
        if trial.failure:
            clock = datetime.fromtimestamp(self._asked.now, UTC).strftime("%Y-%m-%d %H:%M UTC")
            words = in_words(trial.failure, trial.address, Occasion(self._asked.timeout, clock))
            return Verdict(trial.failure.obstacle, False, *words)
        if self._has_wrong_realm():
            return Verdict(Outcome.WRONG_REALM, False, *self._wrong_realm())
        if trial.spared:
            what = "the server has refused this agent over another transport, so it was not asked again"
            return Verdict(Outcome.SPARED, False, what, "cure that first")
        if trial.cannot:
            return Verdict(Outcome.CANNOT_ANSWER, False, trial.cannot.what, trial.cannot.fix)
        assert response is not None
        return self._answered(response)

    def _answered(self, response: Response) -> Verdict:
        status, name = response.status, self._asked.account.name
        said = _said(response)
        match status:
            case _ if 200 <= status < 300:
                return self._accepted(response)
            case 401 | 407 if self._trial.signed:
                return self._again()
            case 401 | 407:
                what = f"the server asks for authentication, but not by Digest ({said})"
                return Verdict(Outcome.NOT_DIGEST, False, what, f"{_ASK} to switch Digest on")
            case 403:
                return Verdict(Outcome.FORBIDDEN, False, *self._forbidden())
            case 404:
                what = f"the server knows no `{name}` at `{self._asked.account.domain}` ({said})"
                fix = f"{_ASK} for the agent's phone; `account: {{name: …}}` and `domain:` must be the server's"
                return Verdict(Outcome.UNKNOWN_PEER, False, what, fix)
            case 423:
                least = response.headers.first("Min-Expires") or "…"
                what = f"the server wants registrations to last longer ({said})"
                return Verdict(Outcome.TOO_BRIEF, False, what, f"set `account: {{expires: {_short(least)}}}`")
            case _ if 300 <= status < 400:
                to = _short(response.headers.first("Contact")) or "nowhere"
                what = f"the server sends phones elsewhere: to {to} ({said})"
                return Verdict(Outcome.REDIRECTED, False, what, "set `account: {server: …}` if that is right")
            case _ if 500 <= status < 600:
                wait = response.headers.first("Retry-After")
                later = f" after {_short(wait)} s" if wait.isdecimal() else " later"
                return Verdict(Outcome.SERVER_TROUBLE, False, f"the server is in trouble ({said})", f"try again{later}")
        return Verdict(Outcome.OTHER, False, f"the server refuses the query ({said})", f"{_ASK} what its log says")

    def _accepted(self, response: Response) -> Verdict:
        remarks = tuple(_clock(response, self._asked.now))
        if self._trial.challenge is None:
            what = "the server takes the query without a password"
            remark = f"anybody can register as `{self._asked.account.name}`: {_ASK} to set a password"
            return Verdict(Outcome.NOT_ASKED, True, what, "", (remark, *remarks))
        return Verdict(Outcome.ACCEPTED, True, "accepted", "", remarks)

    def _has_wrong_realm(self) -> bool:
        challenge, credential = self._trial.challenge, self._asked.account.credential
        return bool(challenge and credential.ha1 and challenge.needs_md5 and challenge.realm != credential.realm)

    def _wrong_realm(self) -> tuple[str, str]:
        challenge, credential = self._trial.challenge, self._asked.account.credential
        assert challenge is not None
        theirs, ours = _short(challenge.realm), credential.realm
        what = f"the server's realm is `{theirs}`, our files say `{ours}`, and phones then do not answer"
        if credential.proof is Proof.PROVEN:
            return what, f"the password proves that the platform's hash is for `{ours}`: {_ASK} to use one realm"
        setting = f"set `platform: {{realm: {theirs}}}`"
        if proves(credential, challenge.realm, self._asked.passwords):
            return what, f"{setting}: the password at hand proves that the hash is for it"
        if self._trial.accepted:
            return what, f"{setting}: the server accepted the hash with it"
        if self._trial.signed:
            return f"{what}; and with that realm the hash is refused too", f"{_ASK} to set the agent's password anew"
        return what, f"{setting} if this is your server; over {self._trial.transport} nothing proves that it is"

    def _forbidden(self) -> tuple[str, str]:
        account, transport = self._asked.account, self._trial.transport
        if not self._trial.signed:
            what = "the server refuses this machine before it asks for a password (403)"
            return what, f"{_ASK} for the access list of `{account.name}`"
        if self._took:
            what = f"the server refuses {transport} for `{account.name}` (403), and takes {', '.join(self._took)}"
            return (
                what,
                f"{_ASK} to add {transport} to the agent's transports, or use a phone that does {self._took[0]}",
            )
        what = f"the server refuses the password, or {transport} for `{account.name}` (403)"
        return what, f"`provisioner refresh {account.agent}`; if that does not help, {_ASK} for password and transports"

    def _again(self) -> Verdict:
        challenge, account = self._trial.challenge, self._asked.account
        if challenge and challenge.stale:
            what = "the server finds every answer too late, also one that is given at once (stale nonce)"
            return Verdict(Outcome.CHALLENGED_AGAIN, False, what, f"{_ASK}: it may be several servers behind one name")
        what = f"the server asks again and again: it does not know `{account.name}`, or the password is wrong"
        fix = f"`provisioner refresh {account.agent}`; if that does not help, {_ASK} for the agent's phone"
        return Verdict(Outcome.CHALLENGED_AGAIN, False, what, fix)


def _said(response: Response) -> str:
    return f"{response.status} {_short(response.reason)}".strip()


def _short(text: str) -> str:
    """A word of the server's as it may stand in a message."""
    return re.sub(r"[^\x20-\x7e\xa0-\uffff]", "?", text)[:_SHOWN]


def _clock(response: Response, now: float) -> Iterable[str]:
    """A remark where this machine's clock and the server's differ: certificates and nonces depend on it."""
    try:
        theirs = datetime.strptime(",".join(response.headers.every("Date")).replace(",", ", "), _DATE)
    except ValueError:
        return
    off = now - theirs.replace(tzinfo=UTC).timestamp()
    if abs(off) > _CLOCK_SLACK:
        way = "ahead of" if off > 0 else "behind"
        yield f"this machine's clock is {abs(off) / 60:.0f} min {way} the server's: set the one that is wrong"
