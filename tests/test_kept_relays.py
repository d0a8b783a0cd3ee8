"""The service as a process, started anew by a service manager that keeps the relays' ports meanwhile."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from provisioner.core.sip.message import print_message
from provisioner.edge.store import open_store
from tests.edge.handset import handset
from tests.edge.test_kept_ports import TCP, UDP, is_free
from tests.edge.test_relay_strangers import TCP as TCP_PROGRAM
from tests.edge.test_relay_strangers import stranger
from tests.machine import PATIENCE, until
from tests.session import root_only
from tests.test_relays import Office, at_work, office, relay  # noqa: F401 - a fixture


@pytest.fixture
def kept(office: Office) -> Office:  # noqa: F811
    """A workstation whose service manager keeps what it is given."""
    office.machine.store.most = 16
    return office


def names(kept: Office) -> list[str]:
    return [name for name, _ in kept.machine.store.kept]


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_phone_that_comes_while_nobody_runs_is_served_by_the_next(kept: Office, end: str):
    async with at_work(kept) as service:
        port = kept.relay_port()
        async with handset(port, "1001") as phone:
            await phone.registers()
            if end == "kill":
                await service.kill()
                await phone.hears_the_end()
    assert names(kept) == [f"relay-{port}"] * 2
    assert not is_free(port, TCP) and not is_free(port, UDP)
    async with handset(port, "1001") as phone, asyncio.TaskGroup() as group:
        answer = group.create_task(phone.asks(phone.request("REGISTER", call_id="of the next")))
        async with at_work(kept):
            assert (await answer).status == 200
            assert kept.relay_port() == port
            assert names(kept) == [f"relay-{port}"] * 2
    kept.machine.store.close()
    assert is_free(port, TCP) and is_free(port, UDP)


def somebody_waits(port: int) -> bool:
    """Is a connection there that is to be taken?"""
    table = Path("/proc/self/net/tcp").read_text()
    return re.search(rf": 0100007F:{port:04X} \S+ 01 ", table) is not None


@root_only
async def test_another_user_who_waited_meanwhile_gets_nothing(kept: Office):
    async with at_work(kept):
        port = kept.relay_port()
    async with handset(port, "1001", "udp") as phone:
        packet = print_message(phone.request("REGISTER"))
    async with stranger(TCP_PROGRAM, port) as process:
        await until(lambda: somebody_waits(port))
        async with at_work(kept):
            out, _ = await asyncio.wait_for(process.communicate(packet), PATIENCE)
    assert int(out) == 0
    assert kept.server.opened == 0


async def test_a_service_manager_that_keeps_nothing_changes_nothing(kept: Office):
    kept.machine.store.most = 0
    async with at_work(kept):
        port = kept.relay_port()
    assert is_free(port, TCP)
    async with at_work(kept), handset(port, "1001") as phone:
        assert (await phone.registers()).status == 200


async def test_the_port_of_an_agent_who_is_gone_is_free(kept: Office):
    async with at_work(kept):
        port = kept.relay_port()
        (kept.machine.agents_d / "ana.yaml").unlink()
        await until(lambda: names(kept) == [])
        assert is_free(port, TCP) and is_free(port, UDP)


@pytest.mark.parametrize("how", ["gone", "off", "elsewhere", "browser"])
async def test_the_port_of_an_agent_who_wants_none_since_is_free(kept: Office, how: str):
    async with at_work(kept):
        port = kept.relay_port()
    agent = kept.machine.agents_d / "ana.yaml"
    match how:
        case "gone":
            agent.write_text("agents: []\n")
        case "off":
            kept.settle("  relay: off")
        case "elsewhere":
            kept.settle("  relay: {port: 21556}")
        case _:
            agent.write_text(agent.read_text().replace("linphone", "json"))
    async with kept.machine.running():
        await until(lambda: f"relay-{port}" not in names(kept))
        assert is_free(port, TCP) and is_free(port, UDP)


def forget_session(kept: Office) -> None:
    store = open_store(kept.machine.places.state)
    store.drop_session("ana")
    store.close()


async def test_the_port_waits_for_an_agent_who_is_to_be_logged_in_anew(kept: Office):
    async with at_work(kept):
        port = kept.relay_port()
    forget_session(kept)
    agent = kept.machine.agents_d / "ana.yaml"
    right = agent.read_text()
    agent.write_text(right.replace("pw-ana", "wrong"))
    async with kept.machine.running() as service:
        status = await service.until(lambda status: status["agents"][0]["login"]["state"] == "refused")
        assert relay(status)["port"] is None and names(kept) == [f"relay-{port}"] * 2
        agent.write_text(right)
        async with handset(port, "1001") as phone:
            assert (await phone.registers()).status == 200


async def test_the_port_does_not_wait_for_an_agent_who_would_not_need_it(kept: Office):
    async with at_work(kept):
        port = kept.relay_port()
    forget_session(kept)
    kept.settle("  relay: off")
    agent = kept.machine.agents_d / "ana.yaml"
    agent.write_text(agent.read_text().replace("pw-ana", "wrong"))
    async with kept.machine.running():
        await until(lambda: names(kept) == [])
        assert is_free(port, TCP) and is_free(port, UDP)


async def test_after_a_log_off_the_port_is_free_and_had_again(kept: Office):
    async with at_work(kept):
        port = kept.relay_port()
        assert (await kept.machine.command("log-off", "ana")).code == 0
        await until(lambda: names(kept) == [])
        assert is_free(port, TCP) and is_free(port, UDP)
        assert (await kept.machine.command("refresh", "ana")).code == 0
        async with handset(port, "1001") as phone:
            assert (await phone.registers()).status == 200
        assert names(kept) == [f"relay-{port}"] * 2


async def test_what_the_service_starts_is_passed_nothing(kept: Office):
    async with at_work(kept):
        pass
    told = kept.machine.root / "told"
    agent = kept.machine.agents_d / "ana.yaml"
    command = f"env >{told}; ls -l /proc/self/fd >>{told}; echo pw-ana"
    agent.write_text(agent.read_text().replace("pw-ana", f"{{command: [sh, -c, {command!r}]}}"))
    async with kept.machine.running() as service:
        await service.logged_in("ana")
    assert "PATH=" in told.read_text() and "LISTEN_" not in told.read_text() and "socket" not in told.read_text()
