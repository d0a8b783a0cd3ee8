"""A login's answer in, the complete set of files out, byte for byte."""

import json
import os
import re
import subprocess
import sys
from pathlib import PurePosixPath

import pytest

from tests.targets.golden import CASES, FOLDER, expected, outcome
from tests.targets.stage import PAIRS, catalog


def _named(path):
    return f"{path.parent.name}/{path.name}"


@pytest.mark.parametrize("case", CASES, ids=_named)
def test_a_case_gives_exactly_its_files(case):
    made, wanted = outcome(case), expected(case)
    assert made.modes == wanted.modes
    assert set(made.files) == set(wanted.files)
    assert made.files == wanted.files


@pytest.mark.parametrize("case", CASES, ids=_named)
def test_a_case_is_of_the_target_whose_folder_it_is_in(case):
    written = [PurePosixPath(re.sub("^0[0-7]{3} | once$", "", line)).name for line in expected(case).modes]
    assert written == [spec.name for spec in catalog().targets[case.parent.name].files]


@pytest.mark.parametrize("generation", ["seed", "old"])
@pytest.mark.parametrize(("target", "transport"), PAIRS)
def test_every_target_has_a_case_for_each_transport_and_each_generation(target, transport, generation):
    reply = json.loads((FOLDER / target / f"{generation}-{transport}" / "reply.json").read_text())
    assert reply["transport"] == transport
    if generation == "seed":
        assert re.fullmatch("[0-9a-f]{32}", reply["md5secret"])
        assert (reply["secret"], bool(reply["token"])) == ("", True)
    else:
        assert not re.fullmatch("[0-9a-f]{32}", reply["md5secret"])
        assert (bool(reply["secret"]), "token" in reply) == (True, False)


def test_every_folder_of_cases_belongs_to_a_target():
    assert {case.parent.name for case in CASES} == set(catalog().targets)


def test_golden_files_are_not_written_where_ci_runs():
    before = {case: expected(case) for case in CASES}
    command = [sys.executable, "-m", "tests.targets.golden"]
    run = subprocess.run(command, env={**os.environ, "CI": "true"}, cwd=FOLDER.parent.parent, check=False)
    assert run.returncode != 0
    assert {case: expected(case) for case in CASES} == before
