"""The chan_sip peer as the platform keeps it: how the *server* treats the phone."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.secret import Secret

NOTHING = Secret("")
_SECRETS = ("md5secret", "secret")
_TEXTS = (
    "host", "type", "accountcode", "callerid", "dtmfmode", "disallow", "allow", "transport", "encryption",
    "defaultuser", "fullname", "language", "context", "mailbox", "outboundproxy", "port", "nat", "qualify",
)  # fmt: skip
_HA1 = re.compile("[0-9a-fA-F]{32}")
_TOKEN = re.compile(r".+:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Peer:
    """The row, every value as text, ``""`` where it says nothing. ``md5secret`` is empty or a lower-case HA1;
    ``extra`` are the keys that are not chan_sip's or not ours."""

    name: str
    md5secret: Secret = NOTHING
    secret: Secret = NOTHING
    host: str = ""
    type: str = ""
    accountcode: str = ""
    callerid: str = ""
    dtmfmode: str = ""
    disallow: str = ""
    allow: str = ""
    transport: str = ""
    encryption: str = ""
    defaultuser: str = ""
    fullname: str = ""
    language: str = ""
    context: str = ""
    mailbox: str = ""
    outboundproxy: str = ""
    port: str = ""
    nat: str = ""
    qualify: str = ""
    extra: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)


def peer_from_row(row: Mapping[str, object]) -> Peer:
    """The peer in the platform's answer, lenient about types: numbers and booleans become text.

    Raises ProvisionerError when it names nobody: no ``name``, no ``defaultuser``, no number in ``callerid``.
    """
    texts = {str(key): as_text(value) for key, value in row.items()}
    name = texts.get("name", "").strip() or texts.get("defaultuser", "").strip() or _number(texts.get("callerid", ""))
    if not name:
        fix = "ask the platform's administrator to look at the agent's phone"
        raise ProvisionerError(Problem(Place("the platform's answer"), "it names no SIP user", fix))
    hashed = texts.get("md5secret", "").strip()
    known = {key: texts[key] for key in _TEXTS if key in texts}
    extra = {key: value for key, value in texts.items() if key not in (*_TEXTS, *_SECRETS, "name")}
    return Peer(
        name=name,
        md5secret=Secret(hashed.lower() if _HA1.fullmatch(hashed) else ""),
        secret=Secret(texts.get("secret", "")),
        **known,
        extra=extra,
    )


def token_of(row: Mapping[str, object]) -> Secret:
    """The API token: ``token``, or, from platforms before that field, ``md5secret`` where it holds the token instead.

    A token decodes to ``user:uuid``; it is kept as it came, padding included.
    """
    token = as_text(row.get("token")).strip()
    if token:
        return Secret(token)
    hashed = as_text(row.get("md5secret")).strip()
    return Secret(hashed if not _HA1.fullmatch(hashed) and _is_token(hashed) else "")


def as_text(value: object) -> str:
    """A JSON value as the text of a database column: ``1997``, ``1997.0`` and ``"1997"`` are the same."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float() if value.is_integer():
            return str(int(value))
        case str():
            return value
        case int() | float():
            return str(value)
    return ""


def _is_token(text: str) -> bool:
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return False
    return _TOKEN.fullmatch(decoded) is not None


def _number(callerid: str) -> str:
    found = re.search(r"<\s*([0-9]+)\s*>?\s*$", callerid) or re.fullmatch(r"\s*([0-9]+)\s*", callerid)
    return found[1] if found else ""
