"""What booting machines takes; a test that cannot run says why, and where CI=true that is a failure."""

from __future__ import annotations

from tests.real.needs import lacking, need
from tests.systemd import roots


def need_machines() -> None:
    """Skip, or fail in CI, unless Debian can be booted here and our package built."""
    need("systemd-nspawn", "nsenter", "setpriv", "unshare", "dpkg-buildpackage", "dh", "dh_python3", "btrfs")
    missing = [release for release in roots.RELEASES if not roots.ready(release)]
    if missing:
        lacking(f"no roots of {', '.join(missing)} to boot (tests/tools.sh makes them on Debian)")
