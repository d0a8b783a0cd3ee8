"""Behind NAT, where no STUN server is told to the phone: the call stands and is silent, and that was said before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.real.conversation import DIGITS
from tests.real.needs import need
from tests.real.test_relay import Here, at_work

pytestmark = pytest.mark.slow


async def test_without_a_stun_server_calls_are_silent_as_was_said_before(folder: Path) -> None:
    need("linphonec", "nft", "turnserver")
    async with at_work(folder, "linphone", nat=True) as here:
        assert await remarks(here) == []
        await without_stun(here)
        assert ["no STUN server" in one and "silent" in one for one in await remarks(here)] == [True]
        phone = await here.phone("linphone")
        await here.server.registered("1001")
        await here.server.manager.action("Setvar", Variable="PATIENCE", Value="6")
        await phone.call("600")
        call = await here.server.heard("Call", "1001")
        await phone.process.says("to LinphoneCallStreamsRunning")  # type: ignore[attr-defined]
        await phone.press(DIGITS)
        assert (await here.server.heard("Digits", "1001"))["Digits"] == ""
        assert (await here.server.audio(call["Channel"]))[0] == 0


async def without_stun(here: Here) -> None:
    """Take the STUN server out of the settings."""
    main = here.desk.machine.main
    said = json.loads(main.read_text())
    del said["platform"]["stun"]
    main.write_text(json.dumps(said))
    assert (await here.service.reload()).code == 0


async def remarks(here: Here) -> list[str]:
    """What is said of the phone's files."""
    [agent] = (await here.service.status())["agents"]
    [target] = agent["targets"]
    return [one["what"] for one in target["problems"] if one["remark"]]
