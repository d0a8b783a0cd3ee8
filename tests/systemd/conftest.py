"""Machines to test with, for each release of Debian that the package promises to run on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systemd import roots
from tests.systemd.boot import Booted, booted
from tests.systemd.needs import need_machines
from tests.systemd.workstation import built, install, layers, simulate_platform


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They all take their time."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", params=roots.RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    need_machines()
    return str(request.param)


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our package, just built."""
    need_machines()
    return built(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="session")
def layer(release: str, package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What a fresh machine has become by installing the package with apt."""
    made = tmp_path_factory.mktemp(f"installed-{release}")
    with booted([roots.folder(release)], made) as machine:
        install(machine, package)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def installed(release: str, layer: Path, tmp_path: Path) -> Iterator[Booted]:
    """A machine where the package is installed, and nothing configured."""
    with booted(layers(layer, root=roots.folder(release)), tmp_path / "layer") as machine:
        yield machine
    shutil.rmtree(tmp_path / "layer")


@pytest.fixture
def machine(installed: Booted) -> Booted:
    """A machine where the package is installed, with a platform."""
    simulate_platform(installed)
    return installed
