"""The calls of one phone, known from the messages that pass."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.core.sip.dialog import Dialog, dialog_of
from provisioner.core.sip.message import Request, Response
from provisioner.core.sip.reply import cseq_of, is_in_dialog

MOST = 64


@dataclass(slots=True)
class Call:
    """``invite`` is the last one of either side, ``by_phone`` says of which; ``number`` is the server's last CSeq.
    There is a ``dialog`` once it is up."""

    up: bool = False
    invite: Request | None = None
    by_phone: bool = False
    number: int = 0
    dialog: Dialog | None = None


class Calls:
    """Calls that ring or are up, by Call-ID. All messages are as their authors wrote them."""

    def __init__(self) -> None:
        self._known: dict[str, Call] = {}

    @property
    def count(self) -> int:
        """How many ring or are up."""
        return len(self._known)

    def asked(self, request: Request, *, by_phone: bool) -> None:
        """A request passes, either way. Raises NotSipError."""
        call_id = request.headers.first("Call-ID")
        if request.method == "INVITE" and not is_in_dialog(request) and len(self._known) < MOST:
            self._known.setdefault(call_id, Call())
        if request.method == "BYE":
            self._known.pop(call_id, None)
        call = self._known.get(call_id)
        if call is not None and not by_phone:
            call.number = max(call.number, cseq_of(request)[0])
        if call is not None and request.method == "INVITE":
            call.invite, call.by_phone = request, by_phone

    def answered(self, response: Response, method: str) -> None:
        """A response to ``method`` passes, either way. Raises NotSipError."""
        call_id = response.headers.first("Call-ID")
        call = self._known.get(call_id)
        if method != "INVITE" or not response.is_final or call is None:
            return
        if response.status < 300:
            call.up = True
            if call.invite is not None and cseq_of(call.invite) == cseq_of(response):
                call.dialog = dialog_of(call.invite, response, by_phone=call.by_phone) or call.dialog
        elif not call.up:
            del self._known[call_id]

    def cut(self) -> None:
        """The connection to the server is gone: what only rang is over, what was up goes on."""
        self._known = {call_id: call for call_id, call in self._known.items() if call.up}

    def elsewhere(self) -> None:
        """The calls that are up are not those of the server that is asked from now on."""
        for call in self._known.values():
            call.dialog = None

    def dialogs(self) -> list[Dialog]:
        """Of the calls that are up."""
        return [call.dialog for call in self._known.values() if call.dialog]

    def ringing(self) -> list[Request]:
        """The server's calls that the phone has not answered."""
        return [call.invite for call in self._known.values() if call.invite and not (call.up or call.by_phone)]

    def over(self, call_id: str) -> Request | None:
        """The server knows no such call: what tells the phone so, as if the other end had hung up."""
        call = self._known.pop(call_id, None)
        return call.dialog.to_phone("BYE", call.number + 1) if call and call.dialog else None
