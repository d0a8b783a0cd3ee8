"""What the server refuses, `verify` refuses beforehand, in words; a phone is only tried then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from provisioner.demo.platform import SimulatedAgent
from tests.real.desk import Desk
from tests.real.linphone import linphonec
from tests.real.needs import need

pytestmark = pytest.mark.slow

ANA = SimulatedAgent("ana", "pw-ana", "1001", row={"transport": "udp", "encryption": "no"})


async def test_verify_says_yes_before_a_phone_registers_and_names_it_after(desk: Desk) -> None:
    need("linphonec")
    await desk.employ(ANA, "linphone")
    async with desk.machine.running() as service:
        await service.logged_in("ana")
        before = await desk.machine.command("verify", "ana")
        assert (await desk.server.peer("1001")).address == "(null)"
        async with linphonec(desk, "ana"):
            peer = await desk.server.registered("1001")
            after = await desk.machine.command("verify", "ana")
            assert (await desk.server.peer("1001")) == peer
    assert (before.code, after.code) == (0, 0), before.out + after.out
    contact = peer.contact.removeprefix("sip:")
    assert contact not in before.out
    assert contact.split(";")[0] in after.out


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls", "wss"])
async def test_verify_speaks_every_transport_of_the_server(desk: Desk, transport: str) -> None:
    await desk.employ(replace(ANA, row={"transport": transport}), "json")
    async with desk.machine.running() as service:
        await service.logged_in("ana")
        said = await desk.machine.command("verify", "ana")
    assert said.code == 0, said.out
    assert f"● {transport}" in said.out


@pytest.mark.parametrize(
    "at_the_server, reason",
    [
        ({"password": "another"}, "Wrong password"),
        ({"row": {"transport": "tls"}}, "Device not configured to use this transport type"),
    ],
    ids=["wrong HA1", "forbidden transport"],
)
async def test_a_phone_is_refused_as_verify_said(desk: Desk, at_the_server: Mapping[str, Any], reason: str) -> None:
    need("linphonec")
    await desk.employ(ANA, "linphone", display_name="Ana")
    await desk.server.put(replace(ANA, **at_the_server))
    async with desk.machine.running() as service:
        await service.logged_in("ana")
        said = await desk.machine.command("verify", "ana")
        async with linphonec(desk, "ana"):
            await desk.server.process.until(lambda: ('"Ana" <sip:1001@localhost>', reason) in desk.server.refusals())
    assert said.code == 4
    assert "the server refuses the password, or udp for `1001` (403)" in said.out
    assert (await desk.server.peer("1001")).address == "(null)"


async def test_a_phone_for_another_realm_does_not_even_answer_as_verify_said(desk: Desk) -> None:
    need("linphonec")
    desk.server.realm = "acme"
    await desk.employ(ANA, "linphone")
    async with desk.machine.running() as service:
        await service.logged_in("ana")
        said = await desk.machine.command("verify", "ana")
        desk.server.manager.events.clear()
        async with linphonec(desk, "ana"):
            await desk.server.challenged("1001")
    assert said.code == 4
    assert "realm `acme`" in said.out
    assert (await desk.server.peer("1001")).address == "(null)"


async def test_a_phone_that_cannot_fit_gets_no_file_and_status_says_why(desk: Desk) -> None:
    await desk.employ(replace(ANA, row={"transport": "wss"}), "twinkle")
    async with desk.machine.running() as service:
        await service.until(lambda status: bool(status["agents"][0]["targets"]))
        said = await desk.machine.command("status")
    assert "calls would be refused (488)" in said.out
    assert desk.machine.files() == {}
