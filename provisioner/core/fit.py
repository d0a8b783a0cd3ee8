"""Account × Target → the names that a template gets, or every reason why this phone cannot work.

A file that cannot register is worse than none: the agent believes in it. So the answer comes before any file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from provisioner.core.account import Account, Credential, DtmfMode, MediaEncryption, Proof, Transport
from provisioner.core.address import wrong_addresses
from provisioner.core.codec import audio
from provisioner.core.limits import unholdable
from provisioner.core.options import wrong_options
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.reach import directly, through_relay
from provisioner.core.relay_way import RelayMode, RelayWay, call_lacks, relay_transport
from provisioner.core.schema_words import LANGUAGE
from provisioner.core.secret import Secret
from provisioner.core.sip.address import name_addr, sip_user
from provisioner.core.sip.grammar import inside_quotes
from provisioner.core.target import Target, Word

_LANGUAGE = re.compile(LANGUAGE)
_ORDER = (Transport.TLS, Transport.TCP, Transport.UDP, Transport.WSS, Transport.WS)


@dataclass(frozen=True, slots=True)
class Fit:
    """``names`` for the templates, the transport that reaches the server, remarks, and the relay on the way there."""

    names: Mapping[str, Any]
    transport: Transport
    remarks: tuple[Problem, ...]
    relay: RelayWay | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """What IT chose for this target, and where its files go (an absolute folder as the phone sees it).

    ``relay`` is the account's relay where there is one; ``relay_off`` says that IT wants none.
    """

    folder: str
    options: Mapping[str, str]
    ca_file: str = ""
    relay: RelayWay | None = None
    relay_off: bool = False


def fit(account: Account, target: Target, choice: Choice, alternatives: Iterable[str] = ()) -> Fit:
    """The names for the templates of ``target``.

    ``alternatives`` are targets to suggest where this one has no transport; looked at only then.

    Raises ProvisionerError with every reason at once.
    """
    return _Fitting(account, target, choice).fit(alternatives)


def can_serve(account: Account, target: Target, relay: RelayWay | None = None) -> bool:
    """Would ``target`` work for this account as it is (through ``relay`` at need), whatever IT chose for it?"""
    try:
        fit(account, target, Choice("/", {}, relay=relay))
    except ProvisionerError:
        return False
    return True


class _Fitting:
    def __init__(self, account: Account, target: Target, choice: Choice) -> None:
        self._account = account
        self._target = target
        self._choice = choice
        self._to_relay = relay_transport(account, target)
        self._relay = choice.relay if self._to_relay and not choice.relay_off else None
        self._found: list[Problem] = []

    def fit(self, alternatives: Iterable[str]) -> Fit:
        transport = self._transport(alternatives)
        names = {
            **self._identity(),
            **self._credential(),
            **self._server(transport),
            **self._media(transport),
            "options": self._options(),
            "folder": self._choice.folder,
            "ca_file": self._choice.ca_file,
        }
        self._check_addresses(transport)
        for what, fix in unholdable(self._target, names):
            self._wrong(what, fix)
        if any(not problem.remark for problem in self._found):
            raise ProvisionerError(problem for problem in self._found if not problem.remark)
        return Fit(names, transport, tuple(self._found), self._relay)

    def _transport(self, alternatives: Iterable[str]) -> Transport:
        if self._relay or self._could_only_register():
            self._check_calls_through_relay(alternatives)
            return Transport.WSS
        possible = [transport for transport in self._account.transports if transport in self._target.transports]
        if not possible:
            allowed, able = " and ".join(self._account.transports), [t for t in _ORDER if t in self._target.transports]
            what = f"{self._target.name} cannot register over {allowed}; this peer allows only {allowed}"
            fix = f"ask the platform's administrator to add {able[0]}" if able else "this phone has no transport at all"
            fix += _or_use(alternatives)
            if self._choice.relay_off and self._to_relay and not call_lacks(self._target):
                fix += ", or remove `relay: off`: then the relay carries it over wss"
            self._wrong(what, fix)
            return self._account.transports[0]
        secure = [transport for transport in possible if self._encryption(transport) in self._target.media_encryption]
        return (secure or possible)[0]

    def _could_only_register(self) -> bool:
        insists = self._encryption(Transport.WSS) is MediaEncryption.NONE
        return bool(self._to_relay and not self._choice.relay_off and call_lacks(self._target) and not insists)

    def _check_calls_through_relay(self, alternatives: Iterable[str]) -> None:
        """Registering is not enough: what a call needs where browsers call is said before anybody tries."""
        account, name, lacks = self._account, self._target.name, ", ".join(call_lacks(self._target))
        if self._encryption(Transport.WSS) is MediaEncryption.NONE:
            what = f"{name} registers, but calls in clear are refused (488) where the server expects a browser"
            self._remark(what, "remove `media_encryption:`")
        elif lacks:
            what = f"{name} registers through the relay, but calls would be refused (488) or silent: it has no {lacks}"
            fix = "`account: {media_encryption: none}` writes its files all the same"
            self._wrong(what, fix + _or_use(alternatives))
        elif not account.stun and not account.turn:
            what = f"no STUN server is told to {name}: behind NAT its calls would be silent"
            self._remark(what, "set `platform: {stun: […]}`, unless phone and server reach each other without NAT")

    def _encryption(self, transport: Transport) -> MediaEncryption:
        account = self._account
        if account.media_encryption is not None:
            return account.media_encryption
        if transport.is_websocket:
            return MediaEncryption.DTLS  # WebRTC media is always encrypted so (RFC 8827 section 6.5)
        return MediaEncryption.SDES if account.encrypted else MediaEncryption.NONE

    def _identity(self) -> dict[str, Any]:
        account = self._account
        aor = f"sip:{sip_user(account.name)}@{account.domain}"
        return {
            "agent": account.agent,
            "name": account.name,
            "user": sip_user(account.name),
            "domain": account.domain,
            "display_name": account.display_name,
            "display_quoted": inside_quotes(account.display_name),
            "aor": aor,
            "name_addr": name_addr(account.display_name, aor),
            "auth_user": account.credential.user,
            "expires": account.expires,
            "language": self._language(),
        }

    def _language(self) -> str:
        language = self._account.language
        if not language or _LANGUAGE.fullmatch(language):
            return language
        self._remark(f"the language is none: {language[:20]!r}", "set `account: {language: es}`")
        return ""

    def _credential(self) -> dict[str, str | Secret]:
        credential = self._account.credential
        if self._relay and self._relay.mode is RelayMode.ANSWER:
            self._check_proof(credential)
            return {"realm": credential.realm}
        known = {"ha1": credential.ha1, "password": credential.password}
        taken = {form: secret for form in self._target.credential if (secret := known[form])}
        if not self._target.every_credential:
            taken = dict(islice(taken.items(), 1))
        if not taken:
            self._wrong(*self._no_credential())
        if "ha1" in taken:
            self._check_proof(credential)
        return {"realm": credential.realm, **taken}

    def _check_proof(self, credential: Credential) -> None:
        if credential.proof is Proof.ASSUMED:
            what = f"the realm `{credential.realm}` is assumed, not proven: if it is another, the phone is refused"
            self._remark(what, "give the agent's `password:` or the right `realm:`")

    def _no_credential(self) -> tuple[str, str]:
        name, credential = self._target.name, self._account.credential
        if "password" in self._target.credential:
            what = (
                f"{name} needs the SIP password, and only its hash (HA1, for the realm `{credential.realm}`) is known"
            )
            fix = "list the server's realm in `platform: {realms: […]}`, so that the login password can be proven"
            over_wss = replace(self._account, transports=(Transport.WSS,))
            carried = Transport.WSS in self._account.transports and relay_transport(over_wss, self._target)
            if carried and not self._choice.relay_off and not call_lacks(self._target):
                fix += "; or set `account: {transport: wss}`, and the relay answers for it"
            return what, fix
        return f"{name} needs the hash of the password (HA1), and the platform sent none", "use another target"

    def _server(self, transport: Transport) -> dict[str, Any]:
        account = self._account
        if transport.is_websocket and not account.websocket_urls.get(transport):
            self._wrong(
                f"there is no {transport} address, `websocket_url` has another scheme", "correct `websocket_url`"
            )
        if account.outbound_proxy and transport.is_websocket:
            what = f"the outbound proxy is not told: over {transport} the WebSocket's server gets every request"
            self._remark(what, "set `websocket_url` to go through another server")
        if self._relay and self._to_relay:
            return through_relay(account, self._target, self._to_relay, self._relay)
        return directly(account, self._target, transport)

    def _media(self, transport: Transport) -> dict[str, Any]:
        return {
            "codecs": self._codecs(),
            "codecs_off": [word for name, word in self._target.codecs.items() if name not in self._account.codecs],
            "dtmf": self._dtmf(),
            "media_encryption": self._media_encryption(transport),
        }

    def _codecs(self) -> list[Word]:
        known = self._target.codecs
        wanted = tuple(dict.fromkeys(self._account.codecs))
        able = [name for name in wanted if name in known]
        dropped = [name for name in wanted if name not in known]
        if not audio(able):
            what = f"{self._target.name} has none of this account's audio codecs ({', '.join(self._account.codecs)})"
            self._wrong(what, f"it has: {', '.join(audio(known))}; ask the platform's administrator to allow one")
        elif dropped:
            self._remark(f"{self._target.name} has no {', '.join(dropped)}: left out", "")
        return [known[name] for name in able]

    def _dtmf(self) -> Word:
        wanted, known = self._account.dtmf, self._target.dtmf
        # With `auto` the server takes whatever the call offers.
        able = (DtmfMode.AUTO, DtmfMode.RFC4733, DtmfMode.INFO) if wanted is DtmfMode.AUTO else (wanted,)
        for mode in able:
            if mode in known:
                return known[mode]
        what = f"{self._target.name} cannot send digits as {wanted}, which this account asks for"
        self._wrong(
            what, f"it can: {', '.join(known)}; ask the platform's administrator, or set `account: {{dtmf: …}}`"
        )
        return ""

    def _media_encryption(self, transport: Transport) -> Word:
        wanted, known = self._encryption(transport), self._target.media_encryption
        if wanted is MediaEncryption.NONE and self._account.encrypted and not self._relay:
            self._remark("the platform demands encrypted audio: calls will be refused", "remove `media_encryption:`")
        if wanted in known:
            return known[wanted]
        if transport in self._target.transports:
            says = (
                "cannot leave audio unencrypted"
                if wanted is MediaEncryption.NONE
                else f"cannot encrypt audio by {wanted}"
            )
            what = f"{self._target.name} {says} over {transport}, which this account asks for"
            self._wrong(what, f"it can: {', '.join(known)}")
        return ""

    def _options(self) -> dict[str, str]:
        given = self._choice.options
        for _, what, fix in wrong_options(self._target, given):
            self._wrong(what, fix)
        return {name: given.get(name, option.default) for name, option in self._target.options.items()}

    def _check_addresses(self, transport: Transport) -> None:
        for role, text in wrong_addresses(self._account, transport):
            self._wrong(f"the {role} is no address: {text[:40]!r}", "correct it, or set it in `account:`")

    def _wrong(self, what: str, fix: str) -> None:
        self._found.append(Problem(self._place(), what, fix))

    def _remark(self, what: str, fix: str) -> None:
        self._found.append(Problem(self._place(), what, fix, remark=True))

    def _place(self) -> Place:
        return Place(f"agent {self._account.agent}, {self._target.name}")


def _or_use(alternatives: Iterable[str]) -> str:
    others = " or ".join(islice(alternatives, 3))
    return f", or use {others}" if others else ""
