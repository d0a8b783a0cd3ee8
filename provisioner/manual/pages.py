"""Every page and completion by the name of its file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from provisioner import __version__
from provisioner.cli import make_parser
from provisioner.manual.command_page import command_page
from provisioner.manual.completion import bash, fish, zsh
from provisioner.manual.settings_page import settings_page
from provisioner.manual.verbs import command_of


def texts() -> Mapping[str, str]:
    """The texts as they are now."""
    command = command_of(make_parser())
    return {
        "provisioner.1": command_page(command, __version__),
        "softphone-provisioner.yaml.5": settings_page(__version__),
        "provisioner.bash": bash(command),
        "provisioner.zsh": zsh(command),
        "provisioner.fish": fish(command),
    }


def write(folder: Path) -> None:
    """Write them into ``folder``, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (folder / name).write_text(text, "utf-8")
