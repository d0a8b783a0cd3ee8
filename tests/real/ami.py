"""Asterisk's manager interface: what the server itself says, as it happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count

from tests.machine import PATIENCE

Message = dict[str, str]


@dataclass
class Manager:
    """A logged-in connection. ``events`` are those that nobody waited for yet, oldest first."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    events: list[Message] = field(default_factory=list)
    _answers: dict[str, asyncio.Future[Message]] = field(default_factory=dict)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _numbers: count[int] = field(default_factory=count)

    async def action(self, name: str, *variables: str, **fields: str) -> Message:
        """Do something and give the answer; raises AssertionError when it is refused."""
        number = str(next(self._numbers))
        self._answers[number] = asyncio.get_running_loop().create_future()
        lines = [f"Action: {name}", f"ActionID: {number}", *(f"{key}: {value}" for key, value in fields.items())]
        lines += [f"Variable: {variable}" for variable in variables]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = await asyncio.wait_for(self._answers[number], PATIENCE)
        assert answer["Response"] in ("Success", "Follows"), f"{name}: {answer.get('Message')}"
        return answer

    async def command(self, line: str) -> str:
        """What the command line prints."""
        return (await self.action("Command", Command=line)).get("Output", "")

    async def event(self, kind: str, true: Callable[[Message], bool] = lambda _: True, **fields: str) -> Message:
        """The next event of this kind with these fields; each is given out once."""

        def wanted(event: Message) -> bool:
            return event["Event"] == kind and fields.items() <= event.items() and true(event)

        try:
            async with asyncio.timeout(PATIENCE), self._news:
                await self._news.wait_for(lambda: any(map(wanted, self.events)))
        except TimeoutError:
            heard = "\n".join(str(event) for event in self.events[-20:])
            raise AssertionError(f"no event {kind} {fields}; the last ones:\n{heard}") from None
        found = next(event for event in self.events if wanted(event))
        self.events.remove(found)
        return found

    async def listen(self) -> None:
        """Take in messages until the connection ends."""
        await self.reader.readline()
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await self._take(_parse(await self.reader.readuntil(b"\r\n\r\n")))

    async def _take(self, message: Message) -> None:
        if "Event" not in message:
            self._answers[message["ActionID"]].set_result(message)
            return
        async with self._news:
            self.events.append(message)
            self._news.notify_all()


def _parse(block: bytes) -> Message:
    """Lines of ``Key: value``; a key that comes again (``Output``) has all of its lines."""
    message: Message = {}
    for line in block.decode(errors="replace").strip("\r\n").split("\r\n"):
        key, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        message[key] = f"{message[key]}\n{value}" if key in message else value
    return message


@asynccontextmanager
async def manager(port: int, secret: str, host: str = "127.0.0.1") -> AsyncIterator[Manager]:
    """Log in as ``tests``."""
    reader, writer = await asyncio.open_connection(host, port)
    one = Manager(reader, writer)
    listening = asyncio.create_task(one.listen())
    try:
        await one.action("Login", Username="tests", Secret=secret)
        yield one
    finally:
        listening.cancel()
        writer.close()
