"""A port for a relay, chosen once and kept from then on."""

from __future__ import annotations

import random
from collections.abc import Collection

from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.edge.relay import bound

# Below Linux's own range for outgoing connections (32768 to 60999, ip_local_port_range), in which any program may hold
# any port at the moment when we want it; above what phones use for audio.
FIRST, LAST = 21_000, 29_999
_TRIES = 50


def choose_port(taken: Collection[int]) -> int:
    """A port of loopback that nobody has now, and none of ``taken``. Raises ProvisionerError."""
    for _ in range(_TRIES):
        port = random.randint(FIRST, LAST)  # noqa: S311 - no secret
        if port in taken:
            continue
        try:
            for one in bound(port):
                one.close()
        except ProvisionerError:
            continue
        return port
    what = f"no port between {FIRST} and {LAST} is free for the relay"
    raise ProvisionerError(Problem(Place("127.0.0.1"), what, "set `relay: {port: …}`"))
