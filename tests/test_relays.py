"""The service as a process with a relay: files, phone and server meet, and nobody is cut off by a change."""

from __future__ import annotations

import asyncio
import json
import random
import re
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from provisioner.core.derive import Secrets
from provisioner.core.parcel import Home
from provisioner.core.prepare import Job
from provisioner.core.reason import Identity, Wanted
from provisioner.core.secret import Secret
from provisioner.core.settings import TargetChoice
from provisioner.core.sip.message import print_message
from provisioner.demo.platform import SimulatedAgent, SimulatedPlatform, serve
from provisioner.edge.kept_ports import KeptPorts
from provisioner.edge.ports import FIRST, LAST
from provisioner.edge.service import Systemd
from provisioner.edge.store import Store, open_store
from provisioner.relays import Relays
from tests.edge.handset import handset
from tests.edge.test_relay_strangers import TCP, gets
from tests.machine import Machine, Service, until
from tests.registrar import server_side
from tests.session import ANA as USER
from tests.session import BETO as OTHER
from tests.session import home_of, root_only, session, users
from tests.sip_server import SipServer, ha1_of, sip_server
from tests.targets.stage import PLATFORM, agent, catalog, row
from tests.test_workstation import state_cannot_be_written

NOBODY = Home("victor", "/home/victor")
ANA = SimulatedAgent("ana", "pw-ana", "1001", row={"transport": "wss", "md5secret": ha1_of("1001")})


@dataclass
class Office:
    """A workstation whose platform serves SIP over wss only."""

    machine: Machine
    platform: SimulatedPlatform
    server: SipServer
    url: str
    port: int
    authority: Path

    def settle(self, *more: str, **platform: Any) -> None:
        said = {"url": self.url, "ca_file": str(self.authority), "domain": "localhost", "connect_timeout": "20s",
                "websocket": {"host": "localhost", "port": self.port}, **platform}  # fmt: skip
        login = {"splay": "0s", "first_retry": "1s"}
        self.machine.main.write_text(json.dumps({"platform": said, "login": login, "watch": {"settle": "50ms"}}))
        self.machine.agent("ana", "  targets: [linphone]", *more)

    def written(self) -> str:
        [file] = self.machine.home("ana").rglob("provisioning.xml")
        return file.read_text()

    def relay_port(self) -> int:
        found = re.search(r"127\.0\.0\.1:(\d+)", self.written())
        assert found, self.written()
        return int(found[1])


@asynccontextmanager
async def open_office(folder: Path) -> AsyncIterator[Office]:
    authority = trustme.CA()
    file = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    server, platform = SipServer({"1001": ha1_of("1001")}), SimulatedPlatform([ANA], domain="localhost")
    tls: ssl.SSLContext = server_side(authority)
    async with sip_server(server, tls) as port, serve(platform, tls) as url:
        url = url.replace("127.0.0.1", "localhost")
        one = Office(Machine(folder, url, cold=False), platform, server, url, port, file)
        one.settle()
        yield one


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(tmp_path) as one:
        yield one


@asynccontextmanager
async def at_work(office: Office) -> AsyncIterator[Service]:
    async with office.machine.running() as service:
        await service.logged_in("ana")
        yield service


def states(status: dict[str, Any]) -> list[str]:
    return [target["state"] for target in status["agents"][0]["targets"]]


def relay(status: dict[str, Any]) -> dict[str, Any]:
    [agent] = status["agents"]
    return agent["relay"] or {"phones": [], "problems": [], "remarks": [], "port": None}


async def test_another_file_of_authorities_comes_to_the_phones_and_costs_no_login(office: Office):
    other = office.authority.with_name("other.pem")
    other.write_bytes(office.authority.read_bytes())
    async with at_work(office):
        assert str(office.authority) in office.written()
        office.settle(ca_file=str(other))
        await until(lambda: str(other) in office.written())
    assert office.platform.logins == ["ana"]


async def test_another_file_of_authorities_that_cannot_be_read_is_refused(office: Office):
    async with at_work(office) as service, handset(office.relay_port(), "1001") as phone:
        office.settle(ca_file="/nowhere.pem")
        told = await service.until(lambda status: status["configuration"]["refused_at"] is not None)
        assert "`/nowhere.pem` cannot be read" in told["configuration"]["problems"][0]["what"]
        assert (await phone.registers()).status == 200 and not relay(told)["problems"]
        assert (await service.reload()).code == (await office.machine.command("check")).code == 1


async def test_a_file_of_authorities_that_goes_missing_is_said_of_the_relay_which_goes_on(office: Office):
    async with at_work(office) as service, handset(office.relay_port(), "1001") as phone:
        away = office.authority.rename(office.authority.with_name("away.pem"))
        office.settle("  account: {display_name: Eva}")
        told = await service.until(lambda status: bool(relay(status)["problems"]))
        assert f"`{office.authority}` cannot be read" in relay(told)["problems"][0]["what"]
        assert (await phone.registers()).status == 200
        away.rename(office.authority)
        office.settle()
        await service.until(lambda status: not relay(status)["problems"])


async def test_a_file_of_authorities_that_came_back_serves_the_relay_at_the_next_look(office: Office):
    async with at_work(office) as service:
        away = office.authority.rename(office.authority.with_name("away.pem"))
        office.settle("  account: {display_name: Eva}")
        await until(lambda: "Eva" in office.written())
        assert relay(await service.status())["problems"]
        # It is behind, and listens.
        metrics = (await office.machine.command("status", "--format", "metrics")).out
        assert 'softphone_provisioner_relay_listening{agent="ana"} 1' in metrics
        away.rename(office.authority)
        assert (await service.reload()).code == 0
        assert not relay(await service.status())["problems"]
        assert "agent ana, relay: it is as it should be again" in service.log.read_text()


async def test_authorities_that_go_missing_or_are_others_without_any_edit_reach_the_relay(office: Office):
    kept = office.authority.read_bytes()
    async with at_work(office) as service, handset(office.relay_port(), "1001") as phone:
        assert (await phone.registers()).status == 200
        office.authority.unlink()
        assert (await service.reload()).code == 0
        assert "cannot be read" in relay(await service.status())["problems"][0]["what"]
        trustme.CA().cert_pem.write_to_path(str(office.authority))
        assert (await service.reload()).code == 0
        assert not relay(await service.status())["problems"]
        told = await service.until(lambda status: bool(relay(status)["phones"][0]["cause"]))
        assert "certificate" in relay(told)["phones"][0]["cause"]
        office.authority.write_bytes(kept)
        assert (await service.reload()).code == 0
        await service.until(lambda status: relay(status)["phones"][0]["registration"] == "registered")
    assert office.platform.logins == ["ana"]


async def test_what_keeps_a_relay_from_being_there_is_told_in_the_status_and_once_in_the_journal(office: Office):
    async with at_work(office):
        pass
    away = office.authority.rename(office.authority.with_name("away.pem"))
    async with office.machine.running() as service:
        for _ in range(2):
            assert (await service.reload()).code == 0
        status = await service.status()
        assert "cannot be read" in relay(status)["problems"][0]["what"] and not status["everybody_served"]
        told = await office.machine.command("status")
        assert "no relay listens" in told.out and "cannot be read" in told.out
        metrics = (await office.machine.command("status", "--format", "metrics")).out
        assert 'softphone_provisioner_relay_listening{agent="ana"} 0' in metrics
        assert service.log.read_text().count("cannot be read") == 1
        away.rename(office.authority)
        assert (await service.reload()).code == 0
        assert (await service.status())["everybody_served"]


async def test_a_native_phone_registers_on_an_account_that_allows_only_wss(office: Office):
    async with at_work(office) as service, handset(office.relay_port(), "1001") as phone:
        assert (await phone.registers()).status == 200
        status = await service.until(lambda status: relay(status)["phones"][0]["registration"] == "registered")
        assert FIRST <= relay(status)["port"] <= LAST and status["everybody_served"]
        told = await office.machine.command("status")
        metrics = (await office.machine.command("status", "--format", "metrics")).out
        assert 'softphone_provisioner_relay_registered{agent="ana"} 1' in metrics
        assert "relay at port" in told.out and "phone over tcp: registered, WebSocket up since" in told.out
    assert ha1_of("1001") not in office.written()
    journal = (office.machine.root / "journal.log").read_text()
    assert "relayed phone over tcp: the WebSocket is up, registered" in journal
    assert ha1_of("1001") not in journal and "CSeq" not in journal and "Digest" not in journal


async def test_the_port_stays_over_a_restart_and_the_phone_comes_back(office: Office):
    async with at_work(office):
        port = office.relay_port()
    async with at_work(office), handset(port, "1001") as phone:
        assert office.relay_port() == port
        assert (await phone.registers()).status == 200


async def test_another_hash_reaches_the_relay_and_neither_phone_nor_call_notices(office: Office):
    async with at_work(office) as service, handset(office.relay_port(), "1001") as phone:
        await phone.registers()
        await phone.asks(phone.request("INVITE", call_id="call"))
        before = office.written()
        newer = ha1_of("1001", "newer")
        office.server.users["1001"] = newer
        office.platform.put(SimulatedAgent("ana", "pw-ana", "1001", row={"transport": "wss", "md5secret": newer}))
        assert (await office.machine.command("refresh", "ana")).code == 0
        assert (await phone.registers()).status == 200
        assert office.server.opened == 1 and office.server.refused == 0
        assert relay(await service.status())["calls"] == 1 and office.written() == before


async def test_an_edit_that_does_not_concern_the_relay_leaves_it_alone(office: Office):
    async with at_work(office) as service, handset(office.relay_port(), "1001") as phone:
        await phone.registers()
        office.settle("  account: {display_name: Anita}")
        await service.until(lambda _: "Anita" in office.written())
        assert (await phone.registers()).status == 200
        assert office.server.opened == 1


async def test_who_wants_no_relay_has_none(office: Office):
    async with at_work(office) as service:
        port = office.relay_port()
        office.settle("  relay: off")
        status = await service.until(lambda status: "relay: off" in str(status["agents"][0]["targets"]))
        assert relay(status)["port"] is None
        await service.told(f"FDSTOREREMOVE=1\nFDNAME=relay-{port}")
        with pytest.raises(ConnectionRefusedError):
            async with handset(port, "1001"):
                pass


async def test_another_port_is_told_to_the_phone(office: Office):
    async with at_work(office) as service:
        office.settle("  relay: {port: 21555}")
        await service.until(lambda _: office.relay_port() == 21555)
        async with handset(21555, "1001") as phone:
            assert (await phone.registers()).status == 200


async def test_a_port_that_somebody_has_is_said_and_taken_when_it_is_free(office: Office):

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        office.settle(f"  relay: {{port: {port}}}")
        async with office.machine.running() as service:
            status = await service.until(lambda status: bool(relay(status)["problems"]))
            assert "cannot have this port" in relay(status)["problems"][0]["what"]
            assert not status["everybody_served"]
            assert (await service.reload()).code == 0
            said = service.log.read_text()
            assert said.count("cannot have this port") == 1 and "closed" not in said
            other.close()
            assert (await service.reload()).code == 0
            await service.until(lambda status: states(status) in (["written"], ["unchanged"]))
            async with handset(port, "1001") as phone:
                assert (await phone.registers()).status == 200


async def test_a_refused_credential_is_tried_once_and_said(office: Office):
    office.server.users["1001"] = ha1_of("1001", "another")
    async with at_work(office) as service, handset(office.relay_port(), "1001") as phone:
        for _ in range(3):
            assert (await phone.registers()).status == 403
        status = await service.until(lambda status: bool(relay(status)["remarks"]))
        assert "refuses the relay's credential" in relay(status)["remarks"][0]
        assert relay(status)["phones"][0]["refusals"] == 1
    assert office.server.refused == 1


async def test_a_refused_credential_that_the_server_accepts_since_is_used_after_a_refresh(office: Office):
    office.server.users["1001"] = ha1_of("1001", "another")
    async with at_work(office) as service, handset(office.relay_port(), "1001") as phone:
        assert (await phone.registers()).status == 403
        office.server.users["1001"] = ha1_of("1001")
        assert (await service.reload()).code == 0
        assert (await phone.registers()).status == 403  # behind nobody's back
        assert (await office.machine.command("refresh", "ana")).code == 0
        status = await service.until(lambda status: relay(status)["phones"][0]["registration"] == "registered")
        assert not relay(status)["remarks"]


async def test_an_agent_who_is_gone_takes_the_relay_along(office: Office):
    async with at_work(office) as service, handset(office.relay_port(), "1001") as phone:
        await phone.registers()
        (office.machine.agents_d / "ana.yaml").unlink()
        await phone.hears_the_end()
        await service.until(lambda status: not status["agents"])


async def test_who_comes_back_before_the_state_can_be_written_keeps_the_port(office: Office):
    async with at_work(office) as service:
        port = office.relay_port()
        with state_cannot_be_written(office.machine):
            (office.machine.agents_d / "ana.yaml").unlink()
            await service.until(lambda status: not status["agents"])
            office.settle()
            await service.until(lambda status: bool(status["agents"]) and relay(status)["port"] == port)
        for _ in range(2):
            assert (await service.reload()).code == 0
        assert relay(await service.status())["port"] == port
    async with at_work(office):
        assert office.relay_port() == port


async def test_nobody_looks_at_the_account_of_an_agent_whose_phones_know_of_no_relay():
    one = agent(None, TargetChoice("jssip"), TargetChoice("sipjs"))
    unread = Secret("no JSON at all")
    job = Job(Wanted(Identity("", one.login, ""), one, PLATFORM, {}), unread, Secrets(), NOBODY, catalog().targets)
    relays = Relays(_never, _never, lambda: None, KeptPorts(Systemd({})))
    await relays.serve(one.login, job)
    assert relays.status(one.login) is None


@asynccontextmanager
async def desks(folder: Path) -> AsyncIterator[tuple[Relays, dict[str, Job]]]:
    """Relays for ana and beto, who both need one, and a state that answers each question a moment later. Its dice fall
    in the same way for everybody."""
    store = open_store(folder)

    async def ask(call: Callable[[Store], Any]) -> Any:
        await asyncio.sleep(0)
        random.seed(7)
        return call(store)

    def job(login: str) -> Job:
        one = replace(agent(None, TargetChoice("linphone")), login=login)
        wanted = Wanted(Identity("", login, ""), one, PLATFORM, {})
        return Job(wanted, Secret(json.dumps(row())), Secrets(), NOBODY, catalog().targets)

    async with asyncio.TaskGroup() as group:
        relays = Relays(ask, group.create_task, lambda: None, KeptPorts(Systemd({})))
        yield relays, {login: job(login) for login in ("ana", "beto")}
        await relays.stop()
    store.close()


async def test_two_relays_that_choose_their_ports_at_the_same_moment_choose_two(tmp_path: Path):
    async with desks(tmp_path) as (relays, jobs):
        await asyncio.gather(*(relays.serve(login, job) for login, job in jobs.items()))
        ports = [(relays.status(login) or {})["port"] for login in jobs]
        assert all(ports) and len(set(ports)) == 2


async def test_a_relay_that_is_closed_while_all_are_is_closed_once(tmp_path: Path):
    async with desks(tmp_path) as (relays, jobs):
        for login, job in jobs.items():
            await relays.serve(login, job)
        stopping = asyncio.ensure_future(relays.stop())
        await asyncio.sleep(0)
        await asyncio.gather(relays.serve("beto", None), relays.serve("ana", jobs["ana"]))
        await stopping
        assert relays.status("ana") is relays.status("beto") is None


def _never(_: object) -> Any:
    raise AssertionError("nothing is to be asked, and nothing to be done")


async def test_plan_knows_the_relay(office: Office):
    async with at_work(office):
        pass
    planned = await office.machine.command("plan", "--format", "json")
    [agent] = planned.json["agents"]
    assert agent["changes"] == [] and planned.code == 0


@pytest.fixture
async def floor() -> AsyncIterator[Office]:
    """An office into which every user of this machine can look; ana is another user than the service."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        async with open_office(Path(folder)) as one:
            one.settle(f"  user: {USER.pw_name}")
            home_of(one.machine, "ana", USER)
            yield one


@root_only
async def test_the_line_is_its_users_who_may_have_another_number_since(floor: Office):
    users(floor.machine)
    async with floor.machine.running() as service:
        async with session(floor.machine, USER, floor.machine.home("ana")):
            await service.until(lambda status: states(status) in (["written"], ["unchanged"]))
        port = floor.relay_port()
        async with handset(port, "1001", "udp") as phone:
            packets = [print_message(phone.request("REGISTER", call_id=f"{number}")) for number in range(3)]
        assert await gets(TCP, packets[0], port, uid=USER.pw_uid) > 0
        users(floor.machine, (USER.pw_name, "heir"), (OTHER.pw_name, USER.pw_name))
        assert (await service.reload()).code == 0
        assert await gets(TCP, packets[1], port, uid=USER.pw_uid) == 0
        assert await gets(TCP, packets[2], port, uid=OTHER.pw_uid) > 0
