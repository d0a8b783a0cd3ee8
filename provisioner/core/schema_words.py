"""The words that the schema of the settings is written in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

DURATION = r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$"
# A host name (RFC 1123), an IPv4 address, or an IPv6 address in brackets.
HOST = r"^([A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*|\[[0-9A-Fa-f:.]+\])$"
TRANSPORTS = ["udp", "tcp", "tls", "ws", "wss"]

HOST_NAME: Schema = {"type": "string", "pattern": HOST, "maxLength": 255}


def text(description: str, **more: object) -> Schema:
    # Numbers are taken as text, so that `login: 1997` needs no quotes and editors do not complain.
    return {"type": ["string", "number"], "minLength": 1, "description": description, **_named(more)}


def choice(description: str, values: list[str], **more: object) -> Schema:
    return {"type": "string", "enum": values, "description": description, **_named(more)}


def switch(description: str, default: bool) -> Schema:
    return {"type": "boolean", "description": description, "default": default}


def duration(description: str, default: str) -> Schema:
    return {"type": "string", "pattern": DURATION, "description": description, "default": default}


def number(description: str, low: int, high: int, **more: object) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high, "description": description, **_named(more)}


def list_of(description: str, items: Schema, **more: object) -> Schema:
    return {"type": "array", "items": items, "description": description, **_named(more)}


def mapping(description: str, properties: Schema, **more: object) -> Schema:
    return {
        "type": "object",
        "description": description,
        "additionalProperties": False,
        "properties": properties,
        **_named(more),
    }


def _named(more: Mapping[str, object]) -> Schema:
    return {{"effect": "x-effect", "sample": "x-sample"}.get(key, key): value for key, value in more.items()}
