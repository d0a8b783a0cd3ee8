"""The body of a login → logged in, refused, trouble, or not there.

The platform answers 200 to nearly everything, so the body decides. The three failures are three different things: a
refusal is final (repeating it locks accounts), trouble passes, and what is not there is a wrong address.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from provisioner.core.peer import Peer, peer_from_row, token_of
from provisioner.core.problem import ProvisionerError
from provisioner.core.secret import Secret

LONGEST_RETRY_AFTER = 24 * 3600.0  # seconds
_ERROR = "the platform says that it has an error"


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The agent is available for calls now. ``row`` is the answer as JSON text, to be kept."""

    peer: Peer
    token: Secret
    row: Secret = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """The platform does not accept these credentials (at this hour)."""

    cause: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """The platform could not say. ``retry_after`` is what it asked for, in seconds."""

    cause: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class NotThere:
    """There is no login resource at this address."""

    cause: str


@dataclass(frozen=True, slots=True)
class LoggedOff:
    """The session is ended."""


LoginOutcome = LoggedIn | Refused | Trouble | NotThere


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response: ``body`` as bytes, ``retry_after`` the header's text, ``at`` Unix seconds of its arrival."""

    status: int
    body: bytes = field(repr=False)
    content_type: str = ""
    retry_after: str | None = None
    at: float = 0.0


def read_reply(reply: Reply) -> LoginOutcome:
    """What a login's response means. Never raises, and no cause holds a part of the body."""
    text = _text(reply.body)
    wait = retry_seconds(reply.retry_after, reply.at)
    if reply.status in (404, 405, 410):
        return NotThere(f"the platform has no agent login at this address (HTTP {reply.status})")
    if 300 <= reply.status < 400:
        cause = f"the platform redirects elsewhere (HTTP {reply.status}), which is not followed: correct the URL"
        return Trouble(cause, wait)
    if reply.status >= 500 or reply.status == 429:
        return Trouble(f"the platform has trouble (HTTP {reply.status})", wait)
    # Refused for these credentials, and not to be repeated with the same (RFC 9110, sections 15.5.2 and 15.5.4). With a
    # web page too: Tomcat refuses with one.
    if reply.status in (401, 403):
        return Refused(f"the platform refuses the user name or password, or this machine (HTTP {reply.status})")
    if _is_html(text, reply.content_type):
        return NotThere("a web page answers instead of the platform's login: is this the right URL?")
    outcome = _from_value(text, _unwrapped(text), wait)
    if reply.status >= 400 and not isinstance(outcome, Refused):
        return Trouble(f"unexpected HTTP {reply.status}", wait)
    return outcome


def read_log_off(reply: Reply) -> LoggedOff | Refused | Trouble | NotThere:
    """What a log-off's response means. What success looks like is not documented: any 2xx that is none of the known
    failures is taken for it."""
    outcome = read_reply(reply)
    if isinstance(outcome, Refused):
        return Refused(f"the platform does not know this session any more (HTTP {reply.status})")
    known_failure = isinstance(outcome, NotThere) or (isinstance(outcome, Trouble) and outcome.cause == _ERROR)
    if 200 <= reply.status < 300 and not known_failure:
        return LoggedOff()
    return outcome if isinstance(outcome, Trouble | NotThere) else Trouble(f"unexpected HTTP {reply.status}")


def retry_seconds(header: str | None, now: float) -> float | None:
    """Retry-After (RFC 9110 section 10.2.3) in seconds from ``now``, at most a day; None when there is none."""
    if not header:
        return None
    if re.fullmatch("[0-9]+", header.strip()):
        return min(float(header.strip()), LONGEST_RETRY_AFTER)
    try:
        date = parsedate_to_datetime(header)
        at = date if date.tzinfo else date.replace(tzinfo=UTC)
        return min(max(0.0, at.timestamp() - now), LONGEST_RETRY_AFTER)
    except (ValueError, TypeError, OverflowError):
        return None


def _from_value(text: str, value: Any, wait: float | None) -> LoginOutcome:
    match value:
        case list():
            row = next((item for item in value if isinstance(item, dict)), None)
            return _from_row(row) if row is not None else Trouble("the platform's answer is no login", wait)
        case dict():
            return _from_row(value)
        case int() | float() if value == 0 and not isinstance(value, bool):
            return Refused("the platform refuses the user name or password")
        case str() if value.strip('"').lower() == "error":
            return Trouble(_ERROR, wait)
    return Trouble("the platform's answer is empty" if not text else "the platform's answer is no login", wait)


def _from_row(row: Mapping[str, object]) -> LoginOutcome:
    try:
        peer = peer_from_row(row)
        kept = json.dumps(row, separators=(",", ":"))
    except ProvisionerError:
        return Trouble("the platform's answer names no SIP user")
    except (ValueError, RecursionError):
        return Trouble("the platform's answer is no login")
    return LoggedIn(peer, token_of(row), Secret(kept))


def _text(body: bytes) -> str:
    """The body as text, without BOM and blanks. Bytes that are not UTF-8 are taken as Latin-1, as old servers send."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = body.decode("latin-1")
    return text.strip().strip("\ufeff\x00").strip()


def _unwrapped(text: str) -> Any:
    """The JSON value of ``text``, also where it is JSON within a JSON string; the text itself where it is none."""
    value: Any = text
    for _ in range(3):
        if not isinstance(value, str):
            break
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            break
    return value.strip() if isinstance(value, str) else value


def _is_html(text: str, content_type: str) -> bool:
    return bool(re.match(r"<(!doctype|html|head|body|\?xml|!--)", text, re.IGNORECASE)) or (
        content_type.partition(";")[0].strip().lower() == "text/html" and text.startswith("<")
    )
