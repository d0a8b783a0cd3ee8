"""A login's answer in, the complete set of files out, byte for byte."""

import json
import os
import re
import subprocess
import sys
from pathlib import PurePosixPath

import pytest

from provisioner.core.relay_way import RelayMode
from tests.targets.golden import CASES, FOLDER, expected, outcome
from tests.targets.stage import PAIRS, PASSWORD, catalog, ha1


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


@pytest.mark.parametrize("mode", RelayMode)
@pytest.mark.parametrize("name", [name for name, one in catalog().targets.items() if one.relay])
def test_every_target_that_goes_through_the_relay_has_a_case_for_each_mode(name, mode):
    texts = b"".join(expected(FOLDER / name / ("relay" if mode is RelayMode.ANSWER else "relay-pass")).files.values())
    assert b"127.0.0.1:25060" in texts
    secret = any(text.encode() in texts for text in (PASSWORD, ha1()))
    assert secret is (mode is RelayMode.PASS)


def test_every_folder_of_cases_belongs_to_a_target():
    assert {case.parent.name for case in CASES} == set(catalog().targets)


def test_golden_files_are_not_written_where_ci_runs():
    before = {case: expected(case) for case in CASES}
    command = [sys.executable, "-m", "tests.targets.golden"]
    run = subprocess.run(command, env={**os.environ, "CI": "true"}, cwd=FOLDER.parent.parent, check=False)
    assert run.returncode != 0
    assert {case: expected(case) for case in CASES} == before
