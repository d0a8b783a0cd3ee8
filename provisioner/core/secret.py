"""Text that nobody may read by accident: HA1, md5secret, secret, token and password are equal in danger."""

from __future__ import annotations

from typing import NoReturn

STARS = "********"


class Secret:
    """A secret text. Prints, formats and compares without showing itself; ``reveal`` gives the text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for what must have it: the platform and the SIP server, a phone's file, the private state,
        and the proofs and marks that are made of it. Whoever calls this shows it to nobody else."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return STARS

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        import hmac  # brings OpenSSL along, which a light process does without

        return isinstance(other, Secret) and hmac.compare_digest(
            self._text.encode("utf-8", "surrogatepass"), other._text.encode("utf-8", "surrogatepass")
        )

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")
