"""The chan_sip peer as the platform keeps it: how the *server* treats the phone."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.secret import Secret

NOTHING = Secret("")
_SECRETS = ("md5secret", "secret", "token")
_TEXTS = (
    "host", "type", "accountcode", "callerid", "dtmfmode", "disallow", "allow", "transport", "encryption",
    "defaultuser", "fullname", "language", "context", "mailbox", "outboundproxy", "port", "nat", "qualify",
)  # fmt: skip
_LISTS = ("disallow", "allow", "transport")
_OURS = frozenset((*_TEXTS, *_SECRETS, "name"))
_HA1 = re.compile("[0-9a-fA-F]{32}")
_IN_HEADER = re.compile("[!-~]+")
_TOKEN = re.compile(r".+:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Peer:
    """The row, every value as text without blanks around it, ``""`` where it says nothing. ``md5secret`` is empty or a
    lower-case HA1; ``extra`` are the keys that are not chan_sip's or not ours, the token aside."""

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
    """The peer in the platform's answer, lenient about types: numbers and booleans become text, and a JSON list of
    codecs or transports the comma list that chan_sip has.

    ``^3B``, as databases write a semicolon, is left as it came: whether the platform decodes it is not known, and in a
    password a wrong guess would be worse than none.

    Raises ProvisionerError when it names nobody: no ``name``, no ``defaultuser``, no number in ``callerid``.
    """
    texts = {str(key): as_text(value) for key, value in row.items()}
    texts |= {key: ",".join(map(as_text, value)) for key in _LISTS if isinstance(value := row.get(key), list)}
    name = texts.get("name", "").strip() or texts.get("defaultuser", "").strip() or _number(texts.get("callerid", ""))
    if not name:
        fix = "ask the platform's administrator to look at the agent's phone"
        raise ProvisionerError(Problem(Place("the platform's answer"), "it names no SIP user", fix))
    hashed, secret = texts.get("md5secret", "").strip(), texts.get("secret", "")
    known = {key: texts[key].strip() for key in _TEXTS if key in texts}
    extra = {key: value for key, value in texts.items() if key not in _OURS}
    return Peer(
        name=name,
        md5secret=Secret(hashed.lower() if _HA1.fullmatch(hashed) else ""),
        # MySQL's driver makes a single blank of an empty column; blanks in a password are its own.
        secret=Secret(secret if secret.strip() else ""),
        **known,
        extra=extra,
    )


def peer_of(row: Secret) -> Peer:
    """The peer in a login's answer that was kept as JSON text (``LoggedIn.row``, ``HeldSession.row``).

    Raises ProvisionerError as ``peer_from_row`` does.
    """
    return peer_from_row(json.loads(row.reveal()))


def token_of(row: Mapping[str, object]) -> Secret:
    """The API token: ``token``, or, from platforms before that field, ``md5secret`` where it holds the token instead.

    A token decodes to ``user:uuid``; it is kept as it came, padding included. One that a header cannot carry is none.
    """
    token = as_text(row.get("token")).strip()
    if token:
        return Secret(token if _IN_HEADER.fullmatch(token) else "")
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


def caller(callerid: str) -> tuple[str, str]:
    """Name and number in ``"Name" <num>``, ``Name <num>``, a bare number or a bare name; ``""`` for what is not there.

    Quotes and the closing bracket are optional (main/callerid.c, ast_callerid_parse).
    """
    text = callerid.strip()
    head, bracket, tail = text.rpartition("<")
    if bracket:
        return head.strip().strip('"').strip(), tail.strip().removesuffix(">").strip()
    text = text.strip('"').strip()
    return ("", text) if re.fullmatch("[0-9*#+]*", text) else (text, "")


def _is_token(text: str) -> bool:
    bare = text.rstrip("=")
    try:
        decoded = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode()
    except ValueError:
        return False
    return _TOKEN.fullmatch(decoded) is not None


def _number(callerid: str) -> str:
    number = caller(callerid)[1]
    return number if re.fullmatch("[0-9]+", number) else ""
