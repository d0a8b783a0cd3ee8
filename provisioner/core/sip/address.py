"""Names and URIs as they stand in From, To, Contact, Route and Via (RFC 3261 sections 19.1, 20.10, 25.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import unquote

from provisioner.core.sip.grammar import TOKEN, NotSipError, is_token, parameters, quote

# A display name in quotes may hold brackets of its own.
_BRACKETED = re.compile(r'((?:"(?:[^"\\]|\\.)*"|[^<"])*)<([^>]*)>(.*)', re.DOTALL)
_SENT = re.compile(
    r"SIP\s*/\s*2\.0\s*/\s*([^\s;]+)\s+([^\s;]+(?:\s*:\s*[0-9]+)?)\s*(?:;.*)?", re.IGNORECASE | re.DOTALL
)
_TOKENS = re.compile(f"{TOKEN}( {TOKEN})*")
_NOT_USER = re.compile(rb"[^A-Za-z0-9\-_.!~*'()&=+$,;?/]")


@dataclass(frozen=True, slots=True)
class NameAddr:
    """A URI with the name before it and the header's parameters after it, both as they were written."""

    before: str
    uri: str
    after: str

    def __str__(self) -> str:
        return f"{self.before}<{self.uri}>{self.after}"

    @property
    def tag(self) -> str:
        """The tag parameter, or ``""``. Raises NotSipError."""
        return parameters(self.after).get("tag", "")


def read_name_addr(value: str) -> NameAddr:
    """``"Name" <uri>;tag=1`` or ``uri;tag=1``: without brackets, parameters belong to the header (section 20.10).

    Raises NotSipError where there is no URI.
    """
    if found := _BRACKETED.fullmatch(value):
        before, uri, after = found.groups()
    else:
        uri, semicolon, rest = value.partition(";")
        before, after = "", semicolon + rest
    if not uri.strip():
        raise NotSipError("an address is empty")
    return NameAddr(before, uri.strip(), after.strip())


def name_addr(name: str, uri: str) -> str:
    """``Name <uri>``; the name is quoted unless it is made of tokens."""
    return f"{name if _TOKENS.fullmatch(name) else quote(name)} <{uri}>"


def sip_user(text: str) -> str:
    """``text`` as the user of a SIP URI, percent-escaped."""
    return _NOT_USER.sub(lambda found: b"%%%02X" % found.group()[0], text.encode("utf-8", "surrogatepass")).decode()


def user_of(uri: str) -> str:
    """The user of a sip or sips URI, its escapes undone; ``""`` where it has none. Raises NotSipError."""
    scheme, _, rest = uri.partition(":")
    if scheme.lower() not in ("sip", "sips") or rest.count("@") > 1:
        raise NotSipError("an address is no SIP URI")
    user, at, _ = rest.partition("@")
    return unquote(user.partition(":")[0], errors="surrogateescape") if at else ""


def over_websocket(contact: str) -> str:
    """A Contact that says how its phone is reached: over WebSocket (RFC 7118 section 5.2.4), where else it may be. What
    is no SIP URI stays as it is."""
    if contact.strip() == "*":
        return contact
    address = read_name_addr(contact)
    if not address.uri.lower().startswith(("sip:", "sips:")):
        return contact
    user, at, where = address.uri.rpartition("@")
    where, question, headers = where.partition("?")
    host, *said = where.split(";")
    kept = [one for one in said if one.partition("=")[0].strip().lower() != "transport"]
    uri = f"{user}{at}{';'.join([host, *kept, 'transport=ws'])}{question}{headers}"
    return contact if uri == address.uri else str(replace(address, uri=uri))


@dataclass(frozen=True, slots=True)
class Via:
    """One stop of a message: ``sent`` is ``TRANSPORT host:port`` with single blanks, ``branch`` may be empty."""

    sent: str
    branch: str


def read_via(value: str) -> Via:
    """One value of Via. Raises NotSipError."""
    found = _SENT.fullmatch(value)
    if found is None or not is_token(found[1]):
        raise NotSipError("a Via is none")
    sent_by = re.sub(r"\s", "", found[2])
    return Via(f"{found[1].upper()} {sent_by}", parameters(value.partition(";")[2]).get("branch", ""))
