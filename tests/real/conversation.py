"""One call as the server saw it, whoever called whom."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import sub
from typing import Protocol

from tests.machine import LOOK_AGAIN, PATIENCE
from tests.real.ami import Message
from tests.real.asterisk import ECHO, Asterisk

DIGITS = "1234"
# Packets: a fifth of a second of audio, and half a second.
SOME = 10
ENOUGH = 25


# The platform's words for what the files call by RFC's number.
DTMF = {"rfc2833": "rfc4733", "info": "info"}


class Phone(Protocol):
    """What every phone can do."""

    async def call(self, number: str) -> None: ...

    async def answer(self) -> None:
        """Take the call that comes; nothing where the phone does so by itself."""

    async def press(self, digits: str) -> None: ...

    async def hang_up(self) -> None: ...


@dataclass(frozen=True)
class Conversation:
    """``codec`` is Asterisk's name of it; ``received`` and ``sent`` are packets of RTP at the server."""

    display: str
    codec: str
    encrypted: bool
    digits: str
    received: int
    sent: int


async def calls_out(server: Asterisk, name: str, phone: Phone) -> Conversation:
    """The phone calls the server, is asked for digits, hears its echo, and hangs up."""
    await phone.call(ECHO)
    return await _talk(server, name, phone)


async def is_called(server: Asterisk, name: str, phone: Phone) -> Conversation:
    """The same the other way round: the server calls."""
    await server.call(name)
    await phone.answer()
    return await _talk(server, name, phone)


async def is_up(server: Asterisk, name: str) -> Message:
    """The next call of this peer, once the server hears the phone: before, keys may be lost on a phone that has not yet
    seen that it was answered.
    """
    call = await server.heard("Call", name)
    await _audio(server, call["Channel"], lambda received, _: received >= SOME)
    return call


async def _talk(server: Asterisk, name: str, phone: Phone) -> Conversation:
    call = await is_up(server, name)
    await phone.press(DIGITS)
    digits = await server.heard("Digits", name)
    received, sent = await enough_audio(server, call["Channel"])
    await phone.hang_up()
    await server.heard("End", name)
    # The server keeps the name as it stood between the quotes.
    display = re.sub(r"\\(.)", r"\1", call["CallerIDName"])
    codec = call["Codec"].strip("()").split("|")[0]
    return Conversation(display, codec, call["Encrypted"] == "1", digits["Digits"], received, sent)


async def enough_audio(server: Asterisk, channel: str, *, after: tuple[int, int] = (0, 0)) -> tuple[int, int]:
    """Wait until there was audio in both directions, ``after`` those counts; gives the packets received and sent."""
    return await _audio(server, channel, lambda *counts: min(map(sub, counts, after)) >= ENOUGH)


async def _audio(server: Asterisk, channel: str, enough: Callable[[int, int], bool]) -> tuple[int, int]:
    counts = (0, 0)
    try:
        async with asyncio.timeout(PATIENCE):
            while not enough(*(counts := await server.audio(channel))):  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(LOOK_AGAIN)
    except TimeoutError:
        raise AssertionError(f"packets received and sent: {counts}") from None
    return counts


def told(one: Conversation) -> list[str]:
    """What the record says of a phone that called like this."""
    kind = ["SRTP"] if one.encrypted else []
    return ["registers", "calls", "audio both ways", "first codec of allow", "display name", *kind]
