"""`provisioner init`."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from provisioner.cli import main
from provisioner.core.sample import EXAMPLE, MAIN, texts
from provisioner.edge.configuration import Configuration


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("usual_umask")
def test_it_writes_the_sample_with_its_modes(tmp_path, capsys):
    folder = tmp_path / "deep" / "etc"
    assert main(["init", "--config", str(folder)]) == 0
    assert {name: (folder / name).read_text() for name in (MAIN, EXAMPLE)} == texts()
    assert (mode(folder / EXAMPLE), mode(folder / "agents.d"), mode(folder / MAIN)) == (0o600, 0o700, 0o644)
    out = capsys.readouterr().out
    assert str(folder / MAIN) in out and str(folder / EXAMPLE) in out and "provisioner check" in out


def test_it_names_the_check_of_what_it_wrote(tmp_path, capsys):
    folder = tmp_path / "my folder"
    assert main(["init", "--config", str(folder)]) == 0
    assert capsys.readouterr().out.endswith(f"then run: provisioner check --config '{folder}'\n")


@pytest.mark.parametrize("name", [MAIN, EXAMPLE])
def test_it_overwrites_nothing_and_then_writes_nothing(tmp_path, capsys, name):
    there = tmp_path / name
    there.parent.mkdir(exist_ok=True)
    there.write_text("mine\n")
    assert main(["init", "--config", str(tmp_path)]) == 1
    assert there.read_text() == "mine\n"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [there]
    assert f"{there}: this file is there already" in capsys.readouterr().err


def test_a_link_is_not_written_through(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / MAIN).symlink_to(tmp_path / "elsewhere")
    assert main(["init", "--config", str(tmp_path / "etc")]) == 1
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["init", "--config", str(tmp_path / "file" / "etc")]) == 1
    err = capsys.readouterr().err
    assert "cannot be written: Not a directory (name another folder with --config)" in err


def test_what_it_writes_is_a_configuration(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "provisioner", "init", "--root", str(tmp_path)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    loaded = Configuration(tmp_path / "etc/softphone-provisioner").load()
    assert list(loaded.settings.agents) == ["vcisneros"]
