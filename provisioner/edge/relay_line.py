"""A relay's way to the server: a WebSocket that is opened again whenever it is gone."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

import aiohttp

from provisioner.core.reason import back_off
from provisioner.core.sip.grammar import NotSipError
from provisioner.core.sip.message import Message, parse_message
from provisioner.core.sip.trial import Address, Failure, Obstacle, Stage
from provisioner.edge.probe import ProbeError
from provisioner.edge.websocket import connect, hang_up, new_session, send_frame

# In seconds.
CONNECT_WITHIN = 10.0
FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0
# A connection that lasted shorter was none: the wait goes on growing.
HELD = 5.0
MOST_WAITING = 256  # packets


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. A WebSocket that is silent for ``ping_every`` is asked for a sign of life, and gone when none has come
    ``pong_within``. A phone that neither registers nor calls is gone after ``idle``; one that registers after two
    expiries, if that is longer. A phone whose connection ended may come back within ``absence``, or its registration
    is ended, which may take as long as ``farewell``."""

    ping_every: float = 20.0
    pong_within: float = 10.0
    idle: float = 120.0
    absence: float = 5.0
    farewell: float = 2.0


PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class Server:
    """Where the platform's SIP is: ``tls`` says whom to trust."""

    address: Address
    tls: ssl.SSLContext


class Ends(Protocol):
    """Who is told what becomes of the WebSocket."""

    def is_up(self) -> None:
        """It is open."""

    def heard(self, message: Message) -> None:
        """A message has come."""

    def is_lost(self) -> None:
        """It is cut; the next try follows at once."""

    def is_away(self, failure: Failure) -> None:
        """It cannot be opened now."""


def session_for(server: Server) -> aiohttp.ClientSession:
    """What the WebSockets of one account are opened with."""
    connector = aiohttp.TCPConnector(ssl=server.tls, force_close=True, limit=0, use_dns_cache=False)
    return new_session(connector, _nobody)


class RelayLine:
    """One WebSocket at a time; ``session`` is shared with other lines to the same server."""

    def __init__(self, session: aiohttp.ClientSession, url: str, ends: Ends, patience: Patience) -> None:
        self._session = session
        self._url = url
        self._ends = ends
        self._patience = patience
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(MOST_WAITING)
        self._failures = 0
        self.openings = 0

    def send(self, packet: bytes) -> bool:
        """Send it in its turn; False when too much waits already. What still waits when the WebSocket goes is lost."""
        try:
            self._waiting.put_nowait(packet)
        except asyncio.QueueFull:
            return False
        return True

    async def run(self) -> None:
        """Keep it open until cancelled."""
        while True:
            try:
                frames = await self._open()
            except ProbeError as error:
                self._ends.is_away(error.failure)
            else:
                await self._while_open(frames)
                self._ends.is_lost()
            self._failures += 1
            longest = back_off(self._failures, first=FIRST_WAIT, longest=LONGEST_WAIT, chance=1.0)
            # Half of it at random: who lost the same server does not come back at the same moment.
            await asyncio.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311 - no secret

    async def _open(self) -> aiohttp.ClientWebSocketResponse:
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                return await connect(self._session, self._url, autoping=False)
        except TimeoutError:
            raise ProbeError(Failure(Obstacle.NO_ANSWER, Stage.CONNECT)) from None

    async def _while_open(self, frames: aiohttp.ClientWebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.openings += 1
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._ends.is_up()
        tasks = [asyncio.create_task(self._send_all(frames)), asyncio.create_task(self._hear_all(frames))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await hang_up(frames)
        for task in tasks:
            if not task.cancelled():
                task.result()  # a bug, not a broken connection
        if loop.time() - began > HELD:
            self._failures = 0

    async def _send_all(self, frames: aiohttp.ClientWebSocketResponse) -> None:
        try:
            while True:
                await send_frame(frames, await self._waiting.get())
        except (OSError, aiohttp.ClientError):
            return

    async def _hear_all(self, frames: aiohttp.ClientWebSocketResponse) -> None:
        """Until the other end closes, or is silent: it must answer a ping."""
        asked, patience = False, self._patience
        while True:
            try:
                frame = await frames.receive(patience.pong_within if asked else patience.ping_every)
            except TimeoutError:
                if asked or not await _went_out(frames.ping()):
                    return
                asked = True
                continue
            asked = False
            match frame.type:
                case aiohttp.WSMsgType.TEXT:
                    self._hear(frame.data.encode("utf-8", "surrogateescape"))
                case aiohttp.WSMsgType.BINARY:
                    self._hear(frame.data)
                case aiohttp.WSMsgType.PING:
                    if not await _went_out(frames.pong(frame.data)):
                        return
                case aiohttp.WSMsgType.PONG:
                    pass
                case _:
                    return

    def _hear(self, packet: bytes) -> None:
        try:
            message = parse_message(packet)
        except NotSipError:
            return  # RFC 7118 section 4.2 has keep-alives in frames; anything else is not for a phone either
        self._ends.heard(message)


async def _went_out(sending: Awaitable[None]) -> bool:
    """Whether something could be sent: the connection may be gone before its end was read."""
    try:
        await sending
    except (OSError, aiohttp.ClientError):
        return False
    return True


def _nobody(_: Stage) -> None:
    """Stages are for those who measure them."""
