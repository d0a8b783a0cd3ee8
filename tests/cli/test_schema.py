"""`provisioner schema`."""

from __future__ import annotations

import json
import subprocess
import sys

from provisioner.cli import main
from provisioner.core.schema import SETTINGS


def test_it_prints_the_schema_that_everything_is_checked_by(capsys):
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == SETTINGS


def test_it_is_cheap():
    """An editor's plug-in may ask often: neither the network nor the templates are imported."""
    code = "import sys; from provisioner.cli import main; main(['schema']); print(sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["title"]
    assert "provisioner.core.schema" in done.stderr
    assert not any(f"'{name}'" in done.stderr for name in ("aiohttp", "jinja2", "asyncio", "jsonschema"))
