"""One agent, ready to be written: account → fit → render for each target, and every reason why one is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from provisioner.core.account import Account, Transport
from provisioner.core.derive import Secrets, account_of
from provisioner.core.fit import Choice, can_serve, fit
from provisioner.core.layout import layout
from provisioner.core.parcel import Home, Layout
from provisioner.core.peer import peer_of
from provisioner.core.plan import DesiredFile
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.reason import Wanted
from provisioner.core.relay_way import RelayWay, Way, needs_relay
from provisioner.core.render import Rendered, render
from provisioner.core.rivals import rivalry, rivals
from provisioner.core.secret import Secret
from provisioner.core.settings import TargetChoice
from provisioner.core.spelling import did_you_mean
from provisioner.core.target import Target


@dataclass(frozen=True, slots=True)
class Job:
    """What one agent's files are made from.

    ``row`` is the login's answer as JSON text. ``catalog`` are all targets, to suggest others from; ``broken`` says of
    those that cannot be used why not. ``root`` is the folder that absolute paths hang under. ``relay`` is where the
    account's relay listens; without one, phones that need it are refused.
    """

    wanted: Wanted
    row: Secret
    secrets: Secrets
    home: Home
    catalog: Mapping[str, Target] = field(default_factory=dict, repr=False)
    broken: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict, repr=False)
    root: str = "/"
    relay: RelayWay | None = None


@dataclass(frozen=True, slots=True)
class PreparedTarget:
    """One target of one agent: files to write, or problems (then the last good files stay). ``transport`` is how the
    phone will register, None where it cannot."""

    choice: TargetChoice
    layout: Layout | None
    files: tuple[Rendered, ...]
    problems: tuple[Problem, ...]
    transport: Transport | None = None
    relay: RelayWay | None = None

    @property
    def desired(self) -> tuple[DesiredFile, ...]:
        """The files to deliver, their paths below the layout's base."""
        if self.layout is None:
            return ()
        return tuple(replace(made.file, path=self.layout.folder / made.file.path) for made in self.files)

    @property
    def ready(self) -> bool:
        """Are there files to deliver?"""
        return self.layout is not None and bool(self.files)

    @property
    def way(self) -> Way | None:
        """How the phone comes to the server, None where it does not."""
        return Way(self.transport, self.relay) if self.transport else None


@dataclass(frozen=True, slots=True)
class Prepared:
    """One agent with all targets. ``account`` is None when the platform's answer makes none."""

    agent: str
    account: Account | None
    targets: tuple[PreparedTarget, ...]
    problems: tuple[Problem, ...]


def account_for(job: Job) -> tuple[Account, tuple[Problem, ...]]:
    """The account of the job's agent, and remarks on what was odd.

    Raises ProvisionerError with every reason why the login's answer makes none.
    """
    return account_of(peer_of(job.row), job.wanted.agent, job.wanted.platform, job.secrets)


def prepare(job: Job) -> Prepared:
    """Work out all files of one agent. Never raises for a known mistake: it is in the problems of what it concerns."""
    agent = job.wanted.agent
    try:
        account, remarks = account_for(job)
    except ProvisionerError as error:
        return Prepared(agent.login, None, (), error.problems)
    targets = tuple(_prepare_target(job, account, choice) for choice in agent.targets)
    return Prepared(agent.login, account, targets, (*remarks, *_rivalry(job, targets)))


def _prepare_target(job: Job, account: Account, choice: TargetChoice) -> PreparedTarget:
    target = job.wanted.targets.get(choice.target)
    if target is None:
        return PreparedTarget(choice, None, (), unusable(job, choice))
    place = None
    try:
        place = layout(job.wanted.agent, choice, target, home=job.home, root=job.root)
        off = not job.wanted.agent.relay.use
        chosen = Choice(place.absolute, choice.options, job.wanted.platform.ca_file or "", job.relay, off)
        fitted = fit(account, target, chosen, _alternatives(job, account))
        files = render(target, fitted)
        return PreparedTarget(choice, place, files, fitted.remarks, fitted.transport, fitted.relay)
    except ProvisionerError as error:
        return PreparedTarget(choice, place, (), error.problems)


def unusable(job: Job, choice: TargetChoice) -> tuple[Problem, ...]:
    """Why the target of ``choice`` cannot be used: its own mistakes, or that there is none of that name."""
    if choice.target in job.broken:
        return job.broken[choice.target]
    place = Place(f"agent {job.wanted.agent.login}")
    fix = did_you_mean(choice.target, job.catalog) or "`provisioner targets` lists them"
    return (Problem(place, f"there is no target `{choice.target}`", fix),)


def _rivalry(job: Job, prepared: Iterable[PreparedTarget]) -> Iterator[Problem]:
    ready = (job.wanted.targets.get(one.choice.target) for one in prepared if one.ready)
    names = rivals(target for target in ready if target)
    if names:
        yield rivalry(Place(f"agent {job.wanted.agent.login}"), names)


def _alternatives(job: Job, account: Account) -> Iterator[str]:
    # What hands out every credential is for people's own loaders: no phone to be sent to.
    phones = (one for one in sorted(job.catalog.items()) if not one[1].every_credential)
    relay = _relay_for_others(job, account)
    return (name for name, target in phones if can_serve(account, target, relay))


def _relay_for_others(job: Job, account: Account) -> RelayWay | None:
    """The relay that another phone would get. One is opened when a phone needs it: that none listens now means only
    then that none can."""
    policy = job.wanted.agent.relay
    if not policy.use:
        return None
    needed = needs_relay(account, (target for target in job.wanted.targets.values() if target))
    return job.relay if needed else RelayWay(policy.port or 0, policy.mode)
