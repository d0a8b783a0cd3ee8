"""Linphone, real, at a real Asterisk, with what the program wrote and nothing else."""

from __future__ import annotations

import pytest

from provisioner.demo.platform import SimulatedAgent
from tests.real.conversation import DTMF, calls_out, is_called, told
from tests.real.desk import Desk, rotated
from tests.real.linphone import console_version, linphone_daemon, linphone_desktop, linphonec
from tests.real.needs import need, need_linphone_desktop
from tests.real.record import Record

pytestmark = pytest.mark.slow


ANA = SimulatedAgent("ana", "pw-ana", "1001", row={"transport": "udp", "encryption": "no"})


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_linphonec_registers(desk: Desk, transport: str, record: Record) -> None:
    need("linphonec")
    ana = SimulatedAgent("ana", "pw-ana", "1001", row={"transport": transport, "encryption": "no"})
    await desk.employ(ana, "linphone")
    async with desk.machine.running() as service:
        await service.logged_in("ana")
        async with linphonec(desk, "ana"):
            peer = await desk.server.registered("1001")
    assert peer.user_agent.startswith("Linphone")
    assert peer.transport == transport
    record.saw("linphone", peer.user_agent, transport, "registers")


async def test_linphone_daemon_registers(desk: Desk, record: Record) -> None:
    need("linphone-daemon", "linphonec")
    await desk.employ(ANA, "linphone")
    async with desk.machine.running() as service:
        await service.logged_in("ana")
        async with linphone_daemon(desk, "ana"):
            peer = await desk.server.registered("1001")
    assert (peer.transport, peer.address.split(":")[0]) == ("udp", "127.0.0.1")
    # It does not say its name; it is of one package with linphonec.
    record.saw("linphone", f"linphone-daemon/{console_version()}", "udp", "registers")


async def test_linphone_desktop_registers_and_takes_over_a_new_hash_without_a_restart(
    desk: Desk, record: Record
) -> None:
    need_linphone_desktop()
    await desk.employ(ANA, "linphone")
    async with desk.machine.running() as service:
        await service.logged_in("ana")
        async with linphone_desktop(desk, "ana") as phone:
            peer = await desk.server.registered("1001")
            desk.platform.put(rotated(ANA))
            await desk.server.put(rotated(ANA))
            assert (await desk.machine.command("refresh", "ana")).code == 0
            await desk.written("ana", str(rotated(ANA).row["md5secret"]))
            await desk.server.forget("1001")
            desk.server.manager.events.clear()
            await phone.fetch()
            await desk.server.registered("1001")
    assert peer.user_agent.startswith("Linphone Desktop/")
    record.saw("linphone", peer.user_agent, "udp", "registers", "new hash by fetch-config")


@pytest.mark.parametrize("transport, encryption", [("udp", "no"), ("tls", "yes")])
@pytest.mark.parametrize("dtmfmode", ["rfc2833", "info"])
@pytest.mark.usefixtures("sound")
async def test_linphonec_calls_and_is_called(
    desk: Desk, transport: str, encryption: str, dtmfmode: str, record: Record
) -> None:
    need("linphonec")
    row = {"transport": transport, "encryption": encryption, "dtmfmode": dtmfmode}
    await desk.employ(SimulatedAgent("ana", "pw-ana", "1001", row=row), "linphone", display_name='Ana "Ñ" Pérez')
    async with desk.machine.running() as service:
        await service.logged_in("ana")
        async with linphonec(desk, "ana") as phone:
            peer = await desk.server.registered("1001")
            out = await calls_out(desk.server, "1001", phone)
            back = await is_called(desk.server, "1001", phone)
    assert out.display == 'Ana "Ñ" Pérez'
    for one in (out, back):
        assert (one.digits, one.codec, one.encrypted) == ("1234", "alaw", encryption == "yes")
    record.saw("linphone", peer.user_agent, transport, *told(out), "is called", f"digits by {DTMF[dtmfmode]}")
