"""The man pages, as man shows them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from provisioner.cli import VERBS, make_parser
from provisioner.core.schema import keys
from provisioner.manual.pages import texts
from provisioner.manual.roff import prose
from provisioner.manual.verbs import command_of
from tests.real.needs import need_commands


def man(page: Path) -> str:
    """What a reader sees, in lines so long that no word is broken."""
    need_commands("man")
    environment = {**os.environ, "MANWIDTH": "2000", "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MAN_KEEP_FORMATTING": ""}
    done = subprocess.run(
        ["man", "--warnings", "--local-file", page], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("manual")
    subprocess.run([sys.executable, "-m", "provisioner.manual", made], check=True)
    return made


def test_all_are_written(folder: Path):
    assert {path.name: path.read_text() for path in folder.iterdir()} == dict(texts())


def test_the_command_s_page_has_every_verb_with_every_option(folder: Path):
    page = man(folder / "provisioner.1")
    for verb in command_of(make_parser()).verbs:
        chapter = page.partition(f"   provisioner {verb.name}")[2].partition("\n   provisioner ")[0]
        assert " ".join(verb.description.replace("`", "").split()[:6]) in " ".join(chapter.split())
        for argument in verb.arguments:
            assert argument.flags == ("-h", "--help") or ", ".join(argument.flags) in chapter
            assert argument.flags == ("-h", "--help") or argument.help.replace("`", "") in chapter
    assert page.count("\n   provisioner ") == len(VERBS)
    assert "78 run found no usable configuration" in " ".join(page.split())


def test_the_settings_page_has_every_setting_with_its_default(folder: Path):
    page = man(folder / "softphone-provisioner.yaml.5")
    for name, part in keys():
        if not name.startswith("defaults."):
            (entry,) = re.findall(rf"^       {re.escape(name)}\s(.*?)\n\n", page, re.DOTALL | re.MULTILINE)
            assert part["description"].split(".")[0].replace("`", "") in entry, name
    assert "Longest time to reach the platform. Default: 5s." in page
    assert "\n             url: https://acme" in page  # the example's indentation counts


def test_nothing_that_is_written_is_taken_for_a_request():
    shown = list(prose(".TH no\n\n  'no \\fB either\n\n\\fB-`x`"))
    assert shown[0] == "\\&.TH no" and "\\&'no \\efB either" in shown and shown[-1] == "\\efB\\-\\fBx\\fR"
