"""Verbs that only talk to the service start at once: they import nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("aiohttp", "asyncio", "fastjsonschema", "jinja2", "jsonschema", "sqlite3", "watchdog", "yaml")


@pytest.mark.parametrize(
    "verb",
    [["status"], ["status", "--format", "metrics"], ["reload", "--wait"], ["refresh", "ana"], ["log-off", "ana"]],
)
def test_they_import_nothing_heavy(tmp_path: Path, verb: list[str]):
    words = [*verb, "--root", str(tmp_path)]
    code = f"import sys; from provisioner.cli import main; main({words!r}); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "provisioner.cli.ask" in loaded
    assert [name for name in HEAVY if name in loaded] == []
