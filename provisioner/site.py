"""What this workstation is to serve, read from disk: settings, targets, passwords, homes. All or nothing.

Runs in the daemon's worker thread, or in the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from provisioner.core.derive import Secrets
from provisioner.core.layout import Home
from provisioner.core.prepare import Job
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.reason import Identity, Wanted
from provisioner.core.secret import Secret
from provisioner.core.session import password_mark
from provisioner.core.settings import AgentSettings, Settings
from provisioner.core.target import Target
from provisioner.edge.catalog import CatalogReader
from provisioner.edge.configuration import Configuration
from provisioner.edge.credential import Credentials
from provisioner.edge.people import home_of


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


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a site depends on beside its files. ``workstation`` is this machine's host name, ``key`` the secret that
    marks of passwords are made with."""

    root: Path
    workstation: str
    credentials: Credentials
    key: bytes = field(repr=False)
    seen_realms: Callable[[], Mapping[str, str]] = dict


class SiteReader:
    """Reads a site again and again; what did not change costs next to nothing."""

    def __init__(self, config: Path, templates: Iterable[Path], around: Surroundings) -> None:
        self._configuration = Configuration(config)
        self._catalog = CatalogReader(templates)
        self._around = around
        self._last: Site | None = None

    def forget_passwords(self) -> None:
        """Run the commands that print passwords anew at the next reading."""
        self._around.credentials.forget()

    def read(self) -> Site:
        """The site as it is now. Raises ProvisionerError with every mistake: then the last one stays in force."""
        loaded = self._configuration.load()
        catalog = self._catalog.read()
        last = self._last
        # A target that was broken by an edit goes on working as it was.
        kept = {name: last.catalog[name] for name in catalog.broken if last and name in last.catalog}
        targets = {**catalog.targets, **kept}
        realms = self._around.seen_realms()
        served = {
            agent.login: self._served(loaded.settings, agent, targets, realms)
            for agent in loaded.settings.agents.values()
            if agent.serves(self._around.workstation)
        }
        broken = {name: problems for name, problems in catalog.broken.items() if name not in kept}
        remarks = (*loaded.remarks, *_remarked(catalog.broken))
        self._last = Site(loaded.settings, targets, broken, served, remarks, str(self._around.root))
        return self._last

    def _served(
        self, settings: Settings, agent: AgentSettings, targets: Mapping[str, Target], realms: Mapping[str, str]
    ) -> Served:
        problems: list[Problem] = []
        password = self._password(agent, problems)
        turn = self._turn(settings, problems)
        home = self._home(agent, problems)
        chosen = {choice.target: targets.get(choice.target) for choice in agent.targets}
        mark = self._mark(settings.platform.url, agent.login, password)
        wanted = Wanted(Identity(settings.platform.url, agent.login, mark), agent, settings.platform, chosen)
        previous = self._last.served.get(agent.login) if self._last else None
        fresh = Served(wanted, home, Secrets(password, turn, realms.get(agent.login)), tuple(problems))
        return previous if previous == fresh and previous is not None else fresh

    def _password(self, agent: AgentSettings, problems: list[Problem]) -> Secret | None:
        if agent.password is None:
            problems.append(Problem(agent.place, f"agent `{agent.login}` has no password", "add `password:`"))
            return None
        try:
            return self._around.credentials.resolve(agent.password, agent.place)
        except ProvisionerError as error:
            problems += error.problems
            return None

    def _turn(self, settings: Settings, problems: list[Problem]) -> tuple[Secret, ...]:
        try:
            place = Place("platform.turn")
            return tuple(self._around.credentials.resolve(turn.password, place) for turn in settings.platform.turn)
        except ProvisionerError as error:
            problems += error.problems
            return ()

    def _home(self, agent: AgentSettings, problems: list[Problem]) -> Home | None:
        try:
            return home_of(agent.user, agent.home, self._around.root, agent.place)
        except ProvisionerError as error:
            problems += error.problems
            return None

    def _mark(self, url: str, login: str, password: Secret | None) -> str:
        if password is None:
            return ""
        return password_mark(self._around.key, Secret(f"{url}\n{login}\n{password.reveal()}"))


def _remarked(broken: Mapping[str, tuple[Problem, ...]]) -> Iterator[Problem]:
    for problems in broken.values():
        yield from problems
