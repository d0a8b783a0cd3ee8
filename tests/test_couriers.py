"""The daemon and couriers of other users, all as real processes."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from provisioner.demo.platform import SimulatedPlatform, serve
from tests.machine import Machine, Service
from tests.session import ANA, home_of, root_only, session

pytestmark = root_only


@pytest.fixture
async def floor(platform: SimulatedPlatform) -> AsyncIterator[Machine]:
    """A workstation that every user of this machine can look into, as /run and /home are."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        async with serve(platform) as url:
            machine = Machine(Path(folder), url)
            machine.agent("ana", f"  user: {ANA.pw_name}", "  targets: [json]")
            home_of(machine, "ana", ANA)
            yield machine


def policy(machine: Machine, **login: str) -> None:
    words = ", ".join(f"{key}: {value}" for key, value in {"splay": "0s", "first_retry": "1s", **login}.items())
    machine.main.write_text(f"platform:\n  url: {machine.url}\nlogin: {{{words}}}\nwatch: {{settle: 50ms}}\n")


def states(status: dict[str, Any], login: str = "ana") -> list[str]:
    (agent,) = [one for one in status["agents"] if one["agent"] == login]
    return [target["state"] for target in agent["targets"]]


def said(status: dict[str, Any], login: str = "ana") -> str:
    (agent,) = [one for one in status["agents"] if one["agent"] == login]
    return " ".join(problem["what"] for problem in agent["problems"])


def login_of(status: dict[str, Any], login: str = "ana") -> str:
    (agent,) = [one for one in status["agents"] if one["agent"] == login]
    return agent["login"]["state"]


async def delivered(service: Service, login: str = "ana") -> dict[str, Any]:
    return await service.until(lambda status: states(status, login) in (["written"], ["unchanged"]))


async def test_files_wait_for_the_session_and_are_the_users_own(floor: Machine):
    async with floor.running() as service:
        waiting = await service.until(lambda status: states(status) == ["waits for the session"])
        assert said(waiting) == f"the files wait for a session of {ANA.pw_name}"
        assert floor.files() == {}
        async with session(floor, ANA, floor.home("ana")):
            await delivered(service)
            (path,) = floor.home("ana").rglob("account.json")
            found = path.stat()
            assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (ANA.pw_uid, ANA.pw_gid, 0o600)
