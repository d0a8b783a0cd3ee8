"""The README says what is."""

from __future__ import annotations

import re
from pathlib import Path

import provisioner
from provisioner.cli import VERBS
from tests.readme import README, current

TEXT = README.read_text()
PACKAGE = Path(provisioner.__file__).parent


def test_tables_are_those_of_the_schema_and_the_manifests():
    assert current(TEXT) == TEXT, "python -m tests.readme"


def test_every_module_that_the_life_of_a_login_names_exists():
    life = TEXT.partition("## Life of a login")[2].partition("\n## ")[0]
    named = re.findall(r"`((?:core|edge)/\w+)`", life)
    assert len(named) > 10
    assert [name for name in named if not (PACKAGE / f"{name}.py").exists()] == []


def test_every_verb_is_told():
    table = TEXT.partition("## Verbs")[2].partition("\n## ")[0]
    assert [verb for verb in VERBS if f"`{verb}" not in table] == []


def test_every_file_that_is_linked_exists():
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    assert [link for link in links if not (README.parent / link).exists()] == []
