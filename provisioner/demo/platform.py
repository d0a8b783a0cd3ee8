"""A simulated platform: the real protocol on a real socket, with agents, refusals, and trouble on demand."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import ssl
import uuid
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web

from provisioner.edge.platform import LOGIN, LOGOFF

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class SimulatedAgent:
    """An agent at the platform; ``name`` is their SIP user. A change is a new value, given to ``put``.

    ``generation`` "current" answers with a token of its own and an HA1 for ``realm`` as ``md5secret``; "older" has the
    token in ``md5secret`` and the password in ``secret``. ``row`` replaces or adds columns of the answer.
    """

    login: str
    password: str = field(repr=False)
    name: str
    generation: Literal["current", "older"] = "current"
    row: Mapping[str, object] = field(default_factory=dict, repr=False)
    realm: str = "asterisk"


@dataclass(frozen=True, slots=True)
class Canned:
    """An answer that has nothing to do with the request."""

    status: int = 200
    body: str | bytes = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "text/plain"


@dataclass(frozen=True, slots=True)
class Hold:
    """No answer before ``release``; then the usual one."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The connection is closed without an answer."""


Answer = Canned | Hold | Disconnect
REFUSAL = Canned(body="0")
ERROR = Canned(body="Error")
BUSY = Canned(status=503, body="busy", headers={"Retry-After": "2"})
WEB_PAGE = Canned(body="<!DOCTYPE html><html><body>Welcome</body></html>", content_type="text/html")
GARBAGE = Canned(body=b"\xff\xfe{\x00nothing")
OVERSIZE = Canned(body=b"[" + b"0," * 100_000 + b"0]")


@dataclass(frozen=True, slots=True)
class LogOff:
    """A log-off that arrived; ``accepted`` says that the token was one of this agent's."""

    login: str
    interface: str
    accepted: bool


class SimulatedPlatform:
    """Knows agents, and remembers who came. ``logins`` are all login requests in order, whatever became of them,
    ``log_offs`` all log-offs; ``most_at_once`` is the largest number of requests that were under way together."""

    def __init__(self, agents: Iterable[SimulatedAgent] = (), *, domain: str = "contact-centre.example") -> None:
        self._agents = {agent.login: agent for agent in agents}
        self._domain = domain
        self._tokens: dict[str, str] = {}
        self._answers: dict[tuple[str, str | None], deque[Answer]] = defaultdict(deque)
        self._released = asyncio.Event()
        self._news = asyncio.Condition()
        self._arrived: Counter[str] = Counter()
        self._under_way = 0
        self.logins: list[str] = []
        self.log_offs: list[LogOff] = []
        self.most_at_once = 0

    @property
    def available(self) -> frozenset[str]:
        """Who is logged in, and so counted for calls."""
        return frozenset(self._tokens.values())

    def put(self, agent: SimulatedAgent) -> None:
        """Add an agent, or change one: password, columns, generation."""
        self._agents[agent.login] = agent

    def remove(self, login: str) -> None:
        """Let an agent be unknown from now on."""
        del self._agents[login]

    def answer_next(self, login: str | None, answer: Answer, *, times: int = 1, path: str = LOGIN) -> None:
        """Give ``answer`` to the next requests of this agent, or of anybody (None); ``path`` is LOGIN or LOGOFF."""
        self._answers[path, login].extend([answer] * times)

    def release(self) -> None:
        """Answer everything that is held."""
        self._released.set()
        self._released = asyncio.Event()

    async def arrived(self, count: int, path: str = LOGIN) -> None:
        """Wait until there were at least ``count`` logins (or log-offs, with LOGOFF) in all."""
        async with self._news:
            await self._news.wait_for(lambda: self._arrived[path] >= count)

    def app(self) -> web.Application:
        """The platform as a web application."""
        app = web.Application(middlewares=[self._count])
        app.router.add_post(LOGIN, self._log_in)
        app.router.add_post(LOGOFF, self._log_off)
        return app

    @web.middleware
    async def _count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            return await handler(request)
        finally:
            self._under_way -= 1

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        login, password = str(form.get("agent", "")), str(form.get("password", ""))
        self.logins.append(login)
        unusual = await self._unusual(request, login)
        return self._row(login, password) if unusual is None else unusual

    def _row(self, login: str, password: str) -> web.Response:
        agent = self._agents.get(login)
        if agent is None or agent.password != password:
            return web.Response(text="0")
        token = base64.b64encode(f"{login}:{uuid.uuid4()}".encode()).decode()
        if agent.generation == "older":
            token = token.rstrip("=")
        self._tokens[token] = login
        return web.Response(text=json.dumps(row_of(agent, token, self._domain)))

    async def _log_off(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        login, interface = str(form.get("agent", "")), str(form.get("interface", ""))
        unusual = await self._unusual(request, login)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        accepted = unusual is None and scheme == "Basic" and self._tokens.get(token) == login
        self.log_offs.append(LogOff(login, interface, accepted))
        if accepted:
            del self._tokens[token]
        return web.Response(text="1" if accepted else "0") if unusual is None else unusual

    async def _unusual(self, request: web.Request, login: str) -> web.StreamResponse | None:
        """What was ordered with ``answer_next``, if anything was."""
        async with self._news:
            self._arrived[request.path] += 1
            self._news.notify_all()
        waiting = self._answers[request.path, login] or self._answers[request.path, None]
        match waiting.popleft() if waiting else None:
            case Canned(status=status, body=body, headers=headers, content_type=content_type):
                content = body.encode() if isinstance(body, str) else body
                return web.Response(status=status, body=content, headers=headers, content_type=content_type)
            case Disconnect():
                if request.transport:
                    request.transport.close()
                return web.Response()
            case Hold():
                await self._released.wait()
        return None


def row_of(agent: SimulatedAgent, token: str, domain: str) -> dict[str, object]:
    """The answer to a login: the agent's chan_sip row in the columns of their generation."""
    older = agent.generation == "older"
    hashed = hashlib.md5(f"{agent.name}:{agent.realm}:{agent.password}".encode(), usedforsecurity=False).hexdigest()
    row: dict[str, object] = {
        "id": 4, "name": agent.name, "host": domain, "nat": "yes", "type": "friend", "accountcode": agent.login,
        "callgroup": "", "callerid": agent.name, "canreinvite": "", "context": "entrantes" if older else "agents",
        "dtmfmode": "rfc2833", "insecure": "", "language": "es", "mailbox": "",
        "md5secret": token if older else hashed, "pickupgroup": "", "qualify": "yes",
        "secret": agent.password if older else "", "disallow": "all", "allow": "alaw;ulaw", "port": "",
        "defaultuser": agent.name, "subscribecontext": "default", "record": "agent", "email": "",
        "phonetype": "SoftPhone", "LogLevel": "SEVERE", "limite": 0.0 if older else 0, "transport": "wss",
        "encryption": "yes", "did": "", "outboundproxy": "", "fullname": agent.login,
    }  # fmt: skip
    return {**row, **({} if older else {"token": token}), **agent.row}


@asynccontextmanager
async def serve(platform: SimulatedPlatform, ssl_context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Answer on a free port of 127.0.0.1 while the context lasts; gives the URL."""
    runner = web.AppRunner(platform.app(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl_context).start()
        port = runner.addresses[0][1]
        yield f"{'https' if ssl_context else 'http'}://127.0.0.1:{port}"
    finally:
        platform.release()
        await runner.cleanup()
