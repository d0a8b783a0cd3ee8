"""How editors and programs save a file."""

from __future__ import annotations

import time
from pathlib import Path


def in_place(path: Path, text: str) -> None:
    path.write_text(text)


def rename_over(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}.new")
    new.touch(mode=0o600)
    new.write_text(text)
    new.rename(path)


def delete_and_create(path: Path, text: str) -> None:
    path.unlink()
    path.touch(mode=0o600)
    path.write_text(text)


def symlink_swap(path: Path, text: str) -> None:
    real = path.with_name(f"..{time.monotonic_ns()}")
    real.touch(mode=0o600)
    real.write_text(text)
    old = path.resolve()
    link = path.with_name("..link")
    link.symlink_to(real.name)
    link.rename(path)
    if old != path and old.name.startswith(".."):
        old.unlink()


STYLES = (in_place, rename_over, delete_and_create, symlink_swap)
