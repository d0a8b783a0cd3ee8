"""The Ansible role, played against a booted machine where nothing of ours is installed."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systemd.boot import PATIENCE, Booted, booted
from tests.systemd.roots import folder
from tests.systemd.workstation import DAEMON, ETC, SOURCE, URL, logged_in, seen, simulate_platform, status

MAIN = f"platform: {{url: '{URL}'}}\nlogin: {{splay: 0s, first_retry: 1s}}\n"
AGENT = "agents: [{login: ana, password: pw-ana, home: /var/lib/softphone-provisioner, targets: [json]}]\n"
# Ansible thinks that this is ssh; the command is its last word.
_ENTER = '#!/bin/sh\nfor command; do :; done\nexec {enter} sh -c "$command"\n'


class Floor:
    """The controller's folder, with the inventory of one machine."""

    def __init__(self, here: Path, machine: Booted, package: Path) -> None:
        self.here = here
        (here / "ssh").write_text(_ENTER.format(enter=shlex.join(machine.entering([]))))
        (here / "ssh").chmod(0o755)
        (here / "hosts").write_text(
            f"[workstations]\nws-17 ansible_ssh_executable={here}/ssh ansible_ssh_transfer_method=piped "
            "ansible_python_interpreter=/usr/bin/python3 ansible_become=false\n"
        )
        self.variables = [
            f"softphone_provisioner_package={package}",
            f"softphone_provisioner_settings={here}/provisioner.yaml",
            f'{{"softphone_provisioner_agents": ["{here}/floor-2.yaml"], "softphone_provisioner_only_these": true}}',
        ]
        self.write(MAIN, AGENT)

    def write(self, main: str, agents: str) -> None:
        (self.here / "provisioner.yaml").write_text(main)
        (self.here / "floor-2.yaml").write_text(agents)

    def play(self) -> subprocess.CompletedProcess[str]:
        """Play the role once."""
        command = [Path(sys.executable).with_name("ansible-playbook"), "--inventory", self.here / "hosts"]
        for variable in self.variables:
            command += ["--extra-vars", variable]
        environment = {
            **os.environ,
            "ANSIBLE_HOME": str(self.here),
            "ANSIBLE_ROLES_PATH": str(SOURCE / "systemd/ansible"),
        }
        return subprocess.run(
            [*command, SOURCE / "systemd/ansible/workstations.yml"], capture_output=True, text=True,
            env=environment, timeout=10 * PATIENCE, check=False,
        )  # fmt: skip


@pytest.fixture
def machine(release: str, tmp_path: Path) -> Iterator[Booted]:
    with booted([folder(release)], tmp_path / "layer") as machine:
        machine.do("apt-get", "install", "--yes", "--no-install-recommends", "python3-apt", patience=240)
        yield machine


def test_a_floor_is_one_command(machine: Booted, package: Path, tmp_path: Path):
    floor = Floor(tmp_path, machine, package)
    first = floor.play()
    assert first.returncode == 0, first.stdout + first.stderr
    assert machine.unit(DAEMON, "ActiveState") == {"ActiveState": "active"}
    assert machine.do("stat", "--format=%a %U:%G", f"{ETC}/agents.d/floor-2.yaml") == "640 root:softphone-provisioner\n"
    again = floor.play()
    assert again.returncode == 0 and "changed=0" in again.stdout, again.stdout
    simulate_platform(machine)
    machine.write(f"{ETC}/agents.d/old.yaml", "agents: [{login: beto}]\n")
    floor.write(MAIN, AGENT.replace("json", "json, jssip"))
    third = floor.play()
    assert third.returncode == 0 and "changed=3" in third.stdout, third.stdout  # a file, a removal, the reload
    logged_in(machine, "ana")
    (ana,) = status(machine)["agents"]
    assert [one["target"] for one in ana["targets"]] == ["json", "jssip"]
    before = machine.read(f"{ETC}/provisioner.yaml")
    floor.write(MAIN.replace("splay", "spaly"), AGENT)
    refused = floor.play()
    assert refused.returncode != 0 and "spaly" in refused.stdout and "pw-ana" not in refused.stdout
    assert machine.read(f"{ETC}/provisioner.yaml") == before and set(seen(machine).logins) <= {"ana"}
