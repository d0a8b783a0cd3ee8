"""Write a commented sample configuration, every setting in it, to start from.

What is there already is never overwritten. Afterwards: edit both files, then `provisioner check`.
"""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path

from provisioner.cli.common import DONE, REFUSED, add_places, complain, places
from provisioner.core.problem import Place, Problem
from provisioner.core.sample import EXAMPLE, texts
from provisioner.edge.privacy import is_own_group

_FOLDER_MODE, _AGENTS_MODE = 0o755, 0o700
_MODE, _SECRET_MODE, _SERVICE_MODE = 0o644, 0o600, 0o640


def configure(parser: argparse.ArgumentParser) -> None:
    """Where the configuration is."""
    add_places(parser)


def run(options: argparse.Namespace) -> int:
    """Write the files, or say which are in the way."""
    folder = places(options).config
    files = {folder / name: text for name, text in texts().items()}
    there = [path for path in files if os.path.lexists(path)]
    if there:
        fix = "nothing was written; name another folder with --config"
        complain(Problem(Place(str(path)), "this file is there already", fix) for path in there)
        return REFUSED
    try:
        for path, text in files.items():
            _write(path, text, secret=path == folder / EXAMPLE)
            print(f"written: {path}")
    except OSError as error:
        what, fix = f"this cannot be written: {error.strerror}", "name another folder with --config"
        complain([Problem(Place(str(error.filename or folder)), what, fix)])
        return REFUSED
    print(f"Set `url` and the agents, then run: {_check(options)}")
    return DONE


def _check(options: argparse.Namespace) -> str:
    """The command that looks at what was written: in the same places."""
    named = {"--config": options.config, "--state": options.state, "--root": options.root}
    words = [word for option, place in named.items() if place for word in (option, str(place))]
    return shlex.join(["provisioner", "check", *words])


def _write(path: Path, text: str, *, secret: bool) -> None:
    """Passwords come into a ``secret`` file: nobody but its owner ever gets to see it or its folder, except the
    service where the folder gives the file its group."""
    path.parent.mkdir(mode=_AGENTS_MODE if secret else _FOLDER_MODE, parents=True, exist_ok=True)
    mode = _SECRET_MODE if secret else _MODE
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - opened already, with its mode
        if secret and is_own_group(os.fstat(descriptor).st_gid):
            os.fchmod(descriptor, _SERVICE_MODE)
        file.write(text)
