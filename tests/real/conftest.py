"""What the tests with real servers and real phones share."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from provisioner.demo.platform import SimulatedPlatform, serve
from tests.machine import Machine
from tests.real.asterisk import Asterisk, asterisk
from tests.real.certificates import Certificates, certificates
from tests.real.desk import Desk, settings
from tests.real.needs import need, need_asterisk
from tests.real.network import own_network
from tests.real.record import Record, closed, opened
from tests.real.sound import sound_card


@pytest.fixture(scope="session")
def record() -> Iterator[Record]:
    """What is seen with real phones."""
    one = opened()
    yield one
    closed(one)


@pytest.fixture(scope="session")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """The certificates of this run."""
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name, for sockets; when the test is over its logs are shown, if pytest shows anything."""
    with tempfile.TemporaryDirectory(prefix="desk-") as name:
        yield Path(name)
        for log in [
            *Path(name).glob("*.log"),
            *Path(name).glob("machine/*.log"),
            *Path(name).glob("machine/home/*/.*/*.log"),
        ]:
            print(f"--- the end of {log.name}\n{log.read_text(errors='replace')[-20000:]}")


@pytest.fixture
def network() -> Iterator[None]:
    """Nobody else's ports, and no way out."""
    need("ip")
    with own_network():
        yield


@pytest.fixture
async def server(network: None, folder: Path, trusted: Certificates) -> AsyncIterator[Asterisk]:
    """The SIP server."""
    need_asterisk()
    async with asterisk(folder / "asterisk", trusted) as one:
        yield one


@pytest.fixture
async def desk(folder: Path, trusted: Certificates, server: Asterisk) -> AsyncIterator[Desk]:
    """Platform, server and workstation."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(trusted.server)
    platform = SimulatedPlatform(domain="localhost")
    async with serve(platform, context) as address:
        url = address.replace("127.0.0.1", "localhost")
        machine = Machine(folder / "machine", url)
        machine.main.write_text(settings(server, url))
        yield Desk(folder, platform, machine, server)


@pytest.fixture
async def sound(desk: Desk) -> AsyncIterator[None]:
    """A sound card for the desk's phones."""
    need("pulseaudio")
    async with sound_card(desk.folder) as environment:
        desk.environment |= environment
        yield
