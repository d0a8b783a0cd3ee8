"""A certificate authority of our own, for the servers on loopback."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificates:
    """``authority`` is what phones trust; ``server`` holds key and certificate of ``localhost``."""

    authority: Path
    server: Path


def certificates(folder: Path) -> Certificates:
    """Make both in ``folder``."""
    made = Certificates(folder / "authority.pem", folder / "server.pem")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(made.authority))
    # A name and no address: Linphone 5.1 refuses a certificate with an IP address.
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(made.server))
    return made
