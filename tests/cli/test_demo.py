"""`provisioner demo`: runs as a new user runs it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest


async def demo(*arguments: str, cwd: Path) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "provisioner", "demo", *arguments, cwd=cwd,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 180)
    return process.returncode or 0, out.decode(), err.decode()


@pytest.mark.slow
async def test_it_shows_the_main_job_twice_in_the_same_folder(tmp_path: Path):
    for _ in range(2):
        code, out, err = await demo(cwd=tmp_path)
        assert (code, err) == (0, "")
        assert "Nobody was logged in again." in out
        assert "Ventas" in out
        assert "did you mean `targets`?" in out
        assert "It is mended, and all is well." in out
        told = out[out.index("beto's first login") : out.index("readable by their owner only")].splitlines()
        assert max(map(len, told)) <= 80  # what a terminal has where nobody says otherwise
    files = {path.name for path in (tmp_path / "demo-files" / "home").rglob("*") if path.is_file()}
    assert files == {"account.json", "account.js", "linphonerc", "provisioning.xml"}


async def test_it_touches_no_folder_that_is_not_its_own(tmp_path: Path):
    precious = tmp_path / "mine" / "precious"
    precious.parent.mkdir()
    precious.write_text("x")
    code, _, err = await demo("--dir", "mine", cwd=tmp_path)
    assert code == 1 and "no demonstration made" in err
    assert precious.read_text() == "x"


@pytest.mark.parametrize("folder", ["file", "file/x", "/proc/x"])
async def test_a_folder_that_cannot_be_made_is_told(folder: str, tmp_path: Path):
    (tmp_path / "file").touch()
    code, _, err = await demo("--dir", folder, cwd=tmp_path)
    assert code == 1 and err.startswith(f"{tmp_path / folder}: this folder cannot be used: ")
    assert "--dir" in err and err.count("\n") == 1
