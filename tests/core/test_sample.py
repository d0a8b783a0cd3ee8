"""The sample is complete, right, and stays so when lines of it are uncommented."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from provisioner.core.document import read_document
from provisioner.core.read_settings import agents_of
from provisioner.core.rules import doubled, unknown_targets
from provisioner.core.sample import EXAMPLE, MAIN, texts
from provisioner.core.schema import SETTINGS, default_of, keys

CONFIG = Path(__file__).parents[2] / "config"
TARGETS = {path.name for path in (CONFIG.parent / "templates").iterdir() if path.is_dir()}
# A setting that is not in force; prose has a blank behind the #.
COMMENTED = re.compile(r"^( *)#(?=[^ #\n])", re.MULTILINE)


def everything(text: str) -> str:
    return COMMENTED.sub(r"\1", text)


def singles() -> list[tuple[str, int]]:
    return [(name, number) for name, text in texts().items() for number, _ in enumerate(COMMENTED.findall(text))]


def uncommented(text: str, number: int) -> str:
    found = list(COMMENTED.finditer(text))[number]
    return text[: found.start()] + found.group(1) + text[found.end() :]


def mistakes(name: str, text: str) -> list[str]:
    document = read_document(name, text, SETTINGS)
    problems = [
        *agents_of(document, {}, main=name == MAIN)[1],
        *doubled([document]),
        *unknown_targets(document, TARGETS),
    ]
    return [str(problem) for problem in problems]


def names_in(value: object, prefix: str = "") -> set[str]:
    if isinstance(value, list):
        return {name for item in value for name in names_in(item, f"{prefix}[]")}
    if not isinstance(value, dict):
        return set()
    below = {name for key, inner in value.items() for name in names_in(inner, f"{prefix}.{key}".lstrip("."))}
    return below | {f"{prefix}.{key}".lstrip(".") for key in value}


@pytest.mark.parametrize("name", [MAIN, EXAMPLE])
def test_the_files_in_config_are_what_the_schema_makes(name):
    assert (CONFIG / name).read_text() == texts()[name]


def test_there_is_nothing_else_in_config():
    assert {str(path.relative_to(CONFIG)) for path in CONFIG.rglob("*") if path.is_file()} == {MAIN, EXAMPLE}


@pytest.mark.parametrize("name", [MAIN, EXAMPLE])
def test_it_is_right_as_it_is_and_with_every_line_uncommented(name):
    assert mistakes(name, texts()[name]) == []
    assert mistakes(name, everything(texts()[name])) == []


@pytest.mark.parametrize(("name", "number"), singles())
def test_each_line_can_be_uncommented_alone(name, number):
    text = uncommented(texts()[name], number)
    assert text != texts()[name]
    assert mistakes(name, text) == []


@pytest.mark.parametrize("make", [str, everything])
@pytest.mark.parametrize("name", [MAIN, EXAMPLE])
def test_editors_find_nothing_wrong_with_it(name, make):
    """They read plain YAML 1.1 and know nothing of our reader."""
    jsonschema.Draft7Validator(SETTINGS).validate(yaml.safe_load(make(texts()[name])))


def test_every_setting_is_in_it():
    whole: list[Any] = [yaml.safe_load(everything(text)) for text in texts().values()]
    names = {name.replace("defaults.", "agents[].") for value in whole for name in names_in(value)}
    told_in_prose_alone = re.compile(r"\.turn\[\]\.password\.|\.reload\.")
    assert names >= {
        name.replace("defaults.", "agents[].") for name, _ in keys() if not told_in_prose_alone.search(name)
    }


@pytest.mark.parametrize(("name", "part"), list(keys()))
def test_every_setting_is_described_with_its_default(name, part):
    prose = " ".join(line.strip().removeprefix("# ").strip() for text in texts().values() for line in text.split("\n"))
    if name not in ("agents", "agents[].targets[].target"):
        assert " ".join(part["description"].split()) in prose
    if default_of(part):
        assert f"Default: {default_of(part)}." in prose


@pytest.mark.parametrize("text", texts().values())
def test_it_is_a_pleasure_to_read(text):
    lines = text.split("\n")
    assert lines[-1] == "" and lines[-2] != ""
    assert all(line == line.rstrip() and "\t" not in line for line in lines)
    assert all(len(line) <= (100 if re.match(r" *# ", line) else 120) for line in lines)


def test_no_password_to_try_is_in_force():
    """Whoever starts the service on the untouched sample must not send a made-up login to anybody."""
    (agent,) = yaml.safe_load(texts()[EXAMPLE])["agents"]
    assert agent["password"].keys() == {"file"}
