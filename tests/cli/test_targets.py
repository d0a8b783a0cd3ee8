"""`provisioner targets`: what each phone can do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provisioner.cli import main
from provisioner.edge.catalog import CatalogReader, shipped


def test_all_that_ship_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["targets", "--root", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert [name for name in CatalogReader([shipped()]).read().targets if f"{name}  " not in out] == []


def test_one_is_told_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["targets", "twinkle", "--format", "json", "--root", str(tmp_path)]) == 0
    (target,) = json.loads(capsys.readouterr().out)["targets"]
    assert target["transports"] == ["udp", "tcp"]
    assert target["relay"] == ["route"]


@pytest.mark.parametrize(
    ("name", "way", "words"),
    [
        ("linphone", "through the relay", "route, ice, rtcp-mux, stun"),
        ("twinkle", "registers through the relay, cannot call", "route"),
        ("jssip", "by itself", "none"),
    ],
)
def test_what_becomes_of_a_phone_where_only_wss_is_allowed_is_told(name, way, words, tmp_path: Path, capsys):
    assert main(["targets", name, "--root", str(tmp_path)]) == 0
    lines = [line.split(":") for line in capsys.readouterr().out.splitlines() if ":" in line]
    told = {line[0].strip(): line[1].strip() for line in lines}
    assert (told["with wss only"], told["for the relay"]) == (way, words)


def test_each_phone_of_the_record_has_a_line_and_a_target_without_one_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["targets", "--root", str(tmp_path)]) == 0
    told = [line.split(maxsplit=2)[2] for line in capsys.readouterr().out.splitlines() if "tried with:" in line]
    every = CatalogReader([shipped()]).read().targets.values()
    expected = [phone for one in every for phone in one.tried_with or ("not yet with a real server",)]
    assert sorted(told) == sorted(expected)
    assert "not yet with a real server" in told


def test_a_misspelt_one_is_guessed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["targets", "linfone", "--root", str(tmp_path)]) == 1
    assert "did you mean `linphone`?" in capsys.readouterr().err


def test_a_broken_one_of_the_site_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tmp_path / "etc/softphone-provisioner/templates/own"
    folder.mkdir(parents=True)
    (folder / "manifest.yaml").write_text("titel: x\n")
    assert main(["targets", "--root", str(tmp_path)]) == 1
    assert "`titel` is not a setting" in capsys.readouterr().err
