"""What tests of the whole program share."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from provisioner.demo.platform import SimulatedAgent, SimulatedPlatform, serve
from tests.loopback import alone
from tests.machine import Machine

# How long an example takes is the machine's affair; and the same tree gets the same verdict every time. New examples
# are looked for with `--hypothesis-profile=search`; `fast` tries fewer.
STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("steady", STEADY)
settings.register_profile("search", STEADY, derandomize=False, max_examples=500)
settings.register_profile("fast", STEADY, max_examples=25)
settings.load_profile("steady")


def pytest_configure() -> None:
    """Let each process that runs tests have a loopback of its own, where that is allowed: so nobody takes a port that
    was free a moment ago, and nobody is asked beyond this machine."""
    if os.geteuid() == 0:
        alone()


@pytest.fixture
def platform() -> SimulatedPlatform:
    """A platform that knows ana and carla (current generation) and beto (older)."""
    return SimulatedPlatform(
        [
            SimulatedAgent("ana", "pw-ana", "1001", row={"fullname": "Ana Núñez"}),
            SimulatedAgent("beto", "pw-beto", "1002", "older", row={"transport": "udp,tls", "encryption": "no"}),
            SimulatedAgent("carla", "pw-carla", "1003"),
        ]
    )


@pytest.fixture
async def machine(tmp_path: Path, platform: SimulatedPlatform) -> AsyncIterator[Machine]:
    """A workstation whose platform runs."""
    async with serve(platform) as url:
        yield Machine(tmp_path, url, cold=False)
