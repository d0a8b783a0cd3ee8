"""What is told of a relay: in the status, and in the journal when it changes. Never what a message says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provisioner.core.account import Transport
from provisioner.core.problem import Problem
from provisioner.core.report import problem_as_json
from provisioner.core.sip.obstacle import Occasion, in_words
from provisioner.core.sip.registration import RegistrationState
from provisioner.core.sip.sides import Link
from provisioner.core.sip.trial import Address
from provisioner.edge.relay import RelayState
from provisioner.edge.relay_line import CONNECT_WITHIN
from provisioner.edge.relay_phone import PhoneState

_RENEW = "it is not tried again before the credential is another one: `provisioner refresh`"
_DISPLACED = (
    "another phone has registered for this account since, and the server calls only that one: close one of the two"
)


def relay_as_json(state: RelayState, address: Address, problem: Problem | None) -> dict[str, Any]:
    """What the status tells."""
    return {
        "port": state.port,
        "calls": state.calls,
        "strangers": state.strangers,
        "phones": [_phone(phone, address) for phone in state.phones],
        "problems": [problem_as_json(one) for one in ([problem] if problem else [])],
        "remarks": list(_remarks(state)),
    }


def lacking_as_json(problem: Problem) -> dict[str, Any]:
    """What the status tells where there is no relay because of ``problem``."""
    nothing = RelayState(0, refused=False, other_realm="", strangers=0, phones=())
    return relay_as_json(nothing, Address(Transport.WSS, "", 0), problem)


def news(before: RelayState | None, after: RelayState, address: Address) -> Iterator[str]:
    """What there is to say in the journal."""
    was = {_told(phone, address) for phone in before.phones} if before else set()
    for phone in after.phones:
        if (line := _told(phone, address)) not in was:
            yield line
    known = set(_remarks(before)) if before else set()
    yield from (remark for remark in _remarks(after) if remark not in known)


def _phone(phone: PhoneState, address: Address) -> dict[str, Any]:
    return {
        "transport": phone.transport,
        "websocket": str(phone.link),
        "since": phone.link_since,
        "cause": _cause(phone, address),
        "registration": str(phone.registration),
        "status": phone.status,
        "refusals": phone.refusals,
        "reconnects": phone.reconnects,
        "calls": phone.calls,
    }


def _told(phone: PhoneState, address: Address) -> str:
    cause = _cause(phone, address)
    way = f"the WebSocket is {phone.link}" + (f": {cause}" if cause else "")
    if phone.link is not Link.UP:
        return f"relayed phone over {phone.transport}: {way}"
    said = f" ({phone.status})" if phone.registration is RegistrationState.REFUSED else ""
    return f"relayed phone over {phone.transport}: {way}, {phone.registration}{said}"


def _cause(phone: PhoneState, address: Address) -> str:
    if phone.failure is None:
        return ""
    what, fix = in_words(phone.failure, address, Occasion(CONNECT_WITHIN, "now"))
    return f"{what} ({fix})"


def _remarks(state: RelayState) -> Iterator[str]:
    if state.refused:
        yield f"the server refuses the relay's credential; {_RENEW}"
    if state.other_realm:
        yield f"the server asks for the realm `{state.other_realm}`, for which the relay has nothing: set `realm:`"
    if any(phone.registration is RegistrationState.DISPLACED for phone in state.phones):
        yield _DISPLACED
    if state.strangers:
        yield "another user's program was turned away at the relay's port"
