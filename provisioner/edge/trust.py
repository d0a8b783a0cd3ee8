"""Whom to trust at the other end of TLS."""

from __future__ import annotations

import ssl
from pathlib import Path

from provisioner.core.problem import Place, Problem, ProvisionerError

Stamp = tuple[int, int, int] | None


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Whom to trust: the authorities in ``ca_file``, or the system's (None). Raises ProvisionerError."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        why = "not a PEM file" if isinstance(error, ssl.SSLError) else error.strerror
        what = f"the authorities in `{ca_file}` cannot be read: {why}"
        raise ProvisionerError(Problem(Place("platform.ca_file"), what, "name a PEM file with certificates")) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def stamp(ca_file: str | None) -> Stamp:
    """Tells whether a CA file was replaced since; None where there is none."""
    try:
        found = Path(ca_file).stat() if ca_file else None
    except OSError:
        found = None
    return (found.st_ino, found.st_mtime_ns, found.st_size) if found else None
