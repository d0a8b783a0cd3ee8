"""The package says the same as the program that is in it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from provisioner import __version__

TOP = Path(__file__).parents[1]
DEBIAN = TOP / "systemd" / "debian"


def floors(text: str) -> dict[str, str]:
    """Python packages of Debian with their least versions."""
    found = re.findall(r"^ python3-([a-z0-9]+) \(>= ([0-9.]+)\),$", text, re.MULTILINE)
    return {name: version for name, version in found if name != "hatchling"}


def test_its_version_is_the_program_s():
    assert (DEBIAN / "changelog").read_text().startswith(f"softphone-provisioner ({__version__}) ")


def test_it_depends_on_what_the_program_needs_in_the_versions_of_debian_12():
    source, _, binary = (DEBIAN / "control").read_text().partition("\nPackage: ")
    assert floors(source) == floors(binary)
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    needed = {re.split("[><=]", one)[0].lower().removeprefix("py") for one in project["dependencies"]}
    assert set(floors(binary)) == needed
    tested = dict(
        line.lower().split("==")
        for line in (TOP / "tests/constraints/debian12.txt").read_text().splitlines()
        if "==" in line
    )
    assert {name: tested.get(name) or tested[f"py{name}"] for name in needed} == floors(binary)
    assert f"python3 ({project['requires-python'][:2]} {project['requires-python'][2:]})" in binary


def test_nothing_of_it_is_a_file_that_an_upgrade_asks_about():
    assert not [path.name for path in DEBIAN.rglob("*") if "conffiles" in path.name]
    assert "etc/" not in (DEBIAN / "softphone-provisioner.install").read_text()
