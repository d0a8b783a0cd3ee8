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
    """In a file that nobody but the service can read."""

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


def closing(path: str) -> str:
    """What an administrator does to a file with secrets that others can read."""
    ours = "640 and chgrp softphone-provisioner, a group that nobody is a member of"
    return f"chmod 600 {path} if the service runs as its owner, else {ours}"
