"""Whom to trust at the other end of TLS."""

from __future__ import annotations

import ssl

from provisioner.core.problem import Place, Problem, ProvisionerError


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
