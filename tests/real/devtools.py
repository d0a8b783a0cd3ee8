"""Chromium's DevTools protocol, as much of it as a test needs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

import aiohttp

from tests.machine import PATIENCE


@dataclass
class Tab:
    """A page that is open. ``console`` is what it said."""

    socket: aiohttp.ClientWebSocketResponse
    console: list[str] = field(default_factory=list)
    _numbers: count[int] = field(default_factory=count)
    _answers: dict[int, asyncio.Future[dict[str, object]]] = field(default_factory=dict)

    async def ask(self, method: str, **parameters: object) -> dict[str, object]:
        """One command, to its answer."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self.socket.send_json({"id": number, "method": method, "params": parameters})
        return await asyncio.wait_for(self._answers[number], PATIENCE)

    async def run(self, script: str) -> None:
        """Run JavaScript in the page and wait for its promise; raises AssertionError with what it throws."""
        answer = await self.ask("Runtime.evaluate", expression=script, awaitPromise=True)
        assert "exceptionDetails" not in answer, (answer["exceptionDetails"], self.console[-20:])

    async def listen(self) -> None:
        """Take in messages until the page is gone."""
        async for message in self.socket:
            said = json.loads(message.data)
            if "id" in said:
                self._answers[said["id"]].set_result(said.get("result", {"exceptionDetails": said.get("error")}))
            else:
                self.console.append(str(said["params"])[:2000])


@asynccontextmanager
async def tab(port: int, url: str) -> AsyncIterator[Tab]:
    """Open ``url`` in the browser whose DevTools are at ``port``."""
    async with aiohttp.ClientSession() as session:
        async with session.put(f"http://127.0.0.1:{port}/json/new?about:blank") as answer:
            address = (await answer.json())["webSocketDebuggerUrl"]
        async with session.ws_connect(address, max_msg_size=0) as socket:
            one = Tab(socket)
            listening = asyncio.create_task(one.listen())
            try:
                await one.ask("Runtime.enable")
                await one.ask("Page.enable")
                await one.ask("Page.navigate", url=url)
                yield one
            finally:
                listening.cancel()
