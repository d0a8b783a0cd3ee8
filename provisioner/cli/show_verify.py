"""What ``verify`` found, for people."""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.core.report import BOLD, DIM, END, GREEN, RED, YELLOW, printable, problems_as_text
from provisioner.core.sip.trial import Trial
from provisioner.verify import VerifiedAgent, VerifiedTarget, VerifiedTransport

_MOST_SHOWN = 5
_INDENT = " " * 9


class Lines:
    """Reports for people, with colours where ``colour`` says so."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def agent(self, report: VerifiedAgent) -> Iterator[str]:
        """One agent: the verdict, each transport, each softphone."""
        verdict = "can register" if report.able else "cannot register as it is"
        who = f"  {report.account.name}@{report.account.domain}" if report.account else ""
        yield f"{self._mark(report.able)} {self._in(BOLD, report.agent)}: {verdict}{self._in(DIM, who)}"
        for transport in report.transports:
            yield from self._transport(transport)
        width = max((len(target.target) for target in report.targets), default=0)
        for target in report.targets if report.transports else ():
            yield from self._target(target, width)
        if report.problems:
            yield problems_as_text(report.problems, colour=self._colour)

    def _transport(self, one: VerifiedTransport) -> Iterator[str]:
        trial, verdict = one.trial, one.verdict
        yield f"  {self._mark(verdict.able)} {trial.transport:4} {printable(str(trial.address))}"
        colour, took = (GREEN, f" in {_ms(sum(s for _, s in trial.stages))}") if verdict.able else (RED, "")
        yield _INDENT + self._in(colour, verdict.what) + took
        if verdict.fix:
            yield f"{_INDENT}→ {printable(verdict.fix)}"
        for fact in (_registered(one), _challenge(trial), _stages(trial)):
            if fact:
                yield _INDENT + self._in(DIM, fact)
        for remark in verdict.remarks:
            yield _INDENT + self._in(YELLOW, remark)

    def _target(self, target: VerifiedTarget, width: int) -> Iterator[str]:
        name = printable(target.target).ljust(width)
        if target.able:
            yield f"  {self._mark(True)} {name}  would register {target.way}"
        elif target.way is None:
            yield f"  {self._mark(False)} {name}  would not register"
        else:
            yield f"  {self._mark(False)} {name}  would not register {target.way}, see there"
        if grave := [problem for problem in target.problems if not problem.remark]:
            yield from ("    " + line for line in problems_as_text(grave, colour=self._colour).splitlines())

    def _mark(self, able: bool) -> str:
        return self._in(GREEN, "●") if able else self._in(RED, "✗")

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{printable(text)}{END}" if self._colour and text else printable(text)


def _stages(trial: Trial) -> str:
    return ", ".join(f"{stage} {_ms(seconds)}" for stage, seconds in trial.stages)


def _challenge(trial: Trial) -> str:
    challenge = trial.challenge
    if challenge is None:
        return ""
    quality = f" with qop {' or '.join(challenge.qop)}" if challenge.qop else ""
    return f"realm `{challenge.realm[:80]}`, {challenge.algorithm or 'MD5'}{quality}"


def _registered(one: VerifiedTransport) -> str:
    if one.registered is None:
        return ""
    shown = [
        binding.uri[:120] + (f" for {binding.expires} s more" if binding.expires is not None else "")
        for binding in one.registered[:_MOST_SHOWN]
    ]
    more = len(one.registered) - len(shown)
    return f"registered now: {'; '.join(shown) or 'nobody'}" + (f" and {more} more" if more else "")


def _ms(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.{0 if seconds >= 0.01 else 1}f} ms"
