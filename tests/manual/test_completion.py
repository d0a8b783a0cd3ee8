"""Completions, as the shells themselves give them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from provisioner.cli import VERBS
from provisioner.manual.pages import write
from tests.real.needs import need_commands

CASES = [
    ("provisioner re", {"render", "refresh", "reload"}),
    ("provisioner log-off --fo", {"--format"}),
    ("provisioner reload --", {"--config", "--state", "--root", "--format", "--wait", "--force", "--help"}),
    ("provisioner status --format ", {"text", "json", "metrics"}),
    ("provisioner --root", set()),
    ("provisioner check --config fol", {"folder/"}),
    ("provisioner render fi", {"file.json"}),
    ("provisioner refresh fi", set()),
    ("provisioner status --workstation fi", set()),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "made")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.json").touch()
    return tmp_path


def printed(folder: Path, *command: str) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env={"HOME": str(folder)})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def bash(folder: Path, line: str) -> set[str]:
    script = """
        source made/provisioner.bash; compopt() { :; }
        read -ra COMP_WORDS <<<"$1"; case "$1" in *" ") COMP_WORDS+=("") ;; esac
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _provisioner; printf '%s\\n' "${COMPREPLY[@]}"
    """
    words = printed(folder, "/bin/bash", "-ec", script, "bash", line)
    return {f"{word}/" if (folder / word).is_dir() and word else word for word in words if word}


def fish(folder: Path, line: str) -> set[str]:
    shell = str(shutil.which("fish"))
    lines = printed(folder, shell, "--no-config", "-c", f"source made/provisioner.fish; complete -C '{line}'")
    return {line.split("\t")[0] for line in lines}


@pytest.mark.parametrize(("line", "words"), CASES)
def test_bash_completes(folder: Path, line: str, words: set[str]):
    assert bash(folder, line) == words


def test_bash_begins_with_the_verbs(folder: Path):
    assert bash(folder, "provisioner ") == {*VERBS, "--version", "-h", "--help"}


@pytest.mark.parametrize(("line", "words"), CASES)
def test_fish_completes(folder: Path, line: str, words: set[str]):
    need_commands("fish")
    assert fish(folder, line) == words


def test_fish_begins_with_the_verbs(folder: Path):
    need_commands("fish")
    assert fish(folder, "provisioner ") == set(VERBS)


def test_zsh_completes(folder: Path):
    need_commands("zsh")
    (folder / "made/provisioner.zsh").rename(folder / "made/_provisioner")
    # A shell at a terminal of its own, since that is where zsh completes.
    script = """
        zmodload zsh/zpty; zpty shell zsh -fi
        zpty -w shell "PROMPT=; fpath=($PWD/made \\$fpath); autoload -Uz compinit; compinit -u -d $PWD/dump"
        zpty -w shell "cd $PWD; LISTMAX=1000; unsetopt beep; print BEG''IN"
        zpty -r shell seen '*BEGIN*'
        zpty -w -n shell $'provisioner re\\t\\t'
        zpty -r shell seen '*reload*have the running service*'; print -r -- $seen; zpty -d shell
    """
    shown = "\n".join(printed(folder, "/usr/bin/zsh", "-fc", script))
    assert "refresh" in shown and "log one agent in again" in shown and "log-off" not in shown
