"""The platform's HTTP API: the agent login and log-off, and nothing else of it.

POST /Integra/resources/auth/AgentLogin and /Integra/resources/api/AgentLogoff, form-encoded.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

import aiohttp

from provisioner import __version__
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.reply import LoggedOff, LoginOutcome, NotThere, Refused, Reply, Trouble, read_log_off, read_reply
from provisioner.core.secret import Secret
from provisioner.core.sip.obstacle import OTHER_HOST, OTHER_TIME, SELF_SIGNED, UNKNOWN
from provisioner.edge.trust import Stamp, stamp, tls_context

LOGIN = "/Integra/resources/auth/AgentLogin"
LOGOFF = "/Integra/resources/api/AgentLogoff"
LARGEST = 64 * 1024
_CURES = {
    **dict.fromkeys(OTHER_TIME, "; is this machine's clock right?"),
    **dict.fromkeys((*SELF_SIGNED, *UNKNOWN), "; if its authority is a private one, name it with `ca_file`"),
    **dict.fromkeys(OTHER_HOST, "; is `url` right?"),
}


@dataclass(frozen=True, slots=True)
class PlatformAddress:
    """An instance and how to reach it. ``ca_file`` None means the system's authorities; times are seconds."""

    url: str
    ca_file: str | None = None
    connect_timeout: float = 5.0
    timeout: float = 20.0


# With a new CA file it is another one.
_Key = tuple[PlatformAddress, Stamp]


class PlatformClient:
    """One instance. Made by ``open_platform``."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def log_in(self, login: str, password: Secret) -> LoginOutcome:
        """Log an agent in, which makes them available for calls."""
        reply = await self._post(LOGIN, {"agent": login, "password": password.reveal()})
        return reply if isinstance(reply, Trouble) else read_reply(reply)

    async def log_off(self, login: str, token: Secret, interface: str) -> LoggedOff | Refused | Trouble | NotThere:
        """End an agent's session. ``interface`` is ``SIP/<name>``."""
        # The token is base64 as it comes: it is not encoded again. Old platforms want none.
        headers = {"Authorization": f"Basic {token.reveal()}"} if token else {}
        reply = await self._post(LOGOFF, {"agent": login, "interface": interface}, headers)
        return reply if isinstance(reply, Trouble) else read_log_off(reply)

    async def _post(
        self, path: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Reply | Trouble:
        # A blank as %20: every server reads that, not every one reads `+`.
        body = urlencode(form, encoding="utf-8", errors="surrogatepass", quote_via=quote).encode("ascii")
        content = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        try:
            async with self._session.post(
                self._url + path, data=body, headers=content, allow_redirects=False
            ) as response:
                received = await _limited(response)
                if len(received) > LARGEST:
                    return Trouble(f"the platform's answer is longer than {LARGEST} bytes")
                kind, wait = response.headers.get("Content-Type", ""), response.headers.get("Retry-After")
                return Reply(response.status, received, kind, wait, time.time())
        except (OSError, UnicodeError, aiohttp.ClientError) as error:
            # Not chained: an exception of the HTTP library may hold the request.
            return Trouble(in_words(error))


@asynccontextmanager
async def open_platform(address: PlatformAddress) -> AsyncIterator[PlatformClient]:
    """A client for ``address``: TLS verified and at least 1.2, no redirects, no cookies, no proxy from the environment.

    Raises ProvisionerError: plain http to another machine, a CA file that cannot be used.
    """
    url = _checked(address.url)
    # A login is not repeated, so it does not ride on an old connection that the platform may be closing.
    connector = aiohttp.TCPConnector(ssl=tls_context(address.ca_file), limit=0, force_close=True)
    limits = aiohttp.ClientTimeout(total=address.timeout, connect=address.connect_timeout)
    headers = {"User-Agent": f"softphone-provisioner/{__version__}", "Accept-Encoding": "identity"}
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=limits,
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
    ) as session:
        yield PlatformClient(url, session)


@dataclass(slots=True)
class _Opened:
    """A client, what closes it, and how many use it now."""

    client: PlatformClient
    closing: AsyncExitStack
    users: int = 0


class PlatformClients:
    """A client for each address that is in use, and for the one that was used last."""

    def __init__(self) -> None:
        self._opened: dict[_Key, _Opened] = {}
        self._last: _Key | None = None

    @asynccontextmanager
    async def at(self, address: PlatformAddress) -> AsyncIterator[PlatformClient]:
        """The client for ``address``; a new one when its CA file is another. Raises ProvisionerError as
        ``open_platform`` does."""
        key = address, stamp(address.ca_file)
        opened = self._opened.get(key)
        if opened is None:
            closing = AsyncExitStack()
            opened = _Opened(await closing.enter_async_context(open_platform(address)), closing)
            self._opened[key] = opened
        self._last = key
        opened.users += 1
        try:
            yield opened.client
        finally:
            opened.users -= 1
            await self._close(key for key, one in self._opened.items() if not one.users and key != self._last)

    async def close(self) -> None:
        """Close all of them."""
        await self._close(self._opened)

    async def _close(self, keys: Iterable[_Key]) -> None:
        for opened in [self._opened.pop(key) for key in list(keys)]:
            await opened.closing.aclose()


def in_words(error: BaseException) -> str:
    """What went wrong on the way to the platform, without anything of the request."""
    cause = getattr(error, "certificate_error", None) or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        what = f"the platform's certificate is not accepted: {cause.verify_message or 'it is not valid'}"
        return what + _CURES.get(cause.verify_code, "")
    if isinstance(error, ssl.SSLError | aiohttp.ClientSSLError):
        return "the platform does not speak TLS 1.2 or newer as it should"
    if isinstance(error, TimeoutError):
        return "the platform did not answer in time"
    if isinstance(error, UnicodeError | aiohttp.InvalidURL):
        return "the platform cannot be reached: its name is none"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"the platform cannot be reached: {_obstacle(error.os_error)}"
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError | aiohttp.ClientPayloadError):
        return "the platform closed the connection"
    return f"what the platform sent is not HTTP ({type(error).__name__})"


def _obstacle(error: OSError) -> str:
    if isinstance(error, socket.gaierror) and error.strerror:
        return error.strerror
    if error.errno:
        return os.strerror(error.errno)  # asyncio says where instead
    several = str(error).removeprefix("Multiple exceptions: ")  # addresses, each with its own
    return several or "it hangs up before TLS is agreed; does it speak TLS 1.2 or newer?"


async def _limited(response: aiohttp.ClientResponse) -> bytes:
    received = b""
    while len(received) <= LARGEST and (piece := await response.content.read(LARGEST + 1 - len(received))):
        received += piece
    return received


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole:
        raise ProvisionerError(Problem(Place("platform.url"), "this is no address of a server", "write https://HOST"))
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        return url.rstrip("/")
    what = "passwords would travel in clear text over plain http"
    raise ProvisionerError(Problem(Place("platform.url"), what, "write https://; http is for this machine only"))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
