"""Would this workstation's agents register, and if not, why? Asked without touching a line or logging anybody in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from provisioner.core.account import Account
from provisioner.core.prepare import Job, PreparedTarget, prepare
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.reason import identity_of, same_login
from provisioner.core.relay_way import Way, way_as_json
from provisioner.core.report import problem_as_json
from provisioner.core.session import HeldSession
from provisioner.core.sip.grammar import NotSipError
from provisioner.core.sip.query import Binding, bindings
from provisioner.core.sip.trial import Trial
from provisioner.core.sip.verdict import Asked, Verdict, judge
from provisioner.edge.trust import tls_context
from provisioner.enquiry import Enquirer, enquire, passwords_of
from provisioner.preview import Held
from provisioner.site import Served, Site

AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class VerifiedTransport:
    """What was tried over one transport, and the verdict. ``registered`` is None where the server did not tell."""

    trial: Trial
    verdict: Verdict
    registered: tuple[Binding, ...] | None


@dataclass(frozen=True, slots=True)
class VerifiedTarget:
    """Whether one softphone could register over its ``way``, None where it has none, and if not why."""

    target: str
    way: Way | None
    able: bool
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class VerifiedAgent:
    """Everything about one agent; ``account`` None where there is none to ask for."""

    agent: str
    account: Account | None
    transports: tuple[VerifiedTransport, ...]
    targets: tuple[VerifiedTarget, ...]
    problems: tuple[Problem, ...]

    @property
    def able(self) -> bool:
        """Whether every target of this agent could register."""
        grave = any(not problem.remark for problem in self.problems)
        return self.account is not None and not grave and all(target.able for target in self.targets)


class Verifier:
    """Asks for one agent after the other. ``now`` gives Unix seconds, ``timeout`` is the longest wait of each stage."""

    def __init__(self, site: Site, held: Held, now: Callable[[], float], timeout: float):
        self._site = site
        self._held = held
        self._now = now
        self._timeout = timeout
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def verify(self, served: Served) -> VerifiedAgent:
        """Ask for one agent. What is wrong is in the report."""
        login = served.wanted.agent.login
        session = self._held.sessions.get(login)
        why_not = _without_session(served, session)
        if session is None or why_not:
            return VerifiedAgent(login, None, (), (), (*served.problems, *why_not))
        job = self._site.job(served, session.row)
        if job is None:
            return VerifiedAgent(login, None, (), (), served.problems)
        async with self._slots:
            return await self._asked(self._held.with_relay(job), served)

    async def _asked(self, job: Job, served: Served) -> VerifiedAgent:
        prepared = prepare(job)
        problems = (*served.problems, *prepared.problems)
        account = prepared.account
        if account is None:
            return VerifiedAgent(prepared.agent, None, (), (), problems)
        passwords = passwords_of(job)
        try:
            who = Enquirer(account, passwords, tls_context(job.wanted.platform.ca_file), self._timeout)
        except ProvisionerError as error:
            return VerifiedAgent(prepared.agent, account, (), (), (*problems, *error.problems))
        trials = await enquire(who, account.transports)
        verdicts = judge(trials, Asked(account, passwords, self._now(), self._timeout))
        transports = tuple(map(_transport, trials, verdicts))
        targets = tuple(_target(target, transports) for target in prepared.targets)
        return VerifiedAgent(prepared.agent, account, transports, targets, problems)


def _without_session(served: Served, session: HeldSession | None) -> tuple[Problem, ...]:
    where, login = Place(f"agent {served.wanted.agent.login}"), served.wanted.agent.login
    if session is None:
        what = "is not logged in here, so there is no account to ask with"
        return (Problem(where, what, f"start the service, or `provisioner refresh {login}`; `status` says why not"),)
    if not same_login(identity_of(session), served.wanted.identity):
        what = "address, user name or password have changed since the login, so what is held may be out of date"
        return (Problem(where, what, f"`provisioner refresh {login}`; `status` says what became of it"),)
    return ()


def _transport(trial: Trial, verdict: Verdict) -> VerifiedTransport:
    if trial.response is None or not verdict.able:
        return VerifiedTransport(trial, verdict, None)
    try:
        return VerifiedTransport(trial, verdict, tuple(bindings(trial.response)))
    except NotSipError:
        remark = "who is registered cannot be read: the server names a contact that is none"
        return VerifiedTransport(trial, replace(verdict, remarks=(*verdict.remarks, remark)), None)


def _target(prepared: PreparedTarget, transports: Iterable[VerifiedTransport]) -> VerifiedTarget:
    name, way = prepared.choice.target, prepared.way
    if way is None or not prepared.ready:
        return VerifiedTarget(name, way, False, prepared.problems)
    able = any(one.verdict.able for one in transports if one.trial.transport is way.transport)
    return VerifiedTarget(name, way, able, prepared.problems)


def as_json(report: VerifiedAgent) -> dict[str, Any]:
    """The report for programs: no secrets, and nothing of what was signed."""
    return {
        "agent": report.agent,
        "able": report.able,
        "account": _account(report.account) if report.account else None,
        "transports": [_transport_as_json(one) for one in report.transports],
        "targets": [
            {
                "target": one.target,
                **way_as_json(one.way),
                "able": one.able,
                "problems": [problem_as_json(problem) for problem in one.problems],
            }
            for one in report.targets
        ],
        "problems": [problem_as_json(problem) for problem in report.problems],
    }


def _account(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "domain": account.domain,
        "realm": account.credential.realm,
        "proof": str(account.credential.proof),
    }


def _transport_as_json(one: VerifiedTransport) -> dict[str, Any]:
    trial, verdict, challenge = one.trial, one.verdict, one.trial.challenge
    return {
        "transport": trial.transport,
        "address": str(trial.address),
        "able": verdict.able,
        "outcome": verdict.outcome,
        "what": verdict.what,
        "fix": verdict.fix,
        "remarks": list(verdict.remarks),
        "status": trial.response.status if trial.response else None,
        "realm": challenge.realm if challenge else None,
        "algorithm": (challenge.algorithm or "MD5") if challenge else None,
        "qop": list(challenge.qop) if challenge else None,
        "registered": None
        if one.registered is None
        else [{"contact": binding.uri, "expires": binding.expires} for binding in one.registered],
        "seconds": {str(stage): round(seconds, 6) for stage, seconds in trial.stages},
    }
