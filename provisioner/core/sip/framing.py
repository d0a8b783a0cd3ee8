"""What comes over TCP or UDP, as messages and keep-alives (RFC 3261 section 18.3, RFC 5626 section 4.4.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from provisioner.core.sip.grammar import NotSipError
from provisioner.core.sip.message import Message, parse_message, read_head

# Asterisk closes the WebSocket at a frame above 65,535 bytes; what the relay adds needs room as well.
MOST_BYTES = 64_000
PING, PONG = b"\r\n\r\n", b"\r\n"


@dataclass(frozen=True, slots=True)
class Ping:
    """The other end asks whether somebody is here; the answer is PONG."""


class TooLargeError(NotSipError):
    """More than MOST_BYTES. ``message`` is the message without its body, for the answer."""

    def __init__(self, message: Message) -> None:
        super().__init__(f"it is longer than {MOST_BYTES} bytes")
        self.message = message


def take_from_stream(stream: bytes) -> tuple[Message | Ping | None, bytes]:
    """The first thing in what a TCP connection brought so far, and the bytes after it; None as long as nothing is
    complete.

    Raises NotSipError and TooLargeError; after both the stream cannot be read on.
    """
    while stream.startswith(b"\r\n"):
        if stream.startswith(PING):
            return Ping(), stream[len(PING) :]
        if len(stream) < len(PING) and PING.startswith(stream):
            return None, stream
        stream = stream[len(PONG) :]
    if (end := stream.find(PING)) < 0 and len(stream) <= MOST_BYTES:
        return None, stream
    if end < 0 or end + len(PING) > MOST_BYTES:
        raise NotSipError(f"its headers are longer than {MOST_BYTES} bytes")
    head, length = read_head(stream)
    if length is None:
        raise NotSipError("Content-Length is missing")
    if end + len(PING) + length > MOST_BYTES:
        raise TooLargeError(head)
    start, stop = end + len(PING), end + len(PING) + length
    return (replace(head, body=stream[start:stop]), stream[stop:]) if stop <= len(stream) else (None, stream)


def take_message(stream: bytes) -> tuple[Message | None, bytes]:
    """As ``take_from_stream``, for whoever answers no keep-alive. Raises NotSipError."""
    one, rest = take_from_stream(stream)
    while isinstance(one, Ping):
        one, rest = take_from_stream(rest)
    return one, rest


def read_packet(packet: bytes) -> Message | Ping | None:
    """What one UDP packet holds: a message, a keep-alive that wants an answer, or None for one that wants none.

    Raises NotSipError and TooLargeError.
    """
    if packet == PING:
        return Ping()
    if not packet.strip(b"\r\n\0"):
        return None
    if len(packet) > MOST_BYTES:
        raise TooLargeError(read_head(packet)[0])
    return parse_message(packet)
