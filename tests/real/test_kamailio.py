"""A second opinion: what registers at Asterisk registers at another maker's server too, and so does `verify`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.demo.platform import SimulatedAgent
from tests.real.desk import Desk
from tests.real.kamailio import kamailio
from tests.real.linphone import linphonec
from tests.real.needs import need

pytestmark = pytest.mark.slow

ANA = SimulatedAgent("ana", "pw-ana", "1001", row={"transport": "udp,tcp", "encryption": "no"})


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_linphone_registers_at_kamailio_as_verify_said(desk: Desk, transport: str) -> None:
    need("kamailio", "linphonec")
    async with kamailio(desk.folder, ANA) as registrar:
        await desk.employ(ANA, "linphone", port=registrar.port, transport=transport)
        async with desk.machine.running() as service:
            await service.logged_in("ana")
            said = await desk.machine.command("verify", "ana")
            assert registrar.accepted() == []
            async with linphonec(desk, "ana"):
                await registrar.process.until(registrar.accepted)
    assert said.code == 0, said.out
    user, over, phone = registrar.accepted()[0]
    assert (user, over) == ("1001", transport)
    assert phone.startswith("Linphonec/")


async def test_kamailio_refuses_the_wrong_hash_as_verify_said(desk: Desk) -> None:
    need("kamailio", "linphonec")
    async with kamailio(desk.folder, replace(ANA, password="another")) as registrar:
        await desk.employ(ANA, "linphone", port=registrar.port, transport="udp")
        async with desk.machine.running() as service:
            await service.logged_in("ana")
            said = await desk.machine.command("verify", "ana")
            before = len(registrar.refused())
            async with linphonec(desk, "ana"):
                await registrar.process.until(lambda: len(registrar.refused()) > before)
    assert said.code == 4
    assert registrar.refused()[before][2].startswith("Linphonec/")
    assert registrar.accepted() == []
