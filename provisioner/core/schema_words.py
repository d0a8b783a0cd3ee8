"""The words that the schema of the settings is written in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

# No clock or timer of the system takes more than some centuries.
DURATION = r"^([0-9]{1,6}(\.[0-9]{1,3})?(ms|s|m|h)|[0-9]{1,4}(\.[0-9]{1,3})?d)$"
_HEX = "[0-9A-Fa-f]{1,4}"
_IPV6 = "|".join(
    [rf"({_HEX}:){{7}}{_HEX}", rf"({_HEX}:){{1,7}}:", rf":(:{_HEX}){{1,7}}", "::"]
    + [rf"({_HEX}:){{1,{count}}}(:{_HEX}){{1,{7 - count}}}" for count in range(1, 7)]
)
_NAME = r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?"
_HOST = rf"({_NAME}(\.{_NAME})*|\[({_IPV6})\])"
_PORT = "(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
# A host name (RFC 1123), an IPv4 address, or an IPv6 address in brackets.
HOST = f"^{_HOST}$"
HOST_PORT = f"^{_HOST}{_PORT}$"
# Plain http is for this machine itself: passwords travel this way.
URL = rf"^(https://{_HOST}|http://(localhost|127(\.[0-9]{{1,3}}){{3}}|\[::1\])){_PORT}/?$"
WEBSOCKET_URL = rf"^wss?://{_HOST}{_PORT}(/[!-~]*)?$"
WORKSTATION = r"^[^\s,;]+$"
ONE_LINE = r"^[^\u0000-\u001f\u007f\u0085\u2028\u2029]*$"
ABSOLUTE = r"^/[^\u0000-\u001f\u007f]*$"
# A second way to write the same folder would hide that two agents have the same files.
HOME = r"^(?!.*/\.\.(/|$))/[^\u0000-\u001f\u007f]*$"
FOLDER = r"^(?!.*/\.\.(/|$))(~/|/)([^\u0000-\u001f\u007f{}]|\{login\}|\{user\})+$"
# Below a folder that is not named: nothing leads up or stays, and `~` would be a folder of that name.
BELOW = r"^(?!/|~(/|$))(?!.*(^|/)\.\.?(/|$))[^\u0000-\u001f\u007f]+$"
# The words in braces that are replaced in a command. No other may stand there alone: it would be a misspelt one.
# `${HOME}` is a shell's own, `{ word }` and `{{word}}` somebody else's.
FILLED = ("folder", "home", "user", "login")
BRACES = r"(?<![\${])\{([A-Za-z_]+)\}"
FILLED_IN = rf"^(?!([\s\S]*[^\${{])?\{{(?!({'|'.join(FILLED)})\}})[A-Za-z_]+\}})"
ARGUMENT = FILLED_IN + ONE_LINE.removeprefix("^")
WEBSOCKET_PATH = r"^/[!-~]*$"
NO_BLANK = r"^\S+$"
VARIABLE = "^[A-Za-z_][A-Za-z0-9_]*$"
CREDENTIAL = r"^[A-Za-z0-9._@-]+$"
LANGUAGE = r"^[A-Za-z]{2,3}([-_][A-Za-z]{2,4})?$"

HOST_NAME: Schema = {"type": "string", "pattern": HOST, "maxLength": 255}


def text(description: str, **more: object) -> Schema:
    """One line of text. Numbers are taken as text where there may be one, so that ``login: 1997`` needs no quotes and
    no editor complains."""
    may_be_number = re.search(str(more.get("pattern", ONE_LINE)), "1997")
    return {
        "type": ["string", "number"] if may_be_number else "string",
        "minLength": 1,
        "pattern": ONE_LINE,
        "description": description,
        **_named(more),
    }


def choice(description: str, values: list[str], **more: object) -> Schema:
    """One word of a closed set."""
    return {"type": "string", "enum": values, "description": description, **_named(more)}


def switch(description: str, default: bool) -> Schema:
    """``true`` or ``false``."""
    return {"type": "boolean", "description": description, "default": default}


def duration(description: str, default: str, **more: object) -> Schema:
    """A length of time with its unit, such as ``200ms``. ``least`` is the shortest that makes sense."""
    return {"type": "string", "pattern": DURATION, "description": description, "default": default, **_named(more)}


def number(description: str, low: int, high: int, **more: object) -> Schema:
    """A whole number from ``low`` to ``high``, both included."""
    return {"type": "integer", "minimum": low, "maximum": high, "description": description, **_named(more)}


def list_of(description: str, items: Schema, **more: object) -> Schema:
    """A list whose items fit ``items``."""
    return {"type": "array", "items": items, "description": description, **_named(more)}


def mapping(description: str, properties: Schema, **more: object) -> Schema:
    """Keys and values; other keys than those of ``properties`` are mistakes."""
    return {
        "type": "object",
        "description": description,
        "additionalProperties": False,
        "properties": properties,
        **_named(more),
    }


def section(description: str, properties: Schema, **more: object) -> Schema:
    """A mapping that may be empty, as it is when every line of it is commented out."""
    return mapping(description, properties, **more) | {"type": ["object", "null"]}


def _named(more: Mapping[str, object]) -> Schema:
    own = {"effect": "x-effect", "sample": "x-sample", "least": "x-least"}
    return {own.get(key, key): value for key, value in more.items()}
