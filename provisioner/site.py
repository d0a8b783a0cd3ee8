"""What this workstation is to serve, read from disk: settings, targets, passwords, homes. All or nothing.

Runs in the daemon's worker thread, or in the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from provisioner.core.derive import Secrets
from provisioner.core.mark import password_mark
from provisioner.core.options import wrong_options_in
from provisioner.core.parcel import Home
from provisioner.core.password_source import FromCommand, FromFile, Inline, PasswordSource
from provisioner.core.prepare import Job
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.reason import Identity, Wanted
from provisioner.core.secret import Secret
from provisioner.core.settings import AgentSettings, Platform, Settings, TargetChoice
from provisioner.core.target import Target
from provisioner.core.told_phones import Told, nothing_shipped, told_phones
from provisioner.edge.catalog import Catalog, CatalogReader
from provisioner.edge.configuration import Configuration
from provisioner.edge.credential import Credentials
from provisioner.edge.password import Passwords
from provisioner.edge.people import People
from provisioner.edge.trust import tls_context


@dataclass(frozen=True, slots=True)
class Served:
    """One agent of this workstation. ``problems`` say why they cannot be served, or not fully."""

    wanted: Wanted
    home: Home | None
    secrets: Secrets = field(repr=False)
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """A configuration as it applies here."""

    settings: Settings
    catalog: Mapping[str, Target]
    broken: Mapping[str, tuple[Problem, ...]]
    served: Mapping[str, Served]
    remarks: tuple[Problem, ...]
    root: str

    def job(self, served: Served, row: Secret) -> Job | None:
        """The work to do for an agent who is logged in; None when there is no home to work in."""
        if served.home is None:
            return None
        return Job(served.wanted, row, served.secrets, served.home, self.catalog, self.broken, self.root)

    def is_like(self, other: Site) -> bool:
        """Is there nothing that one says and the other does not?"""
        return (self.settings, self.catalog, self.served) == (other.settings, other.catalog, other.served)

    def told_phones(self, served: Served) -> Mapping[str, Told]:
        """The phones of an agent that are told when their files change, by the folder of those."""
        return told_phones(served.wanted, served.home, self.root)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a site depends on beside its files. ``workstation`` is this machine's host name (None: every agent is
    served, wherever they work), ``key`` the secret that marks of passwords are made with. ``seen_realms`` are by
    ``Identity.at_platform``. ``uid`` is the user that the service runs as, None our own."""

    root: Path
    workstation: str | None
    credentials: Credentials
    key: bytes = field(repr=False)
    seen_realms: Callable[[], Mapping[str, str]] = dict
    uid: int | None = None


@dataclass(frozen=True, slots=True)
class _Common:
    """What all agents of one reading share. ``same`` says that none of it changed since the last one, ``same_realms``
    that nor did what each agent has of ``realms``."""

    platform: Platform
    targets: Mapping[str, Target]
    turn: tuple[Secret, ...]
    problems: tuple[Problem, ...]
    realms: Mapping[str, str]
    same: bool = False
    same_realms: bool = False


@dataclass(frozen=True, slots=True)
class _Looked:
    """What was made of an agent; ``served`` None is somebody who works elsewhere. ``steady`` says that nothing but the
    settings and what all share decides it, so that there is no need to look again."""

    agent: AgentSettings
    served: Served | None
    steady: bool


class SiteReader:
    """Reads a site again and again; what did not change costs next to nothing."""

    def __init__(self, config: Path, templates: Iterable[Path], around: Surroundings) -> None:
        self._configuration = Configuration(config)
        self._catalog = CatalogReader(templates)
        self._around = around
        self._passwords = Passwords(around.credentials, around.root)
        self._people = People(around.root, around.uid)
        self._anew = True
        self._last: Site | None = None
        self._common: _Common | None = None
        self._looked: dict[str, _Looked] = {}

    def look_ahead(self) -> None:
        """Read what changed in the settings, and nothing else: it may be half of what somebody is writing."""
        self._configuration.look()

    def read(self, *, look: bool = True) -> Site:
        """The site as it is now; without ``look`` with the settings as they were when it was looked ahead.

        Raises ProvisionerError with every mistake: then the last one stays in force.
        """
        self._people = People(self._around.root, self._around.uid)
        catalog = self._catalog.read()
        try:
            loaded = self._configuration.load(catalog.names, look=look)
        except ProvisionerError as error:
            raise ProvisionerError([*error.problems, *catalog.unreadable]) from None
        last = self._last
        # Neither at the start nor where a file went missing would anything else be better.
        new = last and loaded.settings.platform.ca_file != last.settings.platform.ca_file
        if new and (problems := self.unusable_authorities(loaded.settings)):
            raise ProvisionerError(problems)
        # A target that was broken by an edit goes on working as it was.
        kept = {name: last.catalog[name] for name in catalog.broken if last and name in last.catalog}
        self._passwords.fetch(self._sources(loaded.settings))
        common = self._shared(loaded.settings, {**catalog.targets, **kept})
        self._looked = self._look_at(loaded.settings.agents, common)
        served = {login: looked.served for login, looked in self._looked.items() if looked.served is not None}
        broken = {name: problems for name, problems in catalog.broken.items() if name not in kept}
        remarks = (*loaded.remarks, *_remarked(catalog))
        site = Site(loaded.settings, common.targets, broken, served, remarks, str(self._around.root))
        self._last, self._common, self._anew = site, common, False
        return site

    def forget(self) -> None:
        """Run the commands that print passwords, read files and look Unix users and groups up, anew at the next
        reading."""
        self._passwords.forget()
        self._configuration.forget()
        self._anew = True

    def place(self, *path: str | int) -> Place:
        """Where the value at ``path`` of provisioner.yaml stands, as it was read last."""
        return self._configuration.place(*path)

    def unusable_authorities(self, settings: Settings) -> tuple[Problem, ...]:
        """Why the file of authorities cannot be used, which keeps everybody out; empty when it can."""
        try:
            tls_context(settings.platform.ca_file)
        except ProvisionerError as error:
            place = self.place("platform", "ca_file")
            return tuple(self.placed(replace(problem, where=place) for problem in error.problems))
        return ()

    def wrong_options(self) -> Iterator[Problem]:
        """Options of targets that do not exist, or do not take their value, in what was read last, right or wrong."""
        targets = self._catalog.read().targets
        for document in self._configuration.documents():
            yield from wrong_options_in(document, targets)

    def placed(self, problems: Iterable[Problem]) -> Iterator[Problem]:
        """``problems`` with the texts of their lines, where they are in the settings."""
        for problem in problems:
            yield replace(problem, where=self._configuration.with_source(problem.where))

    def with_realm(self, served: Served, realm: str) -> Served:
        """``served`` with a realm that its server was seen to ask for. May be called in any thread."""
        secrets = replace(served.secrets, seen_realm=realm)
        return replace(served, secrets=secrets, wanted=replace(served.wanted, secrets_mark=self._secrets_mark(secrets)))

    def _sources(self, settings: Settings) -> Iterator[PasswordSource]:
        yield from (server.password for server in settings.platform.turn)
        for agent in settings.agents.values():
            match agent.password:
                case FromFile():
                    yield agent.password
                case FromCommand() if self._works_here(agent):
                    yield agent.password

    def _shared(self, settings: Settings, targets: Mapping[str, Target]) -> _Common:
        turn, problems = self._turn(settings)
        realms = self._around.seen_realms() if settings.platform.discover_realm else {}
        fresh = _Common(settings.platform, targets, turn, problems, realms)
        old = self._common
        if old and (old.platform, old.targets, old.turn, old.problems) == (fresh.platform, targets, turn, problems):
            return replace(old, realms=realms, same=not self._anew, same_realms=realms == old.realms)
        return fresh

    def _look_at(self, agents: Mapping[str, AgentSettings], common: _Common) -> dict[str, _Looked]:
        """Almost always what it was, and asked for every agent at every change."""
        before = self._looked if common.same and common.same_realms else {}
        return {
            login: old
            if (old := before.get(login)) and old.steady and old.agent is agent
            else self._look(agent, common)
            for login, agent in agents.items()
        }

    def _look(self, agent: AgentSettings, common: _Common) -> _Looked:
        looked = self._looked.get(agent.login)
        known = looked if looked and looked.agent is agent else None
        works_here = known.served is not None if known else self._works_here(agent)
        if not works_here:
            return _Looked(agent, None, steady=True)
        served = looked.served if looked else None
        if served is None or not (known and common.same and self._is_as_before(served, agent, common)):
            served = self._served(agent, served, common)
        return _Looked(agent, served, steady=isinstance(agent.password, Inline) and not served.problems)

    def _works_here(self, agent: AgentSettings) -> bool:
        return self._around.workstation is None or agent.serves(self._around.workstation)

    def _served(self, agent: AgentSettings, previous: Served | None, common: _Common) -> Served:
        problems: list[Problem] = []
        password = self._password(agent, problems)
        home = self._home(agent, problems)
        chosen = {choice.target: common.targets.get(choice.target) for choice in agent.targets}
        problems += self.placed(problem for one in agent.targets for problem in _untold(agent, one, chosen))
        identity = Identity(common.platform.url, agent.login, self._mark(password, common.platform.url, agent.login))
        if previous and password is None and previous.wanted.agent.password == agent.password:
            password = previous.secrets.password  # files go on with what proved the realm; nobody logs in with it
        secrets = Secrets(password, common.turn, common.realms.get(identity.at_platform))
        wanted = Wanted(identity, agent, common.platform, chosen, self._secrets_mark(secrets))
        fresh = Served(wanted, home, secrets, (*problems, *common.problems))
        return previous if previous is not None and previous == fresh else fresh

    def _is_as_before(self, previous: Served, agent: AgentSettings, common: _Common) -> bool:
        """Is there nothing to work out anew?"""
        if previous.problems or previous.secrets.seen_realm != common.realms.get(previous.wanted.identity.at_platform):
            return False
        return isinstance(agent.password, Inline) or self._password(agent, []) == previous.secrets.password

    def _password(self, agent: AgentSettings, problems: list[Problem]) -> Secret | None:
        if agent.password is None:
            what = f"agent `{agent.login}` has no password"
            problems.append(Problem(self._configuration.with_source(agent.place), what, "add `password:`"))
            return None
        try:
            return self._passwords.resolve(agent.password, agent.place)
        except ProvisionerError as error:
            problems += self.placed(error.problems)
            return None

    def _turn(self, settings: Settings) -> tuple[tuple[Secret, ...], tuple[Problem, ...]]:
        passwords: list[Secret] = []
        problems: list[Problem] = []
        for index, turn in enumerate(settings.platform.turn):
            try:
                passwords.append(
                    self._passwords.resolve(turn.password, self.place("platform", "turn", index, "password"))
                )
            except ProvisionerError as error:
                problems += error.problems
        if problems:  # phones go on with what was known of these servers
            known = self._common and self._common.platform.turn == settings.platform.turn
            return (self._common.turn if self._common and known else ()), tuple(problems)
        return tuple(passwords), ()

    def _home(self, agent: AgentSettings, problems: list[Problem]) -> Home | None:
        try:
            return self._people.home_of(agent.user, agent.home, agent.place)
        except ProvisionerError as error:
            problems += self.placed(error.problems)
            return None

    def _mark(self, secret: Secret | None, *of: str) -> str:
        if secret is None:
            return ""
        return password_mark(self._around.key, Secret("\n".join([*of, secret.reveal()])))

    def _secrets_mark(self, secrets: Secrets) -> str:
        turn = "\n".join(password.reveal() for password in secrets.turn)
        return self._mark(Secret(turn), secrets.seen_realm or "") if turn or secrets.seen_realm else ""


def _untold(agent: AgentSettings, choice: TargetChoice, targets: Mapping[str, Target | None]) -> tuple[Problem, ...]:
    target = targets[choice.target]
    return nothing_shipped(agent, choice, target) if target else ()


def _remarked(catalog: Catalog) -> Iterator[Problem]:
    for problems in catalog.broken.values():
        yield from problems
