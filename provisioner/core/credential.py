"""Where a password is, as the YAML says."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.core.secret import Secret


@dataclass(frozen=True, slots=True)
class Inline:
    """In the YAML itself."""

    secret: Secret


@dataclass(frozen=True, slots=True)
class FromFile:
    """In a file that only its owner can read."""

    path: str


@dataclass(frozen=True, slots=True)
class FromEnv:
    """In an environment variable."""

    name: str


@dataclass(frozen=True, slots=True)
class FromCredential:
    """In a systemd credential (systemd.exec(5), LoadCredential=)."""

    name: str


@dataclass(frozen=True, slots=True)
class FromCommand:
    """Printed by a command, given as its argument list; ``timeout`` is in seconds."""

    argv: tuple[str, ...]
    timeout: float


PasswordSource = Inline | FromFile | FromEnv | FromCredential | FromCommand
