"""What RFC 3261 lets everybody ask of a message: its number, its dialog, whether it is whole; and a plain response."""

from __future__ import annotations

import hashlib
import re

from provisioner.core.sip.address import read_name_addr
from provisioner.core.sip.grammar import TOKEN, NotSipError
from provisioner.core.sip.headers import Header, Headers
from provisioner.core.sip.message import Message, Request, Response

LARGEST_NUMBER = 2**31 - 1
_CSEQ = re.compile(rf"([0-9]{{1,10}})\s+({TOKEN})")
_COPIED = {"via", "from", "to", "call-id", "cseq"}
_ONCE = {"from": "From", "to": "To", "call-id": "Call-ID", "cseq": "CSeq"}


def cseq_of(message: Message) -> tuple[int, str]:
    """Number and method of CSeq. Raises NotSipError."""
    found = _CSEQ.fullmatch(message.headers.first("CSeq"))
    if found is None or int(found[1]) > LARGEST_NUMBER:
        raise NotSipError("its CSeq is none")
    return int(found[1]), found[2]


def check_whole(message: Message) -> None:
    """Raises NotSipError for a message without what every one has, with some of it twice, or with NUL in a header:
    servers would differ on which value counts."""
    fields = message.headers.fields
    seen = [one.key for one in fields if one.key in _ONCE for _ in one.values()]
    if len(seen) != len(_ONCE) or len(set(seen)) != len(_ONCE):
        wrong = next(name for key, name in _ONCE.items() if seen.count(key) != 1)
        raise NotSipError(f"it has no {wrong}, or several")
    if not message.headers.first("Via") or any("\0" in one.value for one in fields):
        raise NotSipError("it has no Via, or a NUL in a header")
    if isinstance(message, Request) and cseq_of(message)[1] != message.method:
        raise NotSipError("its CSeq is for another method")


def is_in_dialog(request: Request) -> bool:
    """Whether it belongs to a dialog: its To has a tag. Raises NotSipError."""
    return bool(read_name_addr(request.headers.first("To")).tag)


def reply(request: Request, status: int, reason: str, *more: Header) -> Response:
    """An answer of our own, with what section 8.2.6.2 wants; the tag comes from the request, so that an answer that is
    given again is the same."""
    fields = [_tagged(one, request) if one.key == "to" else one for one in request.headers.fields if one.key in _COPIED]
    return Response(status, reason, Headers((*fields, *more)))


def _tagged(to: Header, request: Request) -> Header:
    if ";tag" in to.value.replace(" ", "").lower():
        return to
    seed = f"{request.headers.first('Call-ID')} {request.headers.first('Via')}"
    tag = hashlib.sha256(seed.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return Header(to.name, f"{to.value};tag={tag}")
