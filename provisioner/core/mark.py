"""Marks of passwords: what can be kept where a password must not be."""

from __future__ import annotations

import hashlib
import hmac

from provisioner.core.secret import Secret


def password_mark(key: bytes, password: Secret) -> str:
    """Tells whether a password changed, without keeping it: HMAC-SHA-256 in hex under a key of this machine."""
    return hmac.new(key, password.reveal().encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
