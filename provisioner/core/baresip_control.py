"""What baresip says and is told over its control port (its module ctrl_tcp): JSON in netstrings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 65536
_USER_AGENT = re.compile(r"sips?:[^\s;]+")
_CALLS = re.compile(r"Active calls \(([0-9]+)\)")
_PORT = re.compile(r"^ctrl_tcp_listen\s+127\.0\.0\.1:([0-9]{1,5})\s*$", re.MULTILINE)


class ControlError(Exception):
    """What came is no answer of baresip, or says no. The text holds nothing of an account."""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer."""

    ok: bool
    text: str


def control_port(config: str) -> int | None:
    """The port at 127.0.0.1 that ``config`` opens; None when it opens none."""
    found = _PORT.search(config)
    return int(found[1]) if found and 0 < int(found[1]) < 65536 else None


def accounts(text: str) -> tuple[str, ...]:
    """The lines of an ``accounts`` file that are accounts."""
    return tuple(line for line in text.splitlines() if line.strip() and not line.startswith("#"))


def question(command: str, parameters: str = "") -> bytes:
    """A command as it travels."""
    body = json.dumps({"command": command, "params": parameters, "token": command}).encode()
    return b"%d:%b," % (len(body), body)


def answers(received: bytearray) -> Iterator[Said]:
    """Take the whole answers from the start of ``received``; events between them are passed over.

    Raises ControlError.
    """
    while True:
        head, colon, _ = received.partition(b":")
        if len(head) > 6 or not (head + b"0").isdigit() or int(head + b"0") > 10 * LONGEST:
            raise ControlError("something else than baresip listens at its control port")
        end = len(head) + 1 + int(head or b"0")
        if not colon or len(received) <= end:
            return
        body = bytes(received[len(head) + 1 : end])
        del received[: end + 1]
        yield from _said(body)


def user_agents(text: str) -> tuple[str, ...]:
    """The addresses of record in what ``reginfo`` says."""
    return tuple(dict.fromkeys(_USER_AGENT.findall(text)))


def calls(text: str) -> int:
    """How many calls are up, from what ``listcalls`` says. Raises ControlError."""
    found = _CALLS.search(text)
    if found is None:
        raise ControlError("baresip does not say whether there are calls")
    return int(found[1])


def _said(body: bytes) -> Iterator[Said]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise ControlError("something else than baresip listens at its control port") from None
    if isinstance(value, dict) and value.get("response") is True:
        yield Said(value.get("ok") is True, str(value.get("data", "")))
