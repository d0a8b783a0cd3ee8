"""What a refresh would do, worked out without doing any of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from provisioner.core.attempt import FINAL, goes_on
from provisioner.core.difference import difference
from provisioner.core.formats import FORMATS, Leaves
from provisioner.core.parcel import Home
from provisioner.core.plan import Chmod, Create, Keep, ObservedFile, Step, Update, plan
from provisioner.core.prepare import Job, Prepared, PreparedTarget, prepare
from provisioner.core.problem import Problem, ProvisionerError
from provisioner.core.reason import identity_of, same_login
from provisioner.core.relay_way import RelayWay, Way, way_as_json
from provisioner.core.render import Rendered
from provisioner.core.report import problem_as_json
from provisioner.core.session import Attempt, HeldSession
from provisioner.core.target import FileSpec
from provisioner.cycle import path_taken
from provisioner.delivery import said_below
from provisioner.edge import disk
from provisioner.edge.folders import Owner, open_base
from provisioner.edge.people import own, owner_for
from provisioner.edge.store import LedgerEntry
from provisioner.site import Served, Site


@dataclass(frozen=True, slots=True)
class Held:
    """What the state remembers, by agent. ``uid`` is the user that the service runs as, None our own; ``relays`` are
    the ports of relays."""

    sessions: Mapping[str, HeldSession]
    attempts: Mapping[str, Attempt]
    ledger: Mapping[str, tuple[LedgerEntry, ...]]
    uid: int | None = None
    relays: Mapping[str, int] = field(default_factory=dict)

    def with_relay(self, job: Job) -> Job:
        """``job`` with the relay that the service has for its agent, had last, or would open."""
        agent = job.wanted.agent
        port = agent.relay.port or self.relays.get(agent.login, 0)
        return replace(job, relay=RelayWay(port, agent.relay.mode)) if agent.relay.use else job

    def owner(self, home: Home) -> Owner:
        """User and group that the files of ``home`` are to have."""
        uid = self.uid if home.uid is None else home.uid
        return own() if uid is None else owner_for(uid)


@dataclass(frozen=True, slots=True)
class FileChange:
    """What would happen to one file; ``lines`` say how its content differs, secrets masked."""

    path: str
    action: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AgentPreview:
    """What would happen for one agent. ``login`` says whether they would be logged in, and why; ``ways`` how each
    target would come to the server."""

    agent: str
    login: str
    changes: tuple[FileChange, ...]
    problems: tuple[Problem, ...]
    ways: tuple[tuple[str, Way], ...] = ()


def preview(site: Site, held: Held) -> tuple[AgentPreview, ...]:
    """Every agent that is served here or has files here, those to be removed last."""
    holders = {entry.absolute: entry for login in site.served for entry in held.ledger.get(login, ())}
    served = [_agent(site, one, held, holders) for one in site.served.values()]
    gone = {login: tuple(_removals(held.ledger[login])) for login in sorted(held.ledger.keys() - site.served.keys())}
    return (*served, *(AgentPreview(login, "not served here any more", changes, ()) for login, changes in gone.items()))


def _agent(site: Site, served: Served, held: Held, holders: Mapping[str, LedgerEntry]) -> AgentPreview:
    login = served.wanted.agent.login
    session, attempt = held.sessions.get(login), held.attempts.get(login)
    if session is None or not same_login(identity_of(session), served.wanted.identity):
        return AgentPreview(login, _login(served, attempt), (), served.problems)
    stays, job = _stays(served, attempt), site.job(served, session.row)
    if job is None:
        return AgentPreview(login, stays, (), served.problems)
    job = held.with_relay(job)
    prepared = prepare(job)
    changes, problems = _files(job, prepared, held, holders)
    ways = tuple((target.choice.target, target.way) for target in prepared.targets if target.way)
    return AgentPreview(login, stays, changes, (*served.problems, *problems), ways)


def _stays(served: Served, attempt: Attempt | None) -> str:
    mark = served.wanted.identity.password_mark
    if attempt is not None and attempt.kind not in FINAL and goes_on(attempt, mark):
        return "would be logged in again, as the last refresh failed"
    return "stays logged in"


def _login(served: Served, attempt: Attempt | None) -> str:
    mark = served.wanted.identity.password_mark
    if not mark:
        return "cannot be logged in: no password"
    if attempt is not None and attempt.kind in FINAL and goes_on(attempt, mark):
        return f"would not be logged in ({attempt.kind}: {attempt.cause})"
    return "would be logged in; the files depend on the answer"


def _files(
    job: Job, prepared: Prepared, held: Held, holders: Mapping[str, LedgerEntry]
) -> tuple[tuple[FileChange, ...], tuple[Problem, ...]]:
    changes: list[FileChange] = []
    problems = list(prepared.problems)
    for target in prepared.targets:
        problems += target.problems
        taken = list(_taken(prepared.agent, target, holders))
        problems += taken
        try:
            changes += () if taken else _changes(job, target, held.owner(job.home))
        except ProvisionerError as error:
            problems += error.problems if job.home.uid is None else [_unseen(job, error)]
    wanted = {(one.layout.base, file.path) for one in prepared.targets if one.layout for file in one.desired}
    unready = {target.choice.target for target in prepared.targets if not target.ready}
    changes += _removals(
        entry
        for entry in held.ledger.get(prepared.agent, ())
        if entry.target not in unready and (entry.base, entry.path) not in wanted
    )
    return tuple(changes), tuple(problems)


def _taken(agent: str, target: PreparedTarget, holders: Mapping[str, LedgerEntry]) -> Iterator[Problem]:
    """Files of ``target`` that are another agent's."""
    for file in target.desired:
        assert target.layout is not None
        entry = LedgerEntry(agent, target.choice.target, target.layout.base, file.path)
        holder = holders.get(entry.absolute)
        if holder and holder.agent != agent:
            yield path_taken(entry, holder.agent, holder.target)


def _unseen(job: Job, error: ProvisionerError) -> Problem:
    what = f"what would change is known in the session of {job.home.user}: {error.problems[0].what}"
    return Problem(error.problems[0].where, what, "root may look", remark=True)


def _changes(job: Job, prepared: PreparedTarget, owner: Owner) -> Iterator[FileChange]:
    place, target = prepared.layout, job.wanted.targets.get(prepared.choice.target)
    if place is None or target is None or not prepared.ready:
        return
    files = prepared.desired
    with said_below(place.base), open_base(place.base) as base:
        observed = disk.observe(base, [file.path for file in files])
    steps = plan(files, observed, owner)
    for rendered, spec, step in zip(prepared.files, target.files, steps, strict=True):
        if not isinstance(step, Keep):
            lines = _lines(rendered, spec, observed[step.path]) if isinstance(step, Create | Update) else ()
            yield FileChange(str(PurePosixPath(place.base) / step.path), _action(step), lines)


def _lines(rendered: Rendered, spec: FileSpec, observed: ObservedFile) -> tuple[str, ...]:
    return difference(rendered, _leaves(spec, observed))


def _leaves(spec: FileSpec, observed: ObservedFile) -> Leaves | None:
    """What the file that is there says; None when it cannot be read as one, as when it is nested without end."""
    try:
        return FORMATS[spec.format].parse(observed.content.decode()) if observed.content else None
    except (ProvisionerError, UnicodeDecodeError, RecursionError):
        return None


def _action(step: Step) -> str:
    match step:
        case Create():
            return "create"
        case Update():
            return "update"
        case Chmod(mode=mode):
            return f"set mode {mode:04o}"
        case Keep():
            return "keep"


def _removals(entries: Iterable[LedgerEntry]) -> Iterator[FileChange]:
    return (FileChange(entry.absolute, "remove") for entry in entries)


def as_json(previews: Iterable[AgentPreview]) -> list[dict[str, object]]:
    """The same for programs."""
    return [
        {
            "agent": one.agent,
            "login": one.login,
            "targets": [{"target": name, **way_as_json(way)} for name, way in one.ways],
            "changes": [{"path": c.path, "action": c.action, "lines": list(c.lines)} for c in one.changes],
            "problems": [problem_as_json(problem) for problem in one.problems],
        }
        for one in previews
    ]
