"""Digest authentication (RFC 7616, RFC 2617, RFC 3261 section 22, RFC 8760): challenges read, answers computed.

Quality of protection ``auth`` and none; ``auth-int`` alone cannot be answered.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from provisioner.core.account import Credential
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.sip.grammar import NotSipError, parameters, quote
from provisioner.core.sip.message import Response

_HASHES = {"MD5": "md5", "SHA-256": "sha256"}
_SESSION = "-SESS"
_MD5 = "MD5"


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a server asks for. ``algorithm`` is in upper case, ``""`` where it names none, which is MD5; ``qop`` is in
    lower case, empty for the form of RFC 2069. ``stale`` says that only the nonce of the last answer was too old."""

    realm: str
    nonce: str
    algorithm: str = ""
    qop: tuple[str, ...] = ()
    opaque: str | None = None
    stale: bool = False

    @property
    def hash_name(self) -> str:
        """The hash that the algorithm is made with, in upper case."""
        return self.algorithm.removesuffix(_SESSION) or _MD5

    @property
    def is_known(self) -> bool:
        """Whether this program can compute the answer at all."""
        return self.hash_name in _HASHES and (not self.qop or "auth" in self.qop)

    @property
    def needs_md5(self) -> bool:
        """Whether the answer is an MD5, for which an HA1 is enough; any other needs the password."""
        return self.hash_name == _MD5


@dataclass(frozen=True, slots=True)
class Signed:
    """What an answer is for: the request, the client's own nonce, and how often the server's nonce was used."""

    method: str
    uri: str
    cnonce: str
    count: int = 1


class CannotAnswerError(ProvisionerError):
    """A challenge that this credential does not answer."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(Problem(Place("digest challenge"), what, fix))


class OtherRealmError(CannotAnswerError):
    """The server's realm is not the one for which the HA1 was made."""

    def __init__(self, realm: str, ours: str) -> None:
        super().__init__(f"the server's realm is `{realm}`, the HA1 is used with `{ours}`", f"set `realm: {realm}`")


def challenges_in(response: Response) -> Iterator[Challenge]:
    """Every Digest challenge of a 401 or 407, in the server's order. Raises NotSipError for one that is none."""
    asks = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}.get(response.status)
    for value in response.headers.every(asks) if asks else ():
        if challenge := read_challenge(value):
            yield challenge


def read_challenge(value: str) -> Challenge | None:
    """The challenge in one WWW-Authenticate or Proxy-Authenticate header; None for another scheme than Digest.

    Raises NotSipError for a Digest challenge without realm or nonce.
    """
    scheme, _, rest = value.partition(" ")
    if scheme.lower() != "digest":
        return None
    said = parameters(rest, ",")
    if "realm" not in said or not said.get("nonce"):
        raise NotSipError("a Digest challenge has no realm or no nonce")
    return Challenge(
        realm=said["realm"],
        nonce=said["nonce"],
        algorithm=said.get("algorithm", "").upper(),
        qop=tuple(re.findall("[a-z-]+", said.get("qop", "").lower())),
        opaque=said.get("opaque"),
        stale=said.get("stale", "").lower() == "true",
    )


def choose(challenges: Iterable[Challenge], credential: Credential) -> Challenge | None:
    """The server's first choice that can be answered (RFC 8760 section 2.3); else its first, else None."""
    offered = list(challenges)
    usable = (one for one in offered if one.is_known and (one.needs_md5 or credential.password))
    return next(usable, offered[0] if offered else None)


def answer(challenge: Challenge, credential: Credential, signed: Signed) -> str:
    """The value of the Authorization header that answers ``challenge``.

    An HA1 answers for its own realm only, byte for byte, and with MD5 only. Raises CannotAnswerError with the reason.
    """
    hashed = _hash(challenge)
    ha1 = _first_part(challenge, credential)
    in_session = challenge.algorithm.endswith(_SESSION)
    if in_session:
        ha1 = hashed(f"{ha1}:{challenge.nonce}:{signed.cnonce}")
    ha2 = hashed(f"{signed.method}:{signed.uri}")
    count = f"{signed.count:08x}"
    middle = f"{challenge.nonce}:{count}:{signed.cnonce}:auth" if challenge.qop else challenge.nonce
    said = {
        "username": quote(credential.user),
        "realm": quote(challenge.realm),
        "nonce": quote(challenge.nonce),
        "uri": quote(signed.uri),
        "response": quote(hashed(f"{ha1}:{middle}:{ha2}")),
    }
    if challenge.algorithm:
        said["algorithm"] = challenge.algorithm.replace(_SESSION, "-sess")
    if challenge.opaque is not None:
        said["opaque"] = quote(challenge.opaque)
    if challenge.qop:
        said |= {"qop": "auth", "nc": count}
    if challenge.qop or in_session:
        said["cnonce"] = quote(signed.cnonce)
    return "Digest " + ", ".join(f"{name}={value}" for name, value in said.items())


def _hash(challenge: Challenge) -> Callable[[str], str]:
    if not challenge.is_known:
        asked = ", ".join((challenge.algorithm or _MD5, *challenge.qop))
        raise CannotAnswerError(
            f"the server asks for a digest that is not known here ({asked})", "let the server offer MD5 with qop=auth"
        )
    return partial(_hex, _HASHES[challenge.hash_name])


def _hex(name: str, text: str) -> str:
    return hashlib.new(name, text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


def _first_part(challenge: Challenge, credential: Credential) -> str:
    if credential.ha1 and challenge.realm != credential.realm:
        raise OtherRealmError(challenge.realm, credential.realm)
    if credential.ha1 and challenge.needs_md5:
        return credential.ha1.reveal()
    if credential.password:
        return _hash(challenge)(f"{credential.user}:{challenge.realm}:{credential.password.reveal()}")
    what = f"the server asks for {challenge.algorithm}, and an HA1 answers MD5 only"
    raise CannotAnswerError(what, "let the server offer MD5, or give this agent the SIP password")
