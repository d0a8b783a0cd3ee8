"""What the daemon asks of a courier, there and back; and what is no such thing."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.errand import (
    LONGEST_RUN,
    PROTOCOL,
    Bring,
    Errand,
    Hello,
    KeepOnly,
    Look,
    Peek,
    Previous,
    Remove,
    Run,
    errand_as_json,
    errand_from_json,
    hello_as_json,
    hello_from_json,
)
from provisioner.core.frame import FrameError
from provisioner.core.parcel import Layout, Parcel
from provisioner.core.plan import DesiredFile
from tests.core.courier_values import LAYOUTS, PARCELS, PATIENT, TEXTS, almost

AGENTS = st.lists(TEXTS, max_size=4).map(tuple)
ERRANDS = (
    st.builds(Bring, TEXTS, PARCELS)
    | st.builds(Peek, PARCELS)
    | st.builds(Previous, TEXTS, LAYOUTS, st.booleans())
    | st.builds(Remove, TEXTS)
    | st.builds(KeepOnly, AGENTS)
    | st.builds(Look, AGENTS)
    | st.builds(Run, st.lists(TEXTS, min_size=1, max_size=3).map(tuple), st.floats(0, LONGEST_RUN))
)
HERE = Layout("/home/ana", PurePosixPath(".phone"), (PurePosixPath(".phone/logs"),))
BRING = Bring("ana", (Parcel("phone", HERE, (DesiredFile(PurePosixPath(".phone/account.ini"), b"x"),)),))


@PATIENT
@given(ERRANDS)
def test_an_errand_arrives_as_it_was_sent(errand: Errand):
    assert errand_from_json(json.loads(json.dumps(errand_as_json(errand)))) == errand


@PATIENT
@given(TEXTS)
def test_a_hello_arrives_as_it_was_sent(version: str):
    hello = Hello(PROTOCOL, version)
    assert hello_from_json(json.loads(json.dumps(hello_as_json(hello)))) == hello


def test_of_another_protocols_hello_only_the_number_is_read():
    assert hello_from_json({"courier": PROTOCOL + 1, "whatever": []}) == Hello(PROTOCOL + 1, "")


@pytest.mark.parametrize("hello", [{}, {"courier": True}, {"courier": "1"}, {"courier": 1}, {"courier": 1.0}])
def test_a_hello_names_its_protocol(hello: dict[str, Any]):
    with pytest.raises(FrameError, match="does not say what it should"):
        hello_from_json(hello)


@pytest.mark.parametrize(
    "errand",
    [
        BRING,
        Peek(BRING.parcels),
        Previous("ana", HERE, True),
        Remove("ana"),
        KeepOnly(("ana",)),
        Look(("ana",)),
        Run(("true",), 1.0),
    ],
    ids=str,
)
def test_what_is_almost_an_errand_is_one_or_an_error_and_nothing_else(errand: Errand):
    refused = 0
    for wrong in almost(errand_as_json(errand)):
        try:
            errand_from_json(wrong)
        except FrameError:
            refused += 1
    assert refused > 20


def place(**changes: object) -> dict[str, Any]:
    message = errand_as_json(BRING)
    message["parcels"][0]["place"] |= changes
    return message


def file(**changes: object) -> dict[str, Any]:
    message = errand_as_json(BRING)
    message["parcels"][0]["files"][0] |= changes
    return message


def run(argv: object, seconds: object) -> dict[str, Any]:
    return {"do": "run", "argv": argv, "seconds": seconds}


@pytest.mark.parametrize(
    "message",
    [
        place(base="home/ana"),
        place(base="/home\0/ana"),
        place(folder="../beto"),
        place(folder="/etc"),
        place(folders=["a/../../b"]),
        {**errand_as_json(BRING), "parcels": [{"target": "phone", "place": "", "files": []}]},
        file(path="../.bashrc"),
        file(path="/etc/passwd"),
        file(path=""),
        file(path="a\0b"),
        file(content="no base64!"),
        file(content="ñ"),
        file(mode=0o4755),
        file(mode=True),
        file(mode=-1),
        file(once=1),
        run([], 1.0),
        run("true", 1.0),
        run(["true"], float("nan")),
        run(["true"], float("inf")),
        run(["true"], 10**400),
        run(["true"], -1),
        run(["true"], True),
        {"do": ["run"]},
        {"do": "shell"},
        {},
    ],
    ids=str,
)
def test_nothing_is_written_or_run_where_an_errand_is_wrong(message: dict[str, Any]):
    with pytest.raises(FrameError, match="does not say what it should"):
        errand_from_json(message)


def test_the_untouched_examples_are_right():
    assert errand_from_json(place()) == errand_from_json(file()) == BRING
    assert errand_from_json(run(["true"], 1)) == Run(("true",), 1.0)
