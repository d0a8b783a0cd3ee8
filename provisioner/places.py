"""Where one run of the program keeps and finds everything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

NAME = "softphone-provisioner"


@dataclass(frozen=True, slots=True)
class Places:
    """Absolute paths. ``root`` is what absolute paths of targets, homes and passwords hang under."""

    root: Path
    config: Path
    state: Path
    runtime: Path

    @property
    def socket(self) -> Path:
        """The control socket of the service."""
        return self.runtime / "control.sock"

    @property
    def courier_socket(self) -> Path:
        """Where couriers reach the service."""
        return self.runtime / "courier.sock"

    @property
    def site_templates(self) -> Path:
        """The site's own targets."""
        return self.config / "templates"


def places_of(root: Path | None, config: Path | None, state: Path | None) -> Places:
    """The places for what a user named; None is the default below ``root``, whose default is ``/``."""
    top = (root or Path("/")).absolute()
    kept = state.absolute() if state else top / "var/lib" / NAME
    # A plain user has no /run of their own: the socket is where the state is.
    runtime = kept if state else top / "run" / NAME
    return Places(top, config.absolute() if config else top / "etc" / NAME, kept, runtime)
