"""What is remembered of logins across restarts."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.core.secret import Secret


@dataclass(frozen=True, slots=True)
class HeldSession:
    """One successful login. ``row`` is the answer as JSON text, ``password_mark`` what it was made with,
    ``logged_in_at`` Unix seconds."""

    agent: str
    url: str
    login: str
    row: Secret
    token: Secret
    password_mark: str
    logged_in_at: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last login that failed. ``count`` are the failures in a row, ``at`` Unix seconds, ``retry_after`` the seconds
    that the platform asked for."""

    agent: str
    password_mark: str
    at: float
    kind: str
    cause: str
    count: int
    retry_after: float = 0.0
