"""What tests of the whole program share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from provisioner.demo.platform import SimulatedAgent, SimulatedPlatform, serve
from tests.machine import Machine


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
        yield Machine(tmp_path, url)
