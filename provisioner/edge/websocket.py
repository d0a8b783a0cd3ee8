"""A line to a SIP server over WebSocket (RFC 7118): one message a frame."""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver

from provisioner import __version__
from provisioner.core.sip.message import LARGEST, Message
from provisioner.core.sip.trial import Address, Failure, Obstacle, Stage
from provisioner.edge.probe import Line, ProbeError, failure_of, parsed

SUBPROTOCOL = "sip"
_GOODBYE_SECONDS = 0.5


@asynccontextmanager
async def open_websocket(
    address: Address, ip: str, tls: ssl.SSLContext, begun: Callable[[Stage], None]
) -> AsyncIterator[Line]:
    """Connect to ``address`` at ``ip``, one of its addresses; no redirects, no cookies, no proxy from the environment.

    ``begun`` is told when TCP and TLS stand and the WebSocket is asked for. Raises ProbeError.
    """
    connector = aiohttp.TCPConnector(ssl=tls, resolver=_Known(ip), force_close=True)
    async with new_session(connector, begun) as session:
        frames = await connect(session, address.url)
        try:
            yield _Frames(frames)
        finally:
            await hang_up(frames)


def new_session(connector: aiohttp.TCPConnector, begun: Callable[[Stage], None]) -> aiohttp.ClientSession:
    """What WebSockets are opened with; no redirects, no cookies, no proxy from the environment."""
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse)
    trace.on_connection_create_end.append(_calling(begun))
    return aiohttp.ClientSession(
        connector=connector,
        headers={"User-Agent": f"softphone-provisioner/{__version__}"},
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[trace],
        trust_env=False,
    )


async def hang_up(frames: aiohttp.ClientWebSocketResponse) -> None:
    """Close a WebSocket, politely for half a second."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_GOODBYE_SECONDS):
            await frames.close()
    _forget_where(frames.exception())


def _forget_where(error: BaseException | None) -> None:
    """Let go of the frames of code that ``error`` came through. The WebSocket remembers it, and they hold the
    WebSocket: with half a megabyte of TLS's it would wait for the garbage collector."""
    while error is not None:
        error.__traceback__ = None
        error = error.__context__


async def connect(
    session: aiohttp.ClientSession, url: str, *, autoping: bool = True
) -> aiohttp.ClientWebSocketResponse:
    """A WebSocket to ``url`` whose server has agreed to speak SIP; ``autoping`` as in aiohttp. Raises ProbeError."""
    try:
        frames = await session.ws_connect(url, protocols=(SUBPROTOCOL,), max_msg_size=LARGEST, autoping=autoping)
    except aiohttp.WSServerHandshakeError as error:
        raise ProbeError(_handshake(error)) from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # Not chained: an exception of the HTTP library may hold the request.
        _forget_where(error)
        raise ProbeError(_failure(error)) from None
    if frames.protocol != SUBPROTOCOL:
        await frames.close()
        raise ProbeError(Failure(Obstacle.NO_SUBPROTOCOL, Stage.WEBSOCKET))
    return frames


async def send_frame(frames: aiohttp.ClientWebSocketResponse, message: bytes) -> None:
    """Send a message as text, or as bytes where it is none (RFC 7118 section 4.2).

    Raises OSError or aiohttp.ClientError when the WebSocket is gone.
    """
    try:
        text = message.decode()
    except UnicodeDecodeError:
        await frames.send_bytes(message)
    else:
        await frames.send_str(text)


def _handshake(error: aiohttp.WSServerHandshakeError) -> Failure:
    if error.status == 101:
        return Failure(Obstacle.NO_WEBSOCKET, Stage.WEBSOCKET, error.status, error.message)
    return Failure(Obstacle.NO_WEBSOCKET, Stage.WEBSOCKET, error.status)


def _failure(error: Exception) -> Failure:
    match error:
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLCertVerificationError() as cause):
            return failure_of(cause, Stage.CONNECT)
        case aiohttp.ClientConnectorSSLError():
            return Failure(Obstacle.NO_TLS, Stage.CONNECT)
        case aiohttp.ClientConnectorError(os_error=cause):
            return failure_of(cause, Stage.CONNECT)
        case aiohttp.ServerDisconnectedError():
            return Failure(Obstacle.CLOSED, Stage.WEBSOCKET)
        case OSError():
            return failure_of(error, Stage.WEBSOCKET)
    return Failure(Obstacle.NO_WEBSOCKET, Stage.WEBSOCKET)


async def _refuse(_: object, __: object, redirect: aiohttp.TraceRequestRedirectParams) -> None:
    response = redirect.response
    place = response.headers.get("Location", "")
    raise ProbeError(Failure(Obstacle.NO_WEBSOCKET, Stage.WEBSOCKET, response.status, place))


def _calling(begun: Callable[[Stage], None]) -> Callable[..., Awaitable[None]]:
    async def call(*_: object) -> None:
        begun(Stage.WEBSOCKET)

    return call


class _Known(AbstractResolver):
    """Says that every name is at the address that was found before."""

    def __init__(self, ip: str) -> None:
        self._ip = ip

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[Any]:
        family = socket.AF_INET6 if ":" in self._ip else socket.AF_INET
        return [{"hostname": host, "host": self._ip, "port": port, "family": family, "proto": 0,
                 "flags": socket.AI_NUMERICHOST}]  # fmt: skip

    async def close(self) -> None:
        """Nothing is open."""


@contextmanager
def _closing() -> Iterator[None]:
    """A WebSocket that is found to be gone was closed."""
    try:
        yield
    except (OSError, aiohttp.ClientError):
        raise ProbeError(Failure(Obstacle.CLOSED, Stage.CHALLENGE)) from None


class _Frames:
    repeats, heard = False, False

    def __init__(self, frames: aiohttp.ClientWebSocketResponse) -> None:
        self._frames = frames
        self.sent_by = f"{secrets.token_hex(6)}.invalid"

    async def send(self, message: bytes) -> None:
        with _closing():
            await send_frame(self._frames, message)

    async def receive(self) -> Message:
        with _closing():  # it answers pings meanwhile
            frame = await self._frames.receive()
        match frame.type:
            case aiohttp.WSMsgType.TEXT:
                return parsed(frame.data.encode("utf-8", "surrogateescape"))
            case aiohttp.WSMsgType.BINARY:
                return parsed(frame.data)
        raise ProbeError(Failure(Obstacle.CLOSED, Stage.CHALLENGE))
