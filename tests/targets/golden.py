"""The golden cases: ``<target>/<case>/`` with what goes in and the complete set of files that comes out.

In: ``reply.json``, the body of a login; ``settings.yaml``, a whole provisioner.yaml with one agent, and with a relay
where it names a port for one. Out: ``expected/`` as it lies below the home, and ``modes``, one line a file in the order
of delivery: mode, path, ``once`` for a seed.

``python -m tests.targets.golden`` writes what comes out anew for every case; look at the difference before you commit
it. Nothing in the tests calls that, and where ``CI`` is set it refuses.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from provisioner.core.derive import Secrets
from provisioner.core.parcel import Home
from provisioner.core.password_source import Inline
from provisioner.core.prepare import Job, PreparedTarget, prepare
from provisioner.core.reason import Identity, Wanted
from provisioner.core.relay_way import RelayWay
from provisioner.core.reply import LoggedIn, Reply, read_reply
from provisioner.core.settings import Settings
from provisioner.edge.configuration import Configuration
from tests.targets.stage import catalog

FOLDER = Path(__file__).parent
CASES = sorted(path.parent for path in FOLDER.glob("*/*/reply.json"))


@dataclass(frozen=True)
class Outcome:
    """``modes`` as in the file of that name; the files by their path below the home."""

    modes: list[str]
    files: dict[str, bytes]


def outcome(case: Path) -> Outcome:
    """What the program makes of a case."""
    (made,) = _prepared(case)
    assert made.ready, [str(problem) for problem in made.problems]
    assert made.layout is not None
    files = [(str(made.layout.folder / one.file.path), one.file) for one in made.files]
    modes = [f"{file.mode:04o} {path}{' once' if file.once else ''}" for path, file in files]
    return Outcome(modes, {path: file.content for path, file in files})


def expected(case: Path) -> Outcome:
    """What the case says."""
    folder = case / "expected"
    files = {
        str(PurePosixPath(path.relative_to(folder))): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    return Outcome((case / "modes").read_text().splitlines(), files)


def _prepared(case: Path) -> tuple[PreparedTarget, ...]:
    settings = _settings(case)
    (agent,) = settings.agents.values()
    assert isinstance(agent.password, Inline)
    reply = read_reply(Reply(200, (case / "reply.json").read_bytes(), "text/plain"))
    assert isinstance(reply, LoggedIn)
    targets = {choice.target: catalog().targets.get(choice.target) for choice in agent.targets}
    wanted = Wanted(Identity(settings.platform.url, agent.login, ""), agent, settings.platform, targets)
    turn = tuple(server.password.secret for server in settings.platform.turn if isinstance(server.password, Inline))
    secrets = Secrets(agent.password.secret, turn)
    relay = RelayWay(agent.relay.port, agent.relay.mode) if agent.relay.port else None
    home = Home("victor", "/home/victor")
    prepared = prepare(Job(wanted, reply.row, secrets, home, catalog().targets, relay=relay))
    assert prepared.account is not None, [str(problem) for problem in prepared.problems]
    return prepared.targets


def _settings(case: Path) -> Settings:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "provisioner.yaml"
        shutil.copyfile(case / "settings.yaml", copy)
        copy.chmod(0o600)
        settings = Configuration(Path(folder)).load().settings
    assert settings is not None
    return settings


def _write(case: Path) -> None:
    made = outcome(case)
    shutil.rmtree(case / "expected", ignore_errors=True)
    for path, content in made.files.items():
        place = case / "expected" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    (case / "modes").write_text("\n".join(made.modes) + "\n")


if __name__ == "__main__":
    if os.environ.get("CI"):
        sys.exit("golden files are written by people, not by CI")
    for one in CASES:
        _write(one)
