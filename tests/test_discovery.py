"""The daemon finds a realm that cannot be proven offline: the whole program, a platform and a registrar on sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme

from provisioner.core.account import Proof
from provisioner.core.realm import ha1
from provisioner.core.secret import Secret
from provisioner.core.session import HeldSession
from provisioner.demo.platform import SimulatedAgent, SimulatedPlatform
from provisioner.discovery import Discovery
from provisioner.edge.store import Store
from provisioner.opening import reader_of
from provisioner.refresh import AgentReport
from provisioner.seat import Seat
from tests.machine import Machine, until
from tests.registrar import Manner, Registrar, server_side
from tests.targets.stage import row

JSON = "  targets: [json]"
SIP_PASSWORD = "the-phone-has-another"


def agent(transport: str = "wss", *, hashed_for: str = "acme") -> SimulatedAgent:
    """ana, whose SIP password is not what she logs in with: only the server can prove the realm of her hash."""
    row = {"host": "localhost", "transport": transport, "md5secret": ha1("1001", hashed_for, SIP_PASSWORD)}
    return SimulatedAgent("ana", "pw-ana", "1001", row=row)


@dataclass
class Bureau:
    """A workstation with a platform and a registrar that asks for the realm ``acme``."""

    machine: Machine
    platform: SimulatedPlatform
    registrar: Registrar

    def realm(self) -> str:
        """The realm in the file that the phone reads."""
        (path,) = self.machine.home("ana").rglob("json/account.json")
        realm: str = json.loads(path.read_text())["realm"]
        return realm


@pytest.fixture
async def bureau(machine: Machine, platform: SimulatedPlatform, tmp_path: Path) -> AsyncIterator[Bureau]:
    async with at(machine, platform, tmp_path, Registrar(password=SIP_PASSWORD, manner=Manner("acme"))) as made:
        yield made


@asynccontextmanager
async def at(
    machine: Machine,
    platform: SimulatedPlatform,
    folder: Path,
    registrar: Registrar,
    more: str = "discover_realm: true",
) -> AsyncIterator[Bureau]:
    authority = trustme.CA()
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    tls = server_side(authority)
    platform.put(agent())
    async with registrar.over("wss", tls) as wss, registrar.over("tls", tls) as secure, registrar.over("udp") as udp:
        lines = [f"ca_file: {ca_file}", f"websocket: {{port: {wss}}}", f"ports: {{tls: {secure}, udp: {udp}}}", more]
        text = machine.main.read_text()
        machine.main.write_text(text.replace("platform:\n", "platform:\n" + "".join(f"  {line}\n" for line in lines)))
        machine.agent("ana", JSON)
        yield Bureau(machine, platform, registrar)


@pytest.mark.parametrize("transport", ["wss", "tls", "udp,tls"])
async def test_the_realm_is_seen_proven_used_and_remembered(bureau: Bureau, transport: str):
    bureau.platform.put(agent(transport))
    async with bureau.machine.running() as service:
        status = await service.logged_in("ana")
        assert status["agents"][0]["proof"] == "HA1 only, realm seen at the server"
    assert bureau.realm() == "acme"
    asked = len(bureau.registrar.requests)
    assert asked == 2 and {over for over, _ in bureau.registrar.requests} == {transport.rpartition(",")[2]}
    assert not any(list(request.headers.every("Contact")) for _, request in bureau.registrar.requests)
    # After a restart the state knows it: nobody is asked, and nobody logged in.
    async with bureau.machine.running() as service:
        await service.logged_in("ana")
        assert (await service.reload()).code == 0
    assert (bureau.realm(), len(bureau.registrar.requests), bureau.platform.logins) == ("acme", asked, ["ana"])
    shown = await bureau.machine.command("verify", "ana")
    assert shown.code == 0, shown.out
    over = transport.partition(",")[0]
    planned = f"ana: stays logged in\n  json: over {over}\n  nothing to change\n"
    assert (await bureau.machine.command("plan")).out == planned


async def test_a_realm_that_moved_is_found_at_the_next_login(bureau: Bureau):
    async with bureau.machine.running() as service:
        await service.logged_in("ana")
        bureau.registrar.manner = Manner("moved")
        bureau.platform.put(agent(hashed_for="moved"))
        assert (await bureau.machine.command("refresh", "ana")).code == 0
        assert bureau.realm() == "moved"


async def test_the_files_are_written_once_with_the_right_realm(bureau: Bureau):
    runs = bureau.machine.root / "runs"
    bureau.machine.agent("ana", f"  targets: [{{target: json, reload: [/bin/sh, -c, 'echo x >> {runs}']}}]")
    async with bureau.machine.running() as service:
        await service.logged_in("ana")
        assert (await service.reload()).code == 0
        await until(lambda: runs.exists() and runs.read_text() != "")
    assert runs.read_text() == "x\n"


async def test_a_realm_that_nothing_proves_is_not_used(bureau: Bureau):
    bureau.registrar.password = "another"
    async with bureau.machine.running() as service:
        status = await service.logged_in("ana")
        assert status["agents"][0]["proof"] == "HA1 only, realm assumed"
    assert bureau.realm() == "asterisk"
    told = service.log.read_text()
    assert "the realm stays unproven" in told and "provisioner verify ana" in told
    assert len(bureau.registrar.signatures()) == 1


async def test_a_server_that_did_not_answer_is_asked_again_and_nobody_logged_in(bureau: Bureau):
    authority = bureau.machine.root / "ca.pem"
    right = authority.read_bytes()
    trustme.CA().cert_pem.write_to_path(str(authority))
    async with bureau.machine.running() as service:
        await service.logged_in("ana")
        assert bureau.realm() == "asterisk"
        authority.unlink()
        for _ in range(2):
            assert (await service.reload()).code == 0
            await until(lambda: "the realm cannot be asked for" in service.log.read_text())
        authority.write_bytes(right)
        assert (await service.reload()).code == 0
        await until(lambda: bureau.realm() == "acme")
        assert service.log.read_text().count("the realm cannot be asked for") == 1
    assert bureau.platform.logins == ["ana"]


async def test_a_login_while_the_server_is_asked_again_is_followed_by_a_question_of_its_own(
    machine: Machine, platform: SimulatedPlatform, tmp_path: Path
):
    registrar = Registrar(password=SIP_PASSWORD, manner=Manner("acme")).then(None)
    async with at(machine, platform, tmp_path, registrar, "discover_realm: true\n  connect_timeout: 5s") as bureau:
        authority = machine.root / "ca.pem"
        right = authority.read_bytes()
        trustme.CA().cert_pem.write_to_path(str(authority))
        async with machine.running() as service:
            await service.logged_in("ana")
            authority.write_bytes(right)
            assert (await service.reload()).code == 0
            await until(lambda: registrar.requests != [])  # which is the one that gets no answer
            assert (await machine.command("refresh", "ana")).code == 0
            assert bureau.realm() == "acme"


async def test_a_hash_that_the_server_refused_is_not_shown_again(bureau: Bureau):
    bureau.registrar.password = "another"
    async with bureau.machine.running() as service:
        await service.logged_in("ana")
        for _ in range(2):
            assert (await service.reload()).code == 0
        bureau.registrar.password = SIP_PASSWORD
        assert (await bureau.machine.command("refresh", "ana")).code == 0
        await until(lambda: bureau.realm() == "acme")
    assert len(bureau.registrar.signatures()) == 2


@pytest.mark.parametrize("transport", ["udp", "ws,udp"])
async def test_over_a_transport_that_nobody_vouches_for_the_daemon_does_not_ask(bureau: Bureau, transport: str):
    bureau.platform.put(agent(transport))
    async with bureau.machine.running() as service:
        await service.logged_in("ana")
    assert (bureau.realm(), bureau.registrar.requests) == ("asterisk", [])


async def test_a_certificate_that_is_not_trusted_proves_nothing(bureau: Bureau):
    text = bureau.machine.main.read_text()
    trustme.CA().cert_pem.write_to_path(str(bureau.machine.root / "ca.pem"))
    async with bureau.machine.running() as service:
        await service.logged_in("ana")
    assert text == bureau.machine.main.read_text()
    assert (bureau.realm(), bureau.registrar.requests) == ("asterisk", [])
    assert "unknown" in service.log.read_text()


@pytest.mark.parametrize("more", ["discover_realm: false", "discover_realm: true\n  realm: asterisk", "timeout: 20s"])
async def test_nobody_is_asked_where_that_is_not_wanted(machine, platform, tmp_path, more: str):
    registrar = Registrar(password=SIP_PASSWORD, manner=Manner("acme"))
    async with at(machine, platform, tmp_path, registrar, more) as bureau, machine.running() as service:
        await service.logged_in("ana")
        assert (bureau.realm(), registrar.requests) == ("asterisk", [])


async def test_nobody_is_asked_where_the_password_proves_the_realm(bureau: Bureau):
    row = {"host": "localhost", "transport": "wss"}
    bureau.platform.put(SimulatedAgent("ana", "pw-ana", "1001", row=row, realm="localhost"))
    async with bureau.machine.running() as service:
        await service.logged_in("ana")
    assert (bureau.realm(), bureau.registrar.requests) == ("localhost", [])


async def test_what_was_seen_is_not_used_any_more_once_the_setting_is_off(bureau: Bureau):
    async with bureau.machine.running() as service:
        await service.logged_in("ana")
        text = bureau.machine.main.read_text()
        bureau.machine.main.write_text(text.replace("discover_realm: true", "discover_realm: false"))
        assert (await service.reload()).code == 0
        assert bureau.realm() == "asterisk"
    assert bureau.platform.logins == ["ana"]


async def test_what_another_platform_showed_is_not_used(bureau: Bureau):
    async with bureau.machine.running() as service:
        await service.logged_in("ana")
        bureau.registrar.password = "another"
        text = bureau.machine.main.read_text()
        bureau.machine.main.write_text(text.replace("url: http://127.0.0.1", "url: http://localhost"))
        assert (await service.reload()).code == 0
        await service.until(lambda status: len(bureau.platform.logins) == 2 and bureau.realm() == "asterisk")


async def test_the_journal_holds_no_secret(bureau: Bureau):
    async with bureau.machine.running() as service:
        await service.logged_in("ana")
    (signature,) = bureau.registrar.signatures()
    response = signature.partition('response="')[2].partition('"')[0]
    told = service.log.read_text()
    assert "asks for the realm `acme`" in told
    for secret in (SIP_PASSWORD, "pw-ana", ha1("1001", "acme", SIP_PASSWORD), response):
        assert secret not in told


@pytest.mark.parametrize(("more", "kept"), [("discover_realm: true", "acme"), ("discover_realm: false", None)])
async def test_a_reading_that_began_before_forgets_no_realm(
    machine: Machine, platform: SimulatedPlatform, tmp_path: Path, more: str, kept: str | None
):
    async with at(machine, platform, tmp_path, Registrar(), more):
        reader = reader_of(machine.places, "ws", None)
        before = reader.read().served["ana"]
        discovery = Discovery(reader, lambda change: asyncio.sleep(0), lambda: 0.0)
        seen, earlier = reader.with_realm(before, "acme"), reader.with_realm(before, "earlier")
        assert discovery.not_forgotten(seen, before).secrets.seen_realm == kept
        assert discovery.not_forgotten(seen, earlier).secrets.seen_realm == (kept or "earlier")
        assert discovery.not_forgotten(before, before) is before


async def test_a_realm_is_not_that_of_another_platform_which_is_named_while_it_is_noted(
    machine: Machine, platform: SimulatedPlatform, tmp_path: Path
):
    async with at(machine, platform, tmp_path, Registrar(password=SIP_PASSWORD, manner=Manner("acme"))):
        reader = reader_of(machine.places, "ws", None)
        site = reader.read()
        served = site.served["ana"]
        identity = replace(served.wanted.identity, url="https://other.example")
        elsewhere = replace(served, wanted=replace(served.wanted, identity=identity))
        seat, noted = Seat(served), list[object]()

        async def keep(change: Callable[[Store], None]) -> None:
            noted.append(seat.served.secrets.seen_realm)
            seat.served = elsewhere

        answer = row(name="1001", host="localhost", md5secret=ha1("1001", "acme", SIP_PASSWORD))
        job = site.job(served, Secret(json.dumps(answer)))
        assert job is not None
        await Discovery(reader, keep, lambda: 0.0).look(seat, lambda _: job)
    assert noted == ["acme"] and seat.served is elsewhere


@pytest.mark.parametrize(("proof", "again"), [(Proof.ASSUMED, True), (Proof.PROVEN, False), (Proof.SEEN, False)])
async def test_only_for_an_assumed_realm_is_looked_again(
    machine: Machine, platform: SimulatedPlatform, tmp_path: Path, proof: Proof, again: bool
):
    async with at(machine, platform, tmp_path, Registrar()):
        reader, looked = reader_of(machine.places, "ws", None), list[Seat]()
        served = reader.read().served["ana"]
        who = served.wanted.identity
        session = HeldSession("ana", who.url, who.login, Secret(""), Secret(""), who.password_mark, 0.0)
        seat = Seat(served, session, report=AgentReport("ana", proof, (), ()))

        async def look(seat: Seat) -> None:
            looked.append(seat)

        await Discovery(reader, lambda change: asyncio.sleep(0), lambda: 0.0).look_again([seat], look)
        assert bool(looked) is again
