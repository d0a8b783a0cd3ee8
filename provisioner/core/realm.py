"""The realm is proven, not guessed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from provisioner.core.account import Credential, Proof
from provisioner.core.peer import Peer
from provisioner.core.secret import Secret

ASTERISK = "asterisk"


def ha1(user: str, realm: str, password: str) -> str:
    """MD5(user:realm:password) in lower-case hex (RFC 2617 section 3.2.2.2)."""
    text = f"{user}:{realm}:{password}"
    return hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def prove(user: str, hashed: Secret, passwords: Iterable[Secret], realms: Iterable[str]) -> tuple[str, Secret] | None:
    """The realm and password whose HA1 is ``hashed``; None when no pair fits.

    chan_sip.c (check_auth) compares with MD5(name:realm:secret), so a pair that fits is proven without asking anybody.
    """
    tried = list(passwords)
    for realm in realms:
        for password in tried:
            if Secret(ha1(user, realm, password.reveal())) == hashed:
                return realm, password
    return None


def credential_of(peer: Peer, login_password: Secret | None, realms: Iterable[str]) -> Credential | None:
    """What is known of the peer's SIP credential; None when there is nothing to answer a challenge with.

    ``realms`` are the candidates, most trusted first; the first one stands where none can be proven. The login
    password is the SIP password only where the hash proves it: platforms differ.
    """
    candidates = tuple(dict.fromkeys(realms))
    # A platform that fills both columns with the hash has told no password.
    is_hash = peer.md5secret and Secret(peer.secret.reveal().strip().lower()) == peer.md5secret
    given = None if is_hash else peer.secret or None
    if not peer.md5secret:
        return Credential(peer.name, candidates[0], None, given, Proof.PASSWORD) if given else None
    passwords = [password for password in (given, login_password) if password]
    proven = prove(peer.name, peer.md5secret, passwords, candidates)
    if proven is None:
        return Credential(peer.name, candidates[0], peer.md5secret, given, Proof.ASSUMED)
    return Credential(peer.name, proven[0], peer.md5secret, proven[1], Proof.PROVEN)
