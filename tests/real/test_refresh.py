"""What changes while the phone runs reaches the server: names, codecs, credentials; and no call is hung up for it."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest

from provisioner.demo.platform import SimulatedAgent
from tests.ports import free_ports
from tests.real.asterisk import ECHO
from tests.real.baresip import baresip
from tests.real.browser import browser
from tests.real.conversation import calls_out, enough_audio, is_up
from tests.real.desk import Desk, rotated
from tests.real.linphone import linphonec
from tests.real.needs import need, need_browser

pytestmark = pytest.mark.slow

ANA = SimulatedAgent("ana", "pw-ana", "1001", row={"transport": "udp", "encryption": "no"})
VERBS = {"": "tell", "running_": "running", "busy_": "busy"}
WEB = SimulatedAgent("ana", "pw-ana", "1001", row={"transport": "wss"})


def is_told(status: dict[str, Any]) -> bool:
    (target,) = status["agents"][0]["targets"]
    return target["state"] in ("written", "unchanged") and target["reload"] is None


@pytest.mark.usefixtures("sound")
async def test_a_restarted_linphone_has_the_new_name_and_the_new_order_of_codecs(desk: Desk) -> None:
    need("linphonec")
    await desk.employ(ANA, "linphone", display_name="Ana", codecs=["pcma", "pcmu"])
    async with desk.machine.running() as service:
        await service.logged_in("ana")
        async with linphonec(desk, "ana") as phone:
            await desk.server.registered("1001")
            before = await calls_out(desk.server, "1001", phone)
            desk.settle(ANA, "linphone", display_name="Ana Ñ", codecs=["pcmu", "pcma"])
            await desk.written("ana", "Ana Ñ")
        await desk.server.put(replace(ANA, row={**ANA.row, "allow": "ulaw;alaw"}))
        desk.server.manager.events.clear()
        async with linphonec(desk, "ana") as phone:
            await desk.server.registered("1001")
            after = await calls_out(desk.server, "1001", phone)
    assert (before.display, before.codec) == ("Ana", "alaw")
    assert (after.display, after.codec) == ("Ana Ñ", "ulaw")


@pytest.mark.parametrize("target", ["jssip", "sipjs"])
async def test_a_page_takes_the_change_over_when_it_is_loaded_again_and_no_call_ends_before(
    desk: Desk, target: str
) -> None:
    need_browser()
    await desk.employ(WEB, target, display_name="Ana")
    async with desk.machine.running() as service:
        await service.logged_in("ana")
        async with browser(desk, "ana", target) as page:
            await desk.server.registered("1001")
            await page.call(ECHO)
            call = await is_up(desk.server, "1001")
            await page.press("1234")
            await desk.server.heard("Digits", "1001")
            before = await enough_audio(desk.server, call["Channel"])
            desk.settle(WEB, target, display_name="Ana Dos")
            await desk.written("ana", "Ana Dos")
            await enough_audio(desk.server, call["Channel"], after=before)
            await page.hang_up()
            await desk.server.heard("End", "1001")
            desk.server.manager.events.clear()
            await page.reload()
            await desk.server.registered("1001")
            after = await calls_out(desk.server, "1001", page)
    assert call["CallerIDName"] == "Ana"
    assert after.display == "Ana Dos"


async def test_after_a_refresh_linphone_registers_with_the_new_hash(desk: Desk) -> None:
    need("linphonec")
    await desk.employ(ANA, "linphone", display_name="Ana")
    async with desk.machine.running() as service:
        await service.logged_in("ana")
        async with linphonec(desk, "ana"):
            await desk.server.registered("1001")
        desk.platform.put(rotated(ANA))
        await desk.server.put(rotated(ANA))
        await desk.server.forget("1001")
        async with linphonec(desk, "ana"):
            refused = ('"Ana" <sip:1001@localhost>', "Wrong password")
            await desk.server.process.until(lambda: refused in desk.server.refusals())
        assert (await desk.machine.command("refresh", "ana")).code == 0
        await desk.written("ana", str(rotated(ANA).row["md5secret"]))
        desk.server.manager.events.clear()
        async with linphonec(desk, "ana"):
            assert (await desk.server.registered("1001")).address.startswith("127.0.0.1:")


async def test_after_a_refresh_a_page_registers_with_the_new_hash(desk: Desk) -> None:
    need_browser()
    await desk.employ(WEB, "jssip")
    async with desk.machine.running() as service:
        await service.logged_in("ana")
        async with browser(desk, "ana", "jssip") as page:
            await desk.server.registered("1001")
            desk.platform.put(rotated(WEB))
            await desk.server.put(rotated(WEB))
            assert (await desk.machine.command("refresh", "ana")).code == 0
            await desk.written("ana", str(rotated(WEB).row["md5secret"]))
            await desk.server.forget("1001")
            desk.server.manager.events.clear()
            await page.reload()
            assert (await desk.server.registered("1001")).address.startswith("127.0.0.1:")


async def test_a_running_baresip_is_told_of_a_new_password(desk: Desk) -> None:
    """As ``reload: shipped`` does it, with this Python's ``provisioner``."""
    need("baresip")
    words = [sys.executable, "-m", "provisioner", "baresip"]
    reload = {f"{name}command": [*words, verb, "{folder}"] for name, verb in VERBS.items()}
    target = {"target": "baresip", "options": {"control": "yes", "control_port": free_ports(1)[0]}, "reload": reload}
    await desk.employ(ANA, target, server="127.0.0.1")
    new = replace(ANA, password="pw-new")
    async with desk.machine.running() as service:
        await service.until(lambda status: bool(status["agents"][0]["targets"]) and is_told(status))
        async with baresip(desk, "ana") as phone:
            await desk.server.registered("1001")
            desk.server.manager.events.clear()
            await desk.employ(new, target, server="127.0.0.1")
            await desk.written("ana", "pw-new")
            await desk.server.registered("1001")
            await phone.process.says("200 OK", count=2)
            await service.until(is_told)


async def test_a_restarted_baresip_registers_with_the_new_password(desk: Desk) -> None:
    need("baresip")
    await desk.employ(ANA, "baresip", server="127.0.0.1")
    new = replace(ANA, password="pw-new")
    async with desk.machine.running() as service:
        await service.logged_in("ana")
        async with baresip(desk, "ana"):
            await desk.server.registered("1001")
        await desk.employ(new, "baresip", server="127.0.0.1")
        await desk.written("ana", "pw-new")
        desk.server.manager.events.clear()
        async with baresip(desk, "ana"):
            await desk.server.registered("1001")
