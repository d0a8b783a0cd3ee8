"""Why a text does not match a pattern of the schema, said to somebody who does not read patterns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from provisioner.core.schema_words import (
    ABSOLUTE,
    ARGUMENT,
    BELOW,
    BRACES,
    CREDENTIAL,
    DURATION,
    FILLED,
    FILLED_IN,
    FOLDER,
    HOME,
    HOST,
    HOST_PORT,
    LANGUAGE,
    NO_BLANK,
    ONE_LINE,
    URL,
    VARIABLE,
    WEBSOCKET_PATH,
    WEBSOCKET_URL,
    WORKSTATION,
)
from provisioner.core.spelling import did_you_mean

_UNITS = "write a number and its unit without a blank: 200ms, 10s, 5m, 1h"
_PLAIN = {
    HOST: ("is not a host name or address", "write the name alone, without scheme, port or path"),
    ABSOLUTE: ("is not an absolute path", "begin it with `/`"),
    HOME: ("is not an absolute path without `..`", "begin it with `/`, and name the folder itself"),
    BELOW: ("is not a relative path", "begin it with neither `/` nor `~/`, and write it without `.` and `..`"),
    ONE_LINE: ("is not one line of text", "write it in one line, without control characters"),
    WEBSOCKET_URL: ("is not the address of a WebSocket", "write wss://NAME:PORT/PATH, no user, no blanks"),
    WEBSOCKET_PATH: ("is not the path of a WebSocket", "begin it with `/`, no blanks"),
    WORKSTATION: ("names more than one", "write each as an item of its own: [ws-1, ws-2]"),
    NO_BLANK: ("has a blank in it", "remove the blank"),
    VARIABLE: ("is not the name of an environment variable", "write letters, digits and `_` only"),
    CREDENTIAL: ("is not the name of a credential", "write letters, digits and `._@-` only"),
    LANGUAGE: ("is not a language", "write a code such as es or pt-BR"),
}  # fmt: skip


def misfit(pattern: str, text: str) -> tuple[str, str]:
    """What is wrong with ``text``, which does not match ``pattern``, and what to do. ``text`` is not repeated: it may
    hold a password."""
    if pattern in (HOST, HOST_PORT, URL, WEBSOCKET_URL) and not text.isascii():
        return "has a character that addresses do not have", "write accents and the like as DNS has them: xn--…"
    if looked_at := _LOOKED_AT.get(pattern):
        return looked_at(text)
    return _PLAIN.get(pattern, ("has characters that cannot stand here", "see `provisioner schema`"))


def _length(text: str) -> tuple[str, str]:
    if re.fullmatch(r"[0-9]+", text):
        return "has no unit", f"write {text[:6]}s for seconds, or {text[:6]}ms, m, h, d"
    if re.fullmatch(r"[0-9]+(\.[0-9]{1,3})?(ms|s|m|h|d)", text):
        return "is too long", "write 9999d or less, or another unit"
    return "is not a length of time", _UNITS


def _address(text: str) -> tuple[str, str]:
    scheme, separator, rest = text.partition("://")
    if not separator:
        return "has no scheme", "begin it with https://"
    if scheme not in ("https", "http"):
        return "is not an address of the web", "begin it with https://"
    if "@" in rest:
        return "names a user or a password", "write https://NAME alone"
    if re.search(r"[/?#]", rest.rstrip("/")):
        return "has a path", "write https://NAME alone; the rest is known"
    if scheme == "http":
        return "would send passwords in clear text", "write https://; http is for this machine only (127.0.0.1)"
    return "is not the address of an instance", "write https://NAME or https://NAME:PORT, with a port from 1 to 65535"


def _host_port(text: str) -> tuple[str, str]:
    port = text.rpartition(":")[2]
    if re.fullmatch("[0-9]+", port) and not 0 < int(port[:9]) < 65536:
        return "has a port that does not exist", "write a port from 1 to 65535"
    if "://" in text or text.startswith(("stun:", "turn:", "turns:", "sip:")):
        return "has a scheme", "write `host` or `host:port` alone"
    return "is not `host` or `host:port`", "write the name, with its port if need be, without scheme or path"


def _folder(text: str) -> tuple[str, str]:
    if not text.startswith(("~/", "/")):
        return "is not an absolute path", "begin it with `/` or `~/`"
    if "{" in text or "}" in text:
        return "has braces around something unknown", "only {login} and {user} are replaced"
    return "leads nowhere", "name a folder, without `..`"


def _argument(text: str) -> tuple[str, str]:
    unknown = [word for word in re.findall(BRACES, text) if word not in FILLED]
    if not unknown:
        return _PLAIN[ONE_LINE]
    known = [f"{{{word}}}" for word in FILLED]
    meant = did_you_mean(f"{{{unknown[0]}}}", known) or f"{', '.join(known)} are"
    return f"has `{{{unknown[0]}}}`, which is not replaced", f"{meant}; braces of its own need a blank: `{{ word }}`"


_LOOKED_AT: Mapping[str, Callable[[str], tuple[str, str]]] = {
    DURATION: _length,
    URL: _address,
    HOST_PORT: _host_port,
    FOLDER: _folder,
    ARGUMENT: _argument,
    FILLED_IN: _argument,
}
