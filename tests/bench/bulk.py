"""Many agents at once, inside one process."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from provisioner.core.prepare import Job
from provisioner.core.secret import Secret
from provisioner.cycle import Cycle
from provisioner.demo.platform import SimulatedAgent, row_of
from provisioner.edge.catalog import shipped
from provisioner.edge.configuration import Configuration
from provisioner.edge.credential import Credentials
from provisioner.edge.people import own
from provisioner.edge.store import open_store
from provisioner.refresh import order_of, report_of
from provisioner.site import Served, Site, SiteReader, Surroundings
from tests.bench.table import Figure


def files(root: Path, agents: int, plain: float) -> list[Figure]:
    """Write two files for each of ``agents``; then bring them up to date again where nothing changed: after a start,
    with nothing in memory, and once more. ``plain`` is the plain loop's seconds."""
    config = _configuration(root / "etc", agents, per_file=1)
    for number in range(agents):
        (root / "home" / f"a{number}").mkdir(parents=True)
    site = _reader(root, config).read()
    jobs = [_job(site, served) for served in site.served.values()]
    with closing(open_store(root / "state")) as store:
        started = [Cycle(store, own()) for _ in range(4)]
        took = [_refreshed(cycle, jobs) for cycle in (*started, *started[1:])]
    kept = f"{agents} agents × 2 files, nothing changed"
    return [
        Figure(f"{agents} agents × 2 files, cold", took[0], "s", 3.0, f"plain loop {plain:.2f} s"),
        Figure(f"{kept}, after a start, best of 3", min(took[1:4]), "s", 0.5),
        Figure(f"{kept}, later, best of 3", min(took[4:]), "s", 0.5),
    ]


def _refreshed(cycle: Cycle, jobs: Sequence[Job]) -> float:
    began = time.perf_counter()
    orders = map(order_of, jobs)
    assert all(report_of(one.prepared, cycle.bring(one.prepared.agent, one.parcels)).healthy for one in orders)
    return time.perf_counter() - began


def settings(root: Path) -> list[Figure]:
    """Parse and validate 10,000 agents; then one of them changes."""
    one = _seconds(Configuration(_configuration(root / "one", 10_000, per_file=10_000)))
    figures = [Figure("10,000 agents in one file parsed and validated", one, "s", 2.0)]
    for agents in (100, 10_000):
        config = _configuration(root / f"many{agents}", agents, per_file=100)
        reader = _reader(root, config)
        reader.read()
        path = config / "agents.d" / "f0.yaml"
        path.write_text(path.read_text().replace("Name 7\n", "Other 7\n"))
        began = time.perf_counter()
        reader.read()
        figures.append(
            Figure(f"one of {agents:,} agents changed: read again", (time.perf_counter() - began) * 1000, "ms")
        )
    return figures


def _seconds(configuration: Configuration) -> float:
    began = time.perf_counter()
    assert len(configuration.load().settings.agents) == 10_000
    return time.perf_counter() - began


def _configuration(folder: Path, agents: int, *, per_file: int) -> Path:
    (folder / "agents.d").mkdir(parents=True)
    (folder / "provisioner.yaml").write_text("platform:\n  url: https://acme.example\n")
    for start in range(0, agents, per_file):
        text = "".join(_agent(number) for number in range(start, start + per_file))
        path = folder / "agents.d" / f"f{start}.yaml"
        path.touch(mode=0o600)
        path.write_text("agents:\n" + text)
    return folder


def _agent(number: int) -> str:
    return f"""\
- login: a{number}
  password: pw-a{number}
  home: /home/a{number}
  workstations: ["*"]
  targets: [jssip]
  account:
    display_name: Name {number}
    codecs: [opus, pcma]
    expires: 300
    language: es
"""


def _reader(root: Path, config: Path) -> SiteReader:
    around = Surroundings(root, "ws-1", Credentials({}, root), b"k" * 32)
    return SiteReader(config, [shipped()], around)


def _job(site: Site, served: Served) -> Job:
    login = served.wanted.agent.login
    row = row_of(SimulatedAgent(login, f"pw-{login}", login), "token", "acme.example")
    job = site.job(served, Secret(json.dumps(row)))
    assert job is not None
    return job
