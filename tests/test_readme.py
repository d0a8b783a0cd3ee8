"""The README says what is."""

from __future__ import annotations

import re
from pathlib import Path

import provisioner
from provisioner.cli import VERBS
from provisioner.core.document import read_document
from provisioner.core.fit import Choice, fit
from provisioner.core.formats import FORMATS
from provisioner.core.manifest import MANIFEST, target_from
from provisioner.core.render import render
from provisioner.core.target import RELAY_ABILITIES, VALUES
from provisioner.core.template import FILTERS, TESTS
from tests.readme import README, current
from tests.targets.stage import account, ha1, row

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


ADD_A_TARGET = TEXT.partition("## Add a target")[2].partition("\n## ")[0]


def test_every_key_of_a_manifest_every_format_and_every_value_of_a_template_is_told():
    properties = MANIFEST["properties"]
    files, reload = properties["files"]["items"]["properties"], properties["reload"]["properties"]
    keys = [*properties, *files, *reload, "refuse", "longest", "default", "values", "description", *RELAY_ABILITIES]
    assert set(keys) - set(re.findall(r"[\w-]+", ADD_A_TARGET)) == set()
    assert {*VALUES, *FORMATS, *FILTERS, *TESTS} - set(re.findall("`([^`\n]+)`", ADD_A_TARGET)) == set()


def test_the_example_of_a_target_is_one():
    manifest, template = re.findall(r"```(?:yaml|jinja)\n(.*?)```", ADD_A_TARGET, re.DOTALL)
    own = target_from("own", read_document("m", manifest, MANIFEST), {"account.ini.j2": template})
    (made,) = render(own, fit(account(row()), own, Choice("/home/v", {})))
    assert made.file.content.decode() == f"[account]\nuser=1997\nha1={ha1()}\nrealm=asterisk\ntransport=wss\n"
