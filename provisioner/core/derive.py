"""Peer × settings → Account: the one place where the server's row becomes what a phone is told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from provisioner.core.account import Account, Credential, DtmfMode, Proof, Transport, Turn
from provisioner.core.codec import audio, evaluate
from provisioner.core.peer import Peer, caller
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.realm import ASTERISK, credential_of
from provisioner.core.schema_words import HOST
from provisioner.core.secret import Secret
from provisioner.core.settings import AgentSettings, Overrides, Platform

_WEBSOCKET_PORT = {Transport.WS: 8088, Transport.WSS: 8089}
_CLOUD = ".ucontactcloud.com"


# chan_sip.c reload_config, dtmfmode; res_pjsip/pjsip_configuration.c dtmf_handler.
_DTMF = {
    "rfc2833": DtmfMode.RFC4733, "rfc4733": DtmfMode.RFC4733, "": DtmfMode.RFC4733, "info": DtmfMode.INFO,
    "shortinfo": DtmfMode.INFO, "dtmf_info": DtmfMode.INFO, "inband": DtmfMode.INBAND, "auto": DtmfMode.AUTO,
    "auto_info": DtmfMode.AUTO,
}  # fmt: skip


def dtmf_mode(word: str) -> DtmfMode | None:
    """Asterisk's word as a mode, or None for a word that it does not know (and takes as rfc2833)."""
    return _DTMF.get(word.strip().lower())


@lru_cache(maxsize=64)
def transport_list(text: str) -> tuple[tuple[Transport, ...], tuple[str, ...]]:
    """The transports of a peer in order, and the words that are none. An empty list is Asterisk's default, udp.

    chan_sip.c build_peer, transport: a comma list, matched by the first letters, without regard to case.
    """
    found = [(word, _transport(word.lower())) for word in re.split(r"[,;|&\s]+", text) if word]
    known = tuple(dict.fromkeys(transport for _, transport in found if transport))
    unknown = tuple(word for word, transport in found if not transport)
    return known if found else (Transport.UDP,), unknown


def _transport(word: str) -> Transport | None:
    longest_first = (Transport.WSS, Transport.UDP, Transport.TCP, Transport.TLS, Transport.WS)
    return next((transport for transport in longest_first if word.startswith(transport)), None)


def is_true(word: str) -> bool:
    """Asterisk's true words (main/utils.c, ast_true)."""
    return word.strip().lower() in ("yes", "true", "y", "t", "1", "on")


@dataclass(frozen=True, slots=True)
class Secrets:
    """What settings only point to, read: the login password (None: unknown), one password per TURN server, and a realm
    that the server itself was seen to ask for (None: never asked)."""

    password: Secret | None = None
    turn: tuple[Secret, ...] = ()
    seen_realm: str | None = None


def account_of(
    peer: Peer, agent: AgentSettings, platform: Platform, secrets: Secrets
) -> tuple[Account, tuple[Problem, ...]]:
    """The phone's view of ``peer``, and remarks on what was odd.

    Raises ProvisionerError with every reason why there is no account: no credential, a transport that the platform
    does not allow, a host that is none.
    """
    return _Derivation(peer, agent, platform).account(secrets)


class _Derivation:
    """Collects problems and remarks while the parts of one account are worked out."""

    def __init__(self, peer: Peer, agent: AgentSettings, platform: Platform) -> None:
        self._peer = peer
        self._agent = agent
        self._over: Overrides = agent.overrides
        self._platform = platform
        self._found: list[Problem] = []

    def account(self, secrets: Secrets) -> tuple[Account, tuple[Problem, ...]]:
        peer, over, platform = self._peer, self._over, self._platform
        domain = self._domain()
        credential = self._credential(secrets, domain)
        transports = self._transports()
        codecs = over.codecs or self._codecs()
        dtmf = over.dtmf or self._dtmf()
        grave = [problem for problem in self._found if not problem.remark]
        if grave or credential is None:
            raise ProvisionerError(grave)
        account = Account(
            agent=self._agent.login,
            name=over.name or peer.name,
            display_name=over.display_name or display_name(peer),
            domain=domain,
            credential=credential,
            transports=transports,
            server=over.server or domain,
            ports=platform.ports if over.port is None else dict.fromkeys(platform.ports, over.port),
            websocket_urls=self._websocket_urls(domain),
            outbound_proxy=over.outbound_proxy or "",
            codecs=codecs,
            dtmf=dtmf,
            encrypted=is_true(peer.encryption),
            media_encryption=over.media_encryption,
            stun=self._stun(domain),
            turn=tuple(
                Turn(server.server, server.transport, server.user, password)
                for server, password in zip(platform.turn, secrets.turn, strict=False)
            ),
            expires=over.expires,
            language=over.language or peer.language,
        )
        return account, tuple(self._found)

    def _domain(self) -> str:
        told = "" if self._peer.host.lower() == "dynamic" else self._peer.host
        # chan_sip has an IPv6 address without brackets as well.
        told = f"[{told}]" if re.fullmatch(HOST, f"[{told}]") else told
        domain = self._over.domain or self._platform.domain or told or self._platform.host
        if not re.fullmatch(HOST, domain):
            self._wrong("the platform's `host` is not a host name", "set `platform: {domain: …}`")
        return domain

    def _credential(self, secrets: Secrets, domain: str) -> Credential | None:
        wanted = self._over.realm or self._platform.realm
        hosts = (domain, self._peer.host, self._platform.host)
        candidates = [wanted, secrets.seen_realm, *self._platform.realms, ASTERISK, *hosts]
        credential = credential_of(self._peer, secrets.password, [realm for realm in candidates if realm])
        if credential is None:
            fix = "ask the platform's administrator to set the agent's phone password"
            self._wrong("the platform sent neither a SIP password nor its hash", fix)
        elif credential.proof is Proof.PROVEN and wanted not in (None, credential.realm):
            what = f"the realm `{wanted}` is configured, but the hash proves `{credential.realm}`, which is used"
            self._remark(what, "correct or remove `realm:`")
        if credential and credential.proof is Proof.ASSUMED and credential.realm == secrets.seen_realm:
            return replace(credential, proof=Proof.SEEN)
        return credential

    def _transports(self) -> tuple[Transport, ...]:
        allowed, unknown = transport_list(self._peer.transport)
        for word in unknown:
            self._remark(
                f"the platform names a transport that does not exist: {_quoted(word)}", "have it corrected there"
            )
        chosen = self._over.transport
        if chosen is None:
            if not allowed:
                self._wrong("the platform names no transport that exists", "set `account: {transport: …}`")
            return allowed
        if allowed and chosen not in allowed and not (self._over.server or self._over.outbound_proxy):
            names = ", ".join(allowed)
            what = (
                f"`transport: {chosen}` is set, but the platform allows this agent only {names} and answers others 403"
            )
            self._wrong(what, f"ask the platform's administrator to add {chosen}, or remove `transport:`")
        return (chosen,)

    def _codecs(self) -> tuple[str, ...]:
        codecs, unknown = evaluate(self._peer.disallow, self._peer.allow)
        for word in unknown:
            self._remark(
                f"the platform names a codec that Asterisk does not know: {_quoted(word)}", "have it corrected there"
            )
        if not audio(codecs):
            self._wrong("the platform allows this agent no audio codec", "set `account: {codecs: [pcma, pcmu]}`")
        return codecs

    def _dtmf(self) -> DtmfMode:
        mode = dtmf_mode(self._peer.dtmfmode)
        if mode is None:
            what = f"the platform's DTMF mode is none that Asterisk knows: {_quoted(self._peer.dtmfmode)}"
            self._remark(what, "Asterisk takes it as rfc2833, and so do we")
        return mode or DtmfMode.RFC4733

    def _websocket_urls(self, domain: str) -> Mapping[Transport, str]:
        platform, url = self._platform, self._over.websocket_url
        if url:
            return {Transport(url.partition(":")[0]): url}
        host = platform.websocket_host or self._over.server or domain
        return {
            transport: f"{transport}://{host}:{platform.websocket_port or port}{platform.websocket_path}"
            for transport, port in _WEBSOCKET_PORT.items()
        }

    def _stun(self, domain: str) -> tuple[str, ...]:
        if self._platform.stun is not None:
            return self._platform.stun
        on_cloud = any(host.lower().endswith(_CLOUD) for host in (domain, self._platform.host))
        return (f"stun{_CLOUD}:3478",) if on_cloud else ()

    def _wrong(self, what: str, fix: str) -> None:
        self._found.append(Problem(Place(f"agent {self._agent.login}"), what, fix))

    def _remark(self, what: str, fix: str) -> None:
        self._found.append(Problem(Place(f"agent {self._agent.login}"), what, fix, remark=True))


def display_name(peer: Peer) -> str:
    """``fullname``, else the name in ``callerid``, else ``accountcode``, else the SIP user name."""
    return peer.fullname or caller(peer.callerid)[0] or peer.accountcode or peer.name


def _quoted(word: str) -> str:
    """A word of the platform as it may stand in a message: printable and short."""
    return repr(word[:40])
