"""What was tried over one transport and what came of it: observed at the edge, judged in ``verdict``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from provisioner.core.account import Account, Credential, Proof, Transport
from provisioner.core.problem import Problem
from provisioner.core.realm import prove
from provisioner.core.secret import Secret
from provisioner.core.sip.digest import Challenge
from provisioner.core.sip.message import Response

# Where the server has shown by a certificate that it is who it should be.
VERIFIED = (Transport.WSS, Transport.TLS)


class Stage(StrEnum):
    """What takes time, in order. Over wss ``CONNECT`` includes TLS; ``CHALLENGE`` is the answer to the unsigned
    request, ``ANSWER`` that to the signed one."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    WEBSOCKET = "websocket"
    CHALLENGE = "challenge"
    ANSWER = "answer"


class Obstacle(StrEnum):
    """Why there was no answer in SIP."""

    NO_NAME = "no such name"
    REFUSED = "connection refused"
    UNREACHABLE = "unreachable"
    NO_ANSWER = "no answer"
    CLOSED = "closed"
    CERTIFICATE = "certificate"
    NO_TLS = "no TLS"
    NO_WEBSOCKET = "no WebSocket"
    NO_SUBPROTOCOL = "no SIP in WebSocket"
    NOT_SIP = "not SIP"


@dataclass(frozen=True, slots=True)
class Failure:
    """``obstacle``, the stage at which it came, and what was seen: ``code`` is OpenSSL's number of a certificate's
    fault or the HTTP status of a handshake that was refused, ``detail`` words or an address."""

    obstacle: Obstacle
    at: Stage
    code: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a registrar is: ``host`` and ``port``, and over WebSocket the whole ``url``."""

    transport: Transport
    host: str
    port: int
    url: str = ""

    def __str__(self) -> str:
        return self.url or self.place

    @property
    def place(self) -> str:
        """``host:port``."""
        return host_port(self.host, self.port)


@dataclass(frozen=True, slots=True)
class Trial:
    """One conversation with a registrar.

    ``stages`` are those that were done, with their seconds. ``challenge`` is the last one, ``signed`` says that it was
    answered; ``cannot`` why it could not be. ``response`` is the last answer; ``failure`` says why there is none.
    ``spared`` marks a conversation that was broken off unsigned because the server had already refused the agent over
    another transport.
    """

    address: Address
    stages: tuple[tuple[Stage, float], ...] = ()
    challenge: Challenge | None = None
    signed: bool = False
    cannot: Problem | None = None
    response: Response | None = None
    failure: Failure | None = None
    spared: bool = False

    @property
    def transport(self) -> Transport:
        """How SIP travelled."""
        return self.address.transport

    @property
    def accepted(self) -> bool:
        """Whether the server took the signed query."""
        return self.signed and self.response is not None and self.response.status // 100 == 2

    @property
    def was_stale(self) -> bool:
        """Whether the server found nothing wrong with the signature but the age of the nonce."""
        refused = self.signed and self.response is not None and self.response.status in (401, 407)
        return bool(refused and self.challenge and self.challenge.stale)

    @property
    def is_over(self) -> bool:
        """Whether the server refused the agent for good: another try would only count as one more attack."""
        return self.signed and self.response is not None and self.response.status in (401, 404, 407)


def host_port(host: str, port: int) -> str:
    """``host:port``, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def address_of(account: Account, transport: Transport) -> Address:
    """Where a phone goes with ``account`` over ``transport``."""
    if transport.is_websocket:
        url = account.websocket_urls.get(transport, "")
        host, port = _parts(url.partition("://")[2].partition("/")[0], 443 if transport is Transport.WSS else 80)
        return Address(transport, host, port, url)
    port = account.ports.get(transport, 5061 if transport is Transport.TLS else 5060)
    if account.outbound_proxy:
        return Address(transport, *_parts(account.outbound_proxy, 5061 if transport is Transport.TLS else 5060))
    return Address(transport, *_parts(account.server, port))


def to_sign_with(
    challenge: Challenge, credential: Credential, transport: Transport, passwords: Iterable[Secret]
) -> Credential:
    """The credential to answer ``challenge`` with, as a phone would have it once its realm is set right.

    For another realm than ours the HA1 signs only where one of ``passwords`` proves that it is for that realm, or where
    nothing is proven and the server is verified by its certificate.
    """
    if credential.ha1 is None or challenge.realm == credential.realm:
        return credential
    if proves(credential, challenge.realm, passwords):
        return replace(credential, realm=challenge.realm)
    if credential.proof is not Proof.PROVEN and transport in VERIFIED:
        return replace(credential, realm=challenge.realm)
    return credential


def proves(credential: Credential, realm: str, passwords: Iterable[Secret]) -> bool:
    """Whether one of ``passwords`` and ``realm`` make the HA1."""
    return credential.ha1 is not None and prove(credential.user, credential.ha1, passwords, [realm]) is not None


def realm_shown(trials: Iterable[Trial]) -> str | None:
    """The realm that a server verified by its certificate asked for, and accepted the HA1 with; None where none did."""
    seen = (trial.challenge for trial in trials if trial.transport in VERIFIED and trial.accepted and trial.challenge)
    return next((challenge.realm for challenge in seen if challenge.needs_md5), None)


def _parts(text: str, port: int) -> tuple[str, int]:
    """The parts of ``host``, ``host:port``, ``[v6]`` or ``[v6]:port``; brackets are dropped."""
    host, colon, given = text.rpartition(":")
    if not colon or given.endswith("]"):
        return text.strip("[]"), port
    return host.strip("[]"), int(given) if given.isdecimal() else 0
