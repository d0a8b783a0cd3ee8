"""Bytes → SIP message → bytes (RFC 3261 sections 7 and 18.3). The body is opaque.

Written here, because what is forwarded must go out as it came: the best library that is kept (``sipmessage`` 0.7, in no
Debian release) prints every header anew and refuses the first message of RFC 4475; the others are whole SIP stacks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from provisioner.core.sip.grammar import TOKEN, URI, NotSipError, is_token, is_uri
from provisioner.core.sip.headers import Header, Headers

# Asterisk closes a WebSocket at a larger frame (res_http_websocket.c, MAXIMUM_FRAME_SIZE); UDP cannot carry it.
LARGEST = 65_535
MOST_FIELDS = 256

_REQUEST = re.compile(rf"({TOKEN}) ({URI}) SIP/2\.0", re.IGNORECASE)
_RESPONSE = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: (.*))?", re.IGNORECASE)
_FIELD = re.compile(rf"({TOKEN})[ \t]*:(.*)", re.DOTALL)
_FOLD = re.compile(r"\r\n[ \t]+")
_LINE_END = re.compile(r"\r\n(?![ \t])")
_BLANK_LINES = re.compile(rb"(?:\r\n)*")


@dataclass(frozen=True, slots=True)
class Request:
    """A request; ``uri`` is the Request-URI as written."""

    method: str
    uri: str
    headers: Headers
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """A response; ``status`` is 100 to 699."""

    status: int
    reason: str
    headers: Headers
    body: bytes = b""

    @property
    def is_final(self) -> bool:
        """Whether nothing more follows to the same request."""
        return self.status >= 200


Message = Request | Response


def parse_message(packet: bytes) -> Message:
    """The message in one datagram or WebSocket frame. What follows the announced body is dropped (section 18.3).

    Raises NotSipError, also where more is announced than there is.
    """
    head, rest = _cut(packet)
    if head is None:
        raise NotSipError("it has no end of headers" if rest else "it is empty")
    start, headers, length = _read_head(head)
    if length is not None and length > len(rest):
        raise NotSipError(f"{length} bytes of body are announced, {len(rest)} have come")
    return _message(start, headers, rest if length is None else rest[:length])


def read_head(received: bytes) -> tuple[Message, int | None]:
    """The message without its body, and how long that is said to be. Raises NotSipError, also for half a head."""
    head, _ = _cut(received)
    if head is None:
        raise NotSipError("it has no end of headers")
    start, headers, length = _read_head(head)
    return _message(start, headers, b""), length


def print_message(message: Message) -> bytes:
    """The message as it goes on the wire, its Content-Length last.

    Raises NotSipError for a message that would be read as another one: a line break in a value, a name that is no
    token.
    """
    match message:
        case Request(method, uri):
            if not is_token(method) or not is_uri(uri):
                raise NotSipError("its method or its URI cannot be written")
            start = f"{method} {uri} SIP/2.0"
        case Response(status, reason):
            start = f"SIP/2.0 {status} {reason}"
    fields = message.headers.fields
    if any(field.key == "content-length" or not (field.raw or is_token(field.name)) for field in fields):
        raise NotSipError("a header's name cannot be written")
    head = "\r\n".join([start, *[field.text for field in fields], f"Content-Length: {len(message.body)}", "", ""])
    # Where all breaks are those between the lines, no line needs a look of its own.
    if not _has_plain_breaks(head, len(fields) + 3) and (
        _has_break(start) or any(_is_broken(field.raw) if field.raw else _has_break(field.text) for field in fields)
    ):
        raise NotSipError("a line break stands in a header")
    try:
        return head.encode("utf-8", "surrogateescape") + message.body
    except UnicodeEncodeError:
        raise NotSipError("a header holds what UTF-8 cannot") from None


def _cut(received: bytes) -> tuple[str | None, bytes]:
    received = received[_blank_lines(received) :]
    head, end, rest = received.partition(b"\r\n\r\n")
    # Bytes that are not UTF-8 come through unharmed.
    return (head.decode("utf-8", "surrogateescape"), rest) if end else (None, received)


def _blank_lines(received: bytes) -> int:
    found = _BLANK_LINES.match(received)
    return found.end() if found else 0


def _read_head(head: str) -> tuple[str, Headers, int | None]:
    first, *lines = _LINE_END.split(head)
    start = _FOLD.sub(" ", first)
    if not _has_plain_breaks(head, len(lines)) and any(_is_broken(line) for line in (start, *lines)):
        raise NotSipError("a line ends with half a line break")
    if len(lines) > MOST_FIELDS:
        raise NotSipError(f"it has more than {MOST_FIELDS} headers")
    fields = [_field(line) for line in lines]
    lengths = {field.value for field in fields if field.key == "content-length"}
    kept = Headers(tuple([field for field in fields if field.key != "content-length"]))
    return start, kept, _length(lengths)


def _has_plain_breaks(text: str, lines: int) -> bool:
    """Whether nothing breaks ``text`` but so many line ends."""
    return text.count("\r\n") == text.count("\r") == text.count("\n") == lines


def _is_broken(line: str) -> bool:
    """Whether a line break stands in it that is no fold."""
    return _has_break(line) and _has_break(_FOLD.sub(" ", line))


def _has_break(text: str) -> bool:
    return "\n" in text or "\r" in text


def _field(line: str) -> Header:
    found = _FIELD.fullmatch(_FOLD.sub(" ", line) if "\r" in line else line)
    if found is None:
        raise NotSipError("a header line has no name or no colon")
    return Header(found[1], found[2].strip(" \t"), line)


def _length(values: Iterable[str]) -> int | None:
    match list(values):
        case []:
            return None
        case [text] if re.fullmatch("[0-9]{1,9}", text):
            return int(text)
    raise NotSipError("Content-Length is no number, or is several")


def _message(start: str, headers: Headers, body: bytes) -> Message:
    if found := _RESPONSE.fullmatch(start):
        return Response(int(found[1]), (found[2] or "").strip(" \t"), headers, body)
    if found := _REQUEST.fullmatch(start):
        return Request(found[1], found[2], headers, body)
    raise NotSipError("its first line is neither a request nor a response of SIP/2.0")
