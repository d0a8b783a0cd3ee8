"""The relays of this workstation: which accounts get one, where it listens, and how it is."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Set
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from provisioner.core.account import Account, Transport
from provisioner.core.prepare import Job, account_for
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.relay_way import RelayMode, RelayWay, knows_relay, needs_relay
from provisioner.core.settings import AgentSettings
from provisioner.core.sip.trial import address_of
from provisioner.core.target import Target
from provisioner.edge.kept_ports import KeptPorts
from provisioner.edge.ports import choose_port
from provisioner.edge.relay import Around, Relay, RelayAccount, RelayState
from provisioner.edge.relay_line import Server
from provisioner.edge.socket_owner import SocketOwners
from provisioner.edge.store import Store
from provisioner.edge.trust import Stamp, stamp, tls_context
from provisioner.noting import note
from provisioner.relay_news import lacking_as_json, news, relay_as_json
from provisioner.waiting import Spawn

log = logging.getLogger(__name__)
T = TypeVar("T")
Ask = Callable[[Callable[[Store], Any]], Awaitable[Any]]


@dataclass(slots=True)
class _Entry:
    """One agent's relay, which listens."""

    way: RelayWay
    relay: Relay
    told: RelayState | None = None


class Relays:
    """``ask`` runs a call on the store in its thread, ``spawn`` starts tasks that somebody watches over, ``changed`` is
    called when the status is another one. ``ports`` are those that the service manager keeps."""

    def __init__(self, ask: Ask, spawn: Spawn, changed: Callable[[], None], ports: KeptPorts) -> None:
        self._ask = ask
        self._ports = ports
        self._spawn = spawn
        self._changed = changed
        self._entries: dict[str, _Entry] = {}
        # Why an agent has no relay, or one that goes on as it was before.
        self._lacking: dict[str, Problem] = {}
        # As long as somebody holds one, or waits for it.
        self._busy = WeakValueDictionary[str, asyncio.Lock]()
        self._owners: SocketOwners | None = None
        self._stopped = False
        self._trust: dict[tuple[str | None, Stamp], ssl.SSLContext] = {}

    def through(self, job: Job | None) -> Job | None:
        """``job`` with the way through its relay, where one listens."""
        entry = self._entries.get(job.wanted.agent.login) if job else None
        return job if job is None or entry is None else replace(job, relay=entry.way)

    def calls(self, agent: str) -> int:
        """Calls that ring or are up at the agent's relay: a busy phone is not to be disturbed."""
        entry = self._entries.get(agent)
        return entry.relay.state().calls if entry else 0

    def behind(self) -> frozenset[str]:
        """The agents whose relay may have to be another one now, though nothing of their settings changed."""
        replaced = any(stamp(file) != seen for file, seen in self._trust)
        return frozenset(self._entries if replaced else self._entries.keys() & self._lacking.keys())

    def status(self, agent: str) -> dict[str, Any] | None:
        """What the status tells of the agent's relay; None where none is needed."""
        entry, problem = self._entries.get(agent), self._lacking.get(agent)
        if entry is None:
            return lacking_as_json(problem) if problem else None
        return relay_as_json(entry.relay.state(), entry.relay.account.server.address, problem)

    def renew(self, agent: str) -> None:
        """Somebody wants what the server refused to be tried once more."""
        if entry := self._entries.get(agent):
            entry.relay.renew()

    async def serve(self, agent: str, job: Job | None) -> None:
        """Have the relay that ``job`` needs, and none where it needs none. Phones that are connected stay so, and calls
        go on, unless the port is another one."""
        async with self._busy.setdefault(agent, asyncio.Lock()):
            if not self._stopped:
                await self._serve(agent, job)

    async def _serve(self, agent: str, job: Job | None) -> None:
        try:
            account = _account(job) if job else None
        except ProvisionerError:
            return  # it is said of the files; what works goes on working
        if job is None or account is None:
            await self.close(agent)
            if job is not None and self._ports.held:
                await self._give_up_kept({await self._known_port(job.wanted.agent)})
            return
        before = self._lacking.get(agent)
        try:
            await self._have(agent, job, account)
        except ProvisionerError as error:
            self._lacking[agent] = problem = replace(error.problems[0], where=Place(f"agent {agent}, relay"))
            if problem != before:
                goes_on = "it goes on as before: " if agent in self._entries else ""
                log.error("agent %s, relay: %s%s", agent, goes_on, error)
        else:
            if self._lacking.pop(agent, None):
                log.info("agent %s, relay: it is as it should be again", agent)

    async def _have(self, agent: str, job: Job, account: Account) -> None:
        """Have the relay for ``account``. Raises ProvisionerError where that cannot be."""
        way = RelayWay(await self._port(job.wanted.agent), job.wanted.agent.relay.mode)
        served = self._relay_account(job, account, way)
        entry = self._entries.get(agent)
        if entry and entry.way.port != way.port:
            await self._shut(agent, entry)
            entry = None
        if entry is None:
            await self._open(agent, way, served)
            return
        entry.way = way
        if entry.relay.account != served:
            await entry.relay.use(served)

    async def forget(self, agent: str) -> None:
        """Close the agent's relay for good, and give its port up."""
        async with self._busy.setdefault(agent, asyncio.Lock()):
            await self.close(agent)
            await note(
                self._ask, partial(self._drop_port, agent), f"agent {agent}: no other agent gets the port of the relay"
            )

    def _drop_port(self, agent: str, store: Store) -> None:
        if agent not in self._entries:  # who has come back since keeps it
            store.drop_relay_port(agent)

    async def forget_others(self, agents: Collection[str]) -> None:
        """Give the ports up of all but ``agents``: who was here with an earlier run, and is no longer."""
        ports: dict[str, int] = await self._ask(Store.relay_ports)
        for agent in ports.keys() - agents:
            await self.forget(agent)

    async def keep_for(self, agents: Iterable[AgentSettings]) -> None:
        """Let others have the ports that were kept since the service was here last, unless they are for ``agents``."""
        if self._ports.held:
            wanted = {await self._known_port(agent) for agent in agents if agent.relay.use}
            await self._give_up_kept(self._ports.held - wanted)

    async def close(self, agent: str) -> None:
        """Close the agent's relay, and let others have its port."""
        self._lacking.pop(agent, None)
        if entry := self._entries.get(agent):
            await self._shut(agent, entry)

    async def stop(self) -> None:
        """Close all relays, and open none. Their ports are kept for whoever is started next."""
        self._stopped = True
        for agent in {*self._busy, *self._entries}:
            async with self._busy.setdefault(agent, asyncio.Lock()):
                if entry := self._entries.get(agent):
                    await self._end(agent, entry)
        self._ports.close()
        if self._owners is not None:
            self._owners.close()
            self._owners = None

    async def _give_up_kept(self, ports: Set[int | None]) -> None:
        for port in self._ports.held & ports:
            await self._ports.give_up(port)

    async def _shut(self, agent: str, entry: _Entry) -> None:
        await self._end(agent, entry, for_good=True)
        await self._ports.give_up(entry.way.port)

    async def _end(self, agent: str, entry: _Entry, *, for_good: bool = False) -> None:
        self._entries.pop(agent)
        await entry.relay.close(for_good=for_good)
        log.info("agent %s: relay at %s closed", agent, entry.way.address)

    async def _open(self, agent: str, way: RelayWay, account: RelayAccount) -> None:
        self._owners = self._owners or SocketOwners()
        sockets = await self._ports.open(way.port)
        relay = Relay(account, Around(self._owners, self._spawn, partial(self._tell, agent)))
        relay.open(*sockets)
        log.info("agent %s: relay at %s, for phones of user %d", agent, way.address, account.uid)
        self._entries[agent] = _Entry(way, relay)

    async def _port(self, agent: AgentSettings) -> int:
        if agent.relay.port is not None:
            return agent.relay.port
        taken = {entry.way.port for entry in self._entries.values()}
        port: int = await self._ask(partial(_kept_port, agent=agent.login, taken=taken))
        return port

    async def _known_port(self, agent: AgentSettings) -> int | None:
        """The port of the agent's relay; None where none was chosen yet."""
        ports: dict[str, int] = await self._ask(Store.relay_ports)
        return ports.get(agent.login) if agent.relay.port is None else agent.relay.port

    def _relay_account(self, job: Job, account: Account, way: RelayWay) -> RelayAccount:
        uid = os.geteuid() if job.home.uid is None else job.home.uid
        server = Server(address_of(account, Transport.WSS), self._tls(job.wanted.platform.ca_file))
        return RelayAccount(account.name, account.credential, way.mode is RelayMode.ANSWER, server, uid)

    def _tls(self, ca_file: str | None) -> ssl.SSLContext:
        """The same object as long as the file is the same: another one would open all WebSockets anew."""
        key = ca_file, stamp(ca_file)
        if key not in self._trust:
            self._trust = {key: tls_context(ca_file)}
        return self._trust[key]

    def _tell(self, agent: str) -> None:
        entry = self._entries.get(agent)
        if entry is None:
            return
        state = entry.relay.state()
        for line in news(entry.told, state, entry.relay.account.server.address):
            log.info("agent %s: %s", agent, line)
        entry.told = state
        self._changed()


def _kept_port(store: Store, agent: str, taken: Set[int]) -> int:
    """The port of the agent's relay; where there is none yet one is chosen, and kept before anybody else chooses."""
    ports = store.relay_ports()
    if agent not in ports:
        ports[agent] = choose_port({*ports.values(), *taken})
        store.put_relay_port(agent, ports[agent])
    return ports[agent]


def _account(job: Job) -> Account | None:
    """The account that one of the job's phones can only use through a relay; None where none does."""
    targets = [one for one in _targets(job) if knows_relay(one)]
    if not targets or not job.wanted.agent.relay.use:
        return None
    account, _ = account_for(job)
    return account if needs_relay(account, targets) else None


def _targets(job: Job) -> Iterator[Target]:
    for choice in job.wanted.agent.targets:
        if target := job.catalog.get(choice.target):
            yield target
