"""Who answers the server's challenges for an account: the relay with the account's own credential, or the phone."""

from __future__ import annotations

from provisioner.core.account import Credential
from provisioner.core.sip.digest import CannotAnswerError, Challenge, Signed, answer, challenges_in
from provisioner.core.sip.headers import Header
from provisioner.core.sip.message import Request, Response

_ANSWERED_BY = {401: "Authorization", 407: "Proxy-Authorization"}
CREDENTIALS = tuple(_ANSWERED_BY.values())


class Signer:
    """Signs for one account, whatever flow the request came on. ``answers`` is False where phones sign themselves
    (pass mode). Once the server has refused a signature, nothing is signed with that credential again, unless somebody
    asks for it."""

    def __init__(self, name: str, credential: Credential, *, answers: bool = True) -> None:
        self.name = name
        self.answers = answers
        self.refused = False
        self.other_realm = ""
        self._credential = credential

    def use(self, credential: Credential, *, answers: bool) -> bool:
        """Take over new settings; says whether a refusal is over because the credential is another one."""
        changed = credential != self._credential or answers != self.answers
        self._credential, self.answers = credential, answers
        return changed and self.forget_refusal()

    def forget_refusal(self) -> bool:
        """Sign again what the server has refused; says whether it had."""
        was_refused = self.refused or bool(self.other_realm)
        self.refused, self.other_realm = False, ""
        return was_refused

    def sign(self, request: Request, response: Response, cnonce: str) -> Header | None:
        """The header that answers the challenge in ``response`` to ``request``; None where there is none to be given.

        Only MD5, and with an HA1 only for its own realm. Raises NotSipError for a challenge that is none.
        """
        if not self.answers or self.refused:
            return None
        usable = [one for one in challenges_in(response) if one.is_known and one.needs_md5]
        ours = next((one for one in usable if self._is_ours(one)), None)
        self.other_realm = usable[0].realm if usable and ours is None else ""
        if ours is None:
            return None
        try:
            value = answer(ours, self._credential, Signed(request.method, request.uri, cnonce))
        except CannotAnswerError:
            return None
        return Header(_ANSWERED_BY[response.status], value)

    def answered(self, request: Request, response: Response) -> None:
        """What the server says to a request that was signed. Raises NotSipError."""
        if response.status in (401, 407):
            self.refused |= not any(one.stale for one in challenges_in(response))
        elif response.status == 403 and request.method == "REGISTER":
            self.refused = True

    def _is_ours(self, challenge: Challenge) -> bool:
        return self._credential.ha1 is None or challenge.realm == self._credential.realm
