"""The files for a saved answer of the platform, with no platform, no state and no configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from provisioner.core.derive import Secrets
from provisioner.core.document import read_document
from provisioner.core.parcel import Home
from provisioner.core.prepare import Job, Prepared, PreparedTarget, prepare
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.read_settings import agents_of, settings_from
from provisioner.core.reason import Identity, Wanted
from provisioner.core.relay_way import RelayWay
from provisioner.core.reply import LoggedIn, Reply, read_reply
from provisioner.core.schema import SETTINGS
from provisioner.core.schema_words import HOST
from provisioner.core.secret import Secret
from provisioner.edge import disk
from provisioner.edge.catalog import Catalog
from provisioner.edge.folders import open_base
from provisioner.edge.people import own


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved answer: its ``name`` for messages, its ``body``, and what the answer does not say: the login password
    and the realm, where they are known, and where its relay would listen."""

    name: str
    body: bytes = field(repr=False)
    password: Secret | None = None
    realm: str | None = None
    relay: RelayWay | None = None


def render_saved(saved: Saved, catalog: Catalog, targets: Sequence[str], out: Path) -> tuple[Prepared, tuple[str, ...]]:
    """Write each of ``targets`` to its own folder below ``out``; gives what was worked out and the paths of the files.

    Raises ProvisionerError when the answer is no login, or the folder cannot be used.
    """
    outcome = read_reply(Reply(200, saved.body))
    if not isinstance(outcome, LoggedIn):
        raise ProvisionerError(Problem(Place(saved.name), outcome.cause, "save the body of a login that worked"))
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        what = f"this folder cannot be made: {error.strerror}"
        raise ProvisionerError(Problem(Place(str(out)), what, "name another with --out")) from None
    prepared = prepare(_job(saved, outcome, catalog, [(name, f"{out.absolute()}/{name}") for name in targets]))
    written = [path for target in prepared.targets if target.ready for path in _write(out, target)]
    return prepared, tuple(written)


def _job(saved: Saved, login: LoggedIn, catalog: Catalog, targets: Sequence[tuple[str, str]]) -> Job:
    peer = login.peer
    # A host that is none is told as the answer's mistake, not as that of an address nobody wrote.
    host = peer.host if re.fullmatch(HOST, peer.host) and peer.host.lower() != "dynamic" else "localhost"
    said = {
        "platform": {"url": f"https://{host}", **({"realm": saved.realm} if saved.realm else {})},
        "agents": [
            {
                "login": peer.accountcode or peer.name,
                "targets": [{"target": name, "path": path} for name, path in targets],
            }
        ],
    }
    document = read_document(saved.name, json.dumps(said), SETTINGS)
    agents, problems = agents_of(document, {})
    if problems:
        raise ProvisionerError(problems)
    platform = settings_from(document, agents).platform
    used = {name: catalog.targets.get(name) for name, _ in targets}
    wanted = Wanted(Identity(platform.url, agents[0].login, ""), agents[0], platform, used)
    nobody = Home("", "/nonexistent")
    secrets = Secrets(saved.password)
    return Job(wanted, login.row, secrets, nobody, catalog.targets, catalog.broken, relay=saved.relay)


def _write(out: Path, target: PreparedTarget) -> list[str]:
    folder = PurePosixPath(target.choice.target)
    files = [replace(rendered.file, path=folder / rendered.file.path) for rendered in target.files]
    with open_base(str(out)) as base:
        disk.deliver(base, files, disk.observe(base, [file.path for file in files]), owner=own())
    return [str(out / file.path) for file in files]
