"""The relay of one account: a port on loopback for the phones of one user, TCP and UDP.

Whoever reaches the port has the account's line, so the kernel is asked whose socket it is: once for a connection, for
every packet over UDP, and before a packet goes out to a phone there.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Callable, Coroutine, Hashable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from provisioner.core.account import Credential
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.sip.registration import Departure, RegistrationState, departure
from provisioner.core.sip.rewrite import Ways
from provisioner.core.sip.sequences import Sequences
from provisioner.core.sip.sides import Shared
from provisioner.core.sip.signer import Signer
from provisioner.edge.relay_line import PATIENCE, Patience, Server, session_for
from provisioner.edge.relay_phone import Circumstances, PhoneFlow, PhoneSide, PhoneState
from provisioner.edge.relay_tcp import BACKLOG, Door
from provisioner.edge.relay_udp import Packets
from provisioner.edge.socket_owner import SocketOwners
from provisioner.waiting import Spawn

HOST = "127.0.0.1"
MOST_PHONES = 16


@dataclass(frozen=True, slots=True)
class RelayAccount:
    """For whom a relay works: ``name`` at ``server``, for sockets of ``uid``. ``answers`` is False in pass mode."""

    name: str
    credential: Credential = field(repr=False)
    answers: bool
    server: Server
    uid: int


@dataclass(frozen=True, slots=True)
class RelayState:
    """What is told of a relay. ``refused`` says that the server has refused its credential, ``other_realm`` is a realm
    of the server's for which it is not, ``strangers`` counts who was turned away, or gone at once."""

    port: int
    refused: bool
    other_realm: str
    strangers: int
    phones: tuple[PhoneState, ...]

    @property
    def calls(self) -> int:
        """Calls that ring or are up."""
        return sum(phone.calls for phone in self.phones)


@dataclass(frozen=True, slots=True)
class Around:
    """What a relay is given to work with: ``spawn`` starts a task that somebody watches over, ``changed`` is called
    when the state is another one. ``most_phones`` is how many may be at the relay at the same time."""

    owners: SocketOwners
    spawn: Spawn
    changed: Callable[[], None]
    patience: Patience = PATIENCE
    most_phones: int = MOST_PHONES


class Relay:
    """Listens for the phones of one account."""

    def __init__(self, account: RelayAccount, around: Around) -> None:
        self._account = account
        self._owners = around.owners
        self._spawn = around.spawn
        self._changed = around.changed
        self._patience = around.patience
        self._most_phones = around.most_phones
        self._signer = Signer(account.name, account.credential, answers=account.answers)
        self._shared = Shared(self._signer, Sequences(time.time()), secrets.token_bytes(32))
        self._session = session_for(account.server)
        self._phones: dict[Hashable, PhoneFlow] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._hurry = asyncio.Event()
        self._door: Door | None = None
        self._packets: Packets | None = None
        self._closed = False
        self.port = 0
        self.strangers = 0

    @property
    def account(self) -> RelayAccount:
        """For whom it works now."""
        return self._account

    def open(self, tcp: socket.socket, udp: socket.socket) -> None:
        """Listen at these, which are closed with the relay."""
        self.port = tcp.getsockname()[1]
        self._door = Door(self, self._owners, tcp)
        self._packets = Packets(self, self._owners, udp)

    async def close(self, *, for_good: bool = False) -> None:
        """Hang up on everybody. ``for_good`` says that the phones cannot come back soon, and so ends their
        registrations."""
        if self._closed:
            return
        self._closed = True
        if self._door is not None:
            await self._door.close()
        if self._packets is not None:
            await self._packets.close()
        there = list(self._phones.values())
        self._phones.clear()
        for phone in there:
            self._end(phone, told=for_good)
        await self._all_ended()
        await self._session.close()

    async def use(self, account: RelayAccount) -> None:
        """Work with new settings: phones stay connected, and calls go on."""
        before, self._account = self._account, account
        self._signer.name = account.name
        if account.uid != before.uid:
            for key in list(self._phones):
                self.drop(key)
        was_refused = self._signer.use(account.credential, answers=account.answers)
        if account.server != before.server:
            old, self._session = self._session, session_for(account.server)
            for key in list(self._phones):
                if phone := self._phones.get(key):
                    await phone.move(self._circumstances())
            await self._all_ended()
            await old.close()
        elif was_refused:
            for phone in self._phones.values():
                phone.replay()
        self._changed()

    def renew(self) -> None:
        """Somebody wants the credential that the server refused to be tried once more."""
        if self._signer.forget_refusal():
            for phone in self._phones.values():
                phone.replay()
            self._changed()

    def state(self) -> RelayState:
        """How things are."""
        signer, phones = self._signer, tuple(phone.state() for phone in self._phones.values())
        return RelayState(self.port, signer.refused, signer.other_realm, self.strangers, phones)

    def admits(self, uids: set[int]) -> bool:
        """Whether sockets of these users, and no others, may speak. Counts those who may not."""
        if uids == {self._account.uid}:
            return True
        self.strangers += 1
        return False

    def phone(self, key: Hashable) -> PhoneFlow | None:
        """The phone that is there already."""
        return self._phones.get(key)

    def welcome(self, key: Hashable, transport: str, side: PhoneSide) -> PhoneFlow | None:
        """A new phone; None when there are too many that are not idle."""
        if self._closed:
            return None
        if len(self._phones) >= self._most_phones:
            idle = [one for one, phone in self._phones.items() if phone.is_replaceable]
            if not idle:
                return None
            self.drop(min(idle, key=lambda one: self._phones[one].last_heard))
        mark = secrets.token_hex(6)
        ways = Ways(f"WSS {mark}.invalid", f"{transport.upper()} {HOST}:{self.port}", f"{HOST}:{self.port}", transport)
        phone = self._phones[key] = PhoneFlow(side, ways, mark, self._circumstances())
        return phone

    def drop(self, key: Hashable) -> None:
        """This phone is gone."""
        phone = self._phones.pop(key, None)
        if phone is not None:
            self._end(phone, told=True)
            self._changed()

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task that ends by itself."""
        return self._spawn(coroutine)

    def _end(self, phone: PhoneFlow, *, told: bool) -> None:
        phone.is_gone()
        task = self._spawn(self._see_off(phone) if told and self._account.answers else phone.end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _see_off(self, phone: PhoneFlow) -> None:
        """Let the server know that a phone is gone, unless it comes back."""
        if self._departure(phone) is not Departure.NOTHING:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), self._patience.absence)
        match self._departure(phone):
            case Departure.FAREWELL:
                await phone.leave()
            case Departure.HEIR:
                heirs = [one for one in self._phones.values() if one.registration.state is RegistrationState.REGISTERED]
                max(heirs, key=lambda one: one.last_heard).replay()
            case Departure.NOTHING:
                pass
        await phone.end()

    def _departure(self, phone: PhoneFlow) -> Departure:
        return departure(phone.registration, [one.registration for one in self._phones.values()])

    async def _all_ended(self) -> None:
        """Wait for nobody who may come back."""
        self._hurry.set()
        if self._ending:
            await asyncio.wait(self._ending)
        self._hurry = asyncio.Event()

    def _circumstances(self) -> Circumstances:
        url = self._account.server.address.url
        return Circumstances(self._shared, self._session, url, self._patience, self._spawn, self._changed)


def bound(port: int, passed: Iterable[socket.socket] = ()) -> tuple[socket.socket, socket.socket]:
    """TCP, which listens, and UDP at ``port`` of loopback: those of ``passed`` that are there already, and new ones.

    Raises ProvisionerError when that cannot be: another port would be another relay's.
    """
    sockets = {one.type: one for one in passed}
    with ExitStack() as opened:
        for kind in {socket.SOCK_STREAM, socket.SOCK_DGRAM} - sockets.keys():
            sockets[kind] = opened.enter_context(_bound(kind, port))
        tcp, udp = sockets[socket.SOCK_STREAM], sockets[socket.SOCK_DGRAM]
        for one in (tcp, udp):
            one.setblocking(False)
        opened.pop_all()
        return tcp, udp


def _bound(kind: socket.SocketKind, port: int) -> socket.socket:
    one = socket.socket(socket.AF_INET, kind)
    try:
        if kind == socket.SOCK_STREAM:
            # For TCP only: it lets nobody share a port that listens, and UDP it would.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((HOST, port))
        if kind == socket.SOCK_STREAM:
            one.listen(BACKLOG)
    except OSError as error:
        one.close()
        what = f"the relay cannot have this port: {error.strerror}"
        fix = "end the program that has it (`ss -lntup` shows it), or set `relay: {port: …}`"
        raise ProvisionerError(Problem(Place(f"{HOST}:{port}"), what, fix)) from None
    return one
