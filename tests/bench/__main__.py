"""``make bench``: all figures as one table."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench import bulk, edits, process, relay
from tests.bench.table import Figure, shown
from tests.bench.yardsticks import plain_loop, watchdog_alone


def figures(folder: Path) -> Iterator[Figure]:
    """Measure one after the other."""
    alone = asyncio.run(watchdog_alone(folder, 200))
    yield Figure("yardstick: watchdog alone, write → event, median of 200", alone, "ms")
    plain = plain_loop(folder / "plain", 1000, 2)
    yield Figure("yardstick: a plain loop, 1000 agents × 2 files, with fsync", plain, "s")
    yield from bulk.files(folder / "files", 1000, plain)
    yield from bulk.settings(folder / "settings")
    yield from asyncio.run(process.measure(folder / "process"))
    yield from asyncio.run(process.courier(folder / "courier"))
    yield from asyncio.run(edits.measure(folder / "edits1", 1, 1000))
    yield from asyncio.run(edits.measure(folder / "edits1000", 1000, 100))
    yield from relay.figures(folder / "relay")


def main() -> int:
    """Print the table; 1 when a figure is above its bound."""
    above = False
    with tempfile.TemporaryDirectory(prefix="provisioner-bench-") as folder:
        for figure in figures(Path(folder)):
            above |= figure.bound is not None and figure.value > figure.bound
            print(shown(figure), flush=True)
    return int(above)


sys.exit(main())
