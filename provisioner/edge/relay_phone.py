"""One phone at a relay: its messages in and out, its own WebSocket, and its clocks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp

from provisioner.core.sip.flow import Flow
from provisioner.core.sip.grammar import NotSipError
from provisioner.core.sip.message import Message, Request, print_message
from provisioner.core.sip.registration import Registration, RegistrationState
from provisioner.core.sip.reply import reply
from provisioner.core.sip.rewrite import Ways
from provisioner.core.sip.sides import Link, Output, Shared, ToPhone, ToServer
from provisioner.core.sip.trial import Failure
from provisioner.edge.relay_line import Patience, RelayLine
from provisioner.waiting import Spawn


@dataclass(frozen=True, slots=True)
class PhoneState:
    """What is told of one phone. ``link_since`` is in Unix seconds, ``failure`` why the WebSocket is away,
    ``reconnects`` how often it was opened again, ``status`` the server's last answer to a registration."""

    transport: str
    link: Link
    link_since: float
    failure: Failure | None
    registration: RegistrationState
    status: int
    refusals: int
    reconnects: int
    calls: int


@dataclass(frozen=True, slots=True)
class PhoneSide:
    """How to reach the phone: ``send`` takes a whole message, ``hang_up`` ends what there is of a connection."""

    send: Callable[[bytes], None]
    hang_up: Callable[[], None]


_NOBODY = PhoneSide(lambda _: None, lambda: None)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What all phones at a relay share. ``spawn`` starts a task that somebody watches over, ``changed`` is called when
    a phone's state is another one."""

    shared: Shared
    session: aiohttp.ClientSession
    url: str
    patience: Patience
    spawn: Spawn
    changed: Callable[[], None]


@dataclass(slots=True)
class _Link:
    since: float = field(default_factory=time.time)
    failure: Failure | None = None


class PhoneFlow:
    """Lives as long as the phone's connection, over UDP until it has been idle. Its WebSocket opens with the first
    message."""

    def __init__(self, side: PhoneSide, ways: Ways, mark: str, circumstances: Circumstances) -> None:
        self._side = side
        self._flow = Flow(circumstances.shared, ways, mark)
        self._circumstances = circumstances
        self._transport = ways.transport
        self._loop = asyncio.get_running_loop()
        self._link = _Link()
        self._line = self._new_line()
        self._task: asyncio.Task[None] | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._told: tuple[object, ...] = ()
        self._has_left = asyncio.Event()
        self._has_ended = False
        self.last_heard = self._loop.time()
        self._sleep()

    def from_phone(self, message: Message) -> None:
        """The phone has sent a message. Raises NotSipError."""
        self.last_heard = self._loop.time()
        outputs = self._flow.from_phone(message, self.last_heard)
        if self._task is None:
            self._task = self._circumstances.spawn(self._line.run())
        self._go(outputs)

    def refuse(self, message: Message, status: int, reason: str) -> None:
        """Answer a message without a look at it, if it is one that wants an answer."""
        if isinstance(message, Request) and message.method != "ACK":
            self._side.send(print_message(reply(message, status, reason)))

    def replay(self) -> None:
        """Register the phone with a new credential."""
        self._go(self._flow.replay(self._loop.time()))

    async def move(self, circumstances: Circumstances) -> None:
        """Go to another server from now on."""
        self._circumstances = circumstances
        await self._hang_up_on_server()
        if self._has_ended:
            return  # the phone hung up meanwhile
        self._line = self._new_line()
        self._flow.calls.elsewhere()
        if self._task is not None:
            self.is_lost()
            self._task = circumstances.spawn(self._line.run())

    def is_gone(self) -> None:
        """The phone is: hang up on its side."""
        self._side.hang_up()
        self._side = _NOBODY
        for timer in self._timers.values():
            timer.cancel()
        self._go(self._flow.gone())

    async def leave(self) -> None:
        """End the registration that the phone has left behind; a server that says nothing is not waited for."""
        self._has_left.clear()
        self._go(self._flow.leave(self._loop.time()))
        with suppress(TimeoutError):
            async with asyncio.timeout(self._circumstances.patience.farewell):
                await self._has_left.wait()

    async def end(self) -> None:
        """Hang up on the server too, for good."""
        self._has_ended = True
        await self._hang_up_on_server()
        self._task = None  # it remembers how it was cancelled, and so the WebSocket

    @property
    def registration(self) -> Registration:
        """How it stands with the server."""
        return self._flow.registration

    def _new_line(self) -> RelayLine:
        around = self._circumstances
        return RelayLine(around.session, around.url, self, around.patience)

    async def _hang_up_on_server(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def is_replaceable(self) -> bool:
        """Whether another phone may have its place: it comes over UDP, where nobody says good-bye, and has no call."""
        return self._transport == "udp" and not self._flow.calls.count

    def state(self) -> PhoneState:
        """How things are."""
        flow, openings = self._flow, self._line.openings
        known = flow.registration
        return PhoneState(
            self._transport, flow.link, self._link.since, self._link.failure,
            known.state, known.status, flow.refusals, max(openings - 1, 0), flow.calls.count,
        )  # fmt: skip

    def is_up(self) -> None:
        """The WebSocket is open."""
        self._link = _Link()
        self._go(self._flow.up(self._loop.time()))
        if self._line.openings > 1 and not self._circumstances.shared.signer.answers:
            self._side.hang_up()  # a phone that signs itself must register anew, and does when its connection ends

    def heard(self, message: Message) -> None:
        """The server has sent a message; what it should not have sent is dropped."""
        try:
            outputs = self._flow.from_server(message, self._loop.time())
        except NotSipError:
            return
        self._go(outputs)

    def is_lost(self) -> None:
        """The WebSocket is cut."""
        self._link = _Link()
        self._go(self._flow.lost(self._loop.time()))

    def is_away(self, failure: Failure) -> None:
        """The WebSocket cannot be opened."""
        self._link = _Link(self._link.since, failure)
        self._go(self._flow.down(self._loop.time()))

    def _go(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case ToPhone(message):
                    self._side.send(print_message(message))
                case ToServer(message):
                    if not self._line.send(print_message(message)):
                        self._side.hang_up()
        if self._flow.has_left:
            self._has_left.set()
        self._ask_in_time()
        state = (self._flow.link, self._flow.registration.state, self._flow.calls.count, self._link.failure)
        if state != self._told:
            self._told = state
            self._circumstances.changed()

    def _ask_in_time(self) -> None:
        due = self._flow.ask_at
        timer = self._timers.get("ask")
        if timer is not None and timer.when() != due:
            timer.cancel()
            del self._timers["ask"]
        if due is not None and "ask" not in self._timers:
            self._timers["ask"] = self._loop.call_at(due, self._ask)

    def _ask(self) -> None:
        self._timers.pop("ask", None)
        self._go(self._flow.ask(self._loop.time()))

    def _left(self) -> float:
        """Seconds until the phone counts as gone."""
        if self._flow.calls.count:
            return self._circumstances.patience.idle
        patience = max(self._circumstances.patience.idle, 2.0 * self._flow.registration.expires)
        return self.last_heard + patience - self._loop.time()

    def _sleep(self) -> None:
        left = self._left()
        if left <= 0:
            self._side.hang_up()
            return
        self._timers["idle"] = self._loop.call_later(left, self._sleep)
