"""The calls of one phone, counted as their messages pass."""

from __future__ import annotations

from provisioner.core.sip.message import Request, Response
from provisioner.core.sip.reply import is_in_dialog

MOST = 64


class Calls:
    """Calls that ring or are up, by Call-ID."""

    def __init__(self) -> None:
        self._up: dict[str, bool] = {}

    @property
    def count(self) -> int:
        """How many ring or are up."""
        return len(self._up)

    def asked(self, request: Request) -> None:
        """A request passes, either way. Raises NotSip."""
        call_id = request.headers.first("Call-ID")
        if request.method == "INVITE" and not is_in_dialog(request) and len(self._up) < MOST:
            self._up.setdefault(call_id, False)
        if request.method == "BYE":
            self._up.pop(call_id, None)

    def answered(self, response: Response, method: str) -> None:
        """A response to ``method`` passes, either way."""
        call_id = response.headers.first("Call-ID")
        if method != "INVITE" or not response.is_final or call_id not in self._up:
            return
        if response.status < 300:
            self._up[call_id] = True
        elif not self._up[call_id]:
            del self._up[call_id]

    def cut(self) -> None:
        """The connection to the server is gone: what only rang is over, what was up goes on."""
        self._up = {call_id: True for call_id, up in self._up.items() if up}
