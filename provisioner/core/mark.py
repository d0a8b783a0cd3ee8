"""Marks of secrets: what can be kept where a secret must not be."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from provisioner.core.plan import DesiredFile
from provisioner.core.secret import Secret


def password_mark(key: bytes, password: Secret) -> str:
    """Tells whether a password changed, without keeping it: HMAC-SHA-256 in hex under a key of this machine."""
    return hmac.new(key, password.reveal().encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def content_mark(key: bytes, files: Iterable[DesiredFile]) -> str:
    """Tells whether what files are to hold changed, without keeping it: HMAC-SHA-256 in hex."""
    found = hmac.new(key, digestmod=hashlib.sha256)
    for file in files:
        for part in (str(file.path).encode("utf-8", "surrogatepass"), file.content):
            found.update(len(part).to_bytes(8, "big") + part)
    return found.hexdigest()
