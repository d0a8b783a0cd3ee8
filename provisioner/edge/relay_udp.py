"""Phones that come to the relay over UDP: every packet is asked whose it is, on its way in and on its way out."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from provisioner.core.sip.framing import PONG, Ping, TooLargeError, read_packet
from provisioner.core.sip.grammar import NotSipError
from provisioner.edge.relay_phone import PhoneFlow, PhoneSide
from provisioner.edge.socket_owner import SocketOwners
from provisioner.edge.socket_table import SocketAddress

if TYPE_CHECKING:
    from provisioner.edge.relay import Relay

MOST_WAITING = 512
# For so many seconds a stranger's packets are dropped without another look.
_TURNED_AWAY = 0.5

# Packets that are taken at a time. When all are strangers', the kernel keeps the next ones, or drops them, for a while.
_HANDFUL = 8
_PAUSE = 0.02

_Work = tuple[SocketAddress, bytes, bool]


class Packets:
    """The UDP side of one relay; packets are looked at one after the other, in either direction."""

    def __init__(self, relay: Relay, owners: SocketOwners, bound: socket.socket) -> None:
        self._relay = relay
        self._owners = owners
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Queue[_Work] = asyncio.Queue(MOST_WAITING)
        self._strangers: dict[SocketAddress, float] = {}
        self._bound = bound
        self._resuming: asyncio.TimerHandle | None = None
        self._task = relay.spawn(self._work())
        self._listen()

    async def close(self) -> None:
        """Listen no longer."""
        if self._resuming is not None:
            self._resuming.cancel()
        self._loop.remove_reader(self._bound)
        self._task.cancel()
        await asyncio.wait([self._task])
        self._bound.close()

    def _listen(self) -> None:
        self._loop.add_reader(self._bound, self._readable)

    def _readable(self) -> None:
        for _ in range(_HANDFUL):
            try:
                packet, sender = self._bound.recvfrom(65_536)
            except OSError:  # nothing more, or a phone that is gone said so
                return
            if self._strangers.get(sender, 0.0) < self._loop.time():
                self._put(sender, packet, inward=True)
                return
        self._loop.remove_reader(self._bound)
        self._resuming = self._loop.call_later(_PAUSE, self._listen)

    def _put(self, where: SocketAddress, packet: bytes, *, inward: bool) -> None:
        with suppress(asyncio.QueueFull):
            self._waiting.put_nowait((where, packet, inward))

    async def _work(self) -> None:
        while True:
            where, packet, inward = await self._waiting.get()
            if not self._relay.admits(await self._owners.of_sender(where)):
                self._turn_away(where)
            elif inward:
                self._take(where, packet)
            else:
                with suppress(OSError):
                    self._bound.sendto(packet, where)

    def _turn_away(self, where: SocketAddress) -> None:
        """Whoever is there now is not the phone that was."""
        self._relay.drop(where)
        now = self._loop.time()
        self._strangers = {one: until for one, until in self._strangers.items() if until > now}
        if len(self._strangers) < MOST_WAITING:
            self._strangers[where] = now + _TURNED_AWAY

    def _take(self, sender: SocketAddress, packet: bytes) -> None:
        try:
            one = read_packet(packet)
            if isinstance(one, Ping):
                self._put(sender, PONG, inward=False)
            elif one is not None and (phone := self._phone(sender)):
                phone.from_phone(one)
        except TooLargeError as error:
            if phone := self._phone(sender):
                phone.refuse(error.message, 513, "Message Too Large")
        except NotSipError:
            return

    def _phone(self, sender: SocketAddress) -> PhoneFlow | None:
        if known := self._relay.phone(sender):
            return known
        side = PhoneSide(lambda packet: self._put(sender, packet, inward=False), lambda: self._relay.drop(sender))
        return self._relay.welcome(sender, "udp", side)
