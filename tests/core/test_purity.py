"""The core is values in, values out, and the edge does not know the loop."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import provisioner

PACKAGE = Path(provisioner.__file__).parent
IMPURE = {"asyncio", "aiohttp", "os", "socket", "tempfile", "logging", "time", "random", "subprocess", "threading"}
# Beside these the edge knows names of folders, how to wait, and the program's version: nothing that decides.
BELOW = ("provisioner.core", "provisioner.edge", "provisioner.places", "provisioner.waiting", "provisioner.__version__")


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{name.name}" for name in node.names)


def files_of(part: str) -> list[Path]:
    found = sorted((PACKAGE / part).rglob("*.py"))
    assert found, f"no modules in {part}"
    return found


def names(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


@pytest.mark.parametrize("file", files_of("core"), ids=names)
def test_the_core_imports_nothing_that_touches_the_world(file):
    assert {name.partition(".")[0] for name in imported(file)} & IMPURE == set()


@pytest.mark.parametrize("file", files_of("core"), ids=names)
def test_the_core_imports_nothing_outside_the_core(file):
    ours = {name for name in imported(file) if name.startswith("provisioner.")}
    assert {name for name in ours if not name.startswith("provisioner.core")} == set()


@pytest.mark.parametrize("file", files_of("edge"), ids=names)
def test_the_edge_does_not_know_the_loop(file):
    ours = {name for name in imported(file) if name.startswith("provisioner.")}
    assert {name for name in ours if not name.startswith(BELOW)} == set()
