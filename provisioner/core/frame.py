"""How daemon and courier cut their talk into messages: four bytes of length (big endian), then that much JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

HEAD = 4  # bytes
# Bytes of a message. A phone's files are a few kilobytes. What comes back is only told about, so it may be less; who
# one is, less still.
LONGEST_TO_COURIER = 16 * 1024 * 1024
LONGEST_TO_DAEMON = 256 * 1024
LONGEST_HELLO = 1024


class FrameError(Exception):
    """What came is no message of this protocol. The text says why and holds nothing of it."""


def frame(message: Mapping[str, Any], longest: int) -> bytes:
    """``message`` as it travels. Raises FrameError when it is longer than ``longest`` bytes."""
    body = json.dumps(message, allow_nan=False).encode("ascii")
    if len(body) > longest:
        raise FrameError("a message is longer than it may be")
    return len(body).to_bytes(HEAD, "big") + body


def length_of(head: bytes, longest: int) -> int:
    """Bytes that follow ``head``. Raises FrameError when those are none, or more than ``longest``."""
    length = int.from_bytes(head, "big")
    if len(head) != HEAD or not 0 < length <= longest:
        raise FrameError("a message is longer than it may be" if length else "a message is empty")
    return length


def message_of(body: bytes) -> dict[str, Any]:
    """The message in ``body``. Raises FrameError."""
    try:
        message = json.loads(body.decode("ascii"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise FrameError("a message is not JSON") from None
    if not isinstance(message, dict):
        raise FrameError("a message is no JSON object")
    return message


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
