"""What a phone is still to be told, as a value that is remembered. Imports nothing: a light process reads it too."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reload:
    """How one target's phone stands with its files; ``folder`` tells targets of an agent apart.

    ``since``: it is to be told of files that came then; None when it knows them. ``count`` runs failed since the
    ``number``-th delivery, the last one with exit ``code`` (None: it did not end by itself) and ``cause``; ``next_at``
    None is never (a final code). ``held``: new content waits for the end of a call. ``busy_since``: the phone is in a
    call that puts things off; it is asked again at ``look_at``. ``content`` is the mark of what was delivered,
    ``refused`` that of what was rolled back because of ``refusal``. ``command`` is the mark of the command that failed.
    """

    agent: str
    folder: str
    target: str
    since: float | None = None
    number: int = 0
    count: int = 0
    code: int | None = None
    cause: str = ""
    next_at: float | None = None
    held: bool = False
    busy_since: float | None = None
    look_at: float | None = None
    content: str = ""
    refused: str = ""
    refusal: str = ""
    command: str = ""

    @property
    def worth_keeping(self) -> bool:
        """Is there anything to remember?"""
        return self.since is not None or self.held or bool(self.refused)

    @property
    def gave_up(self) -> bool:
        """Did it fail with a final code?"""
        return self.since is not None and self.next_at is None
