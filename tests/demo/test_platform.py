"""The simulated platform speaks the protocol that platform.md describes, so that what is shown against it counts."""

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from provisioner.demo.platform import (
    BUSY,
    ERROR,
    REFUSAL,
    Disconnect,
    Hold,
    LogOff,
    SimulatedAgent,
    SimulatedPlatform,
    serve,
)
from provisioner.edge.platform import LOGIN, LOGOFF

MARTA = SimulatedAgent("marta", "s e/c+r=e&t%ñ", "1997")


async def post(
    url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
) -> tuple[int, str, Mapping[str, str]]:
    async with aiohttp.ClientSession() as session, session.post(url, data=form, headers=headers) as response:
        return response.status, await response.text(), response.headers


async def log_in(url: str, agent: SimulatedAgent) -> dict[str, Any]:
    _, body, _ = await post(url + LOGIN, {"agent": agent.login, "password": agent.password})
    row = json.loads(body)
    assert isinstance(row, dict)
    return row


async def log_off(url: str, login: str, token: str) -> str:
    headers = {"Authorization": f"Basic {token}"}
    return (await post(url + LOGOFF, {"agent": login, "interface": "SIP/1997"}, headers))[1]


async def test_the_current_generation_sends_a_hash_and_a_token():
    async with serve(SimulatedPlatform([MARTA])) as url:
        row = await log_in(url, MARTA)
    assert row["md5secret"] == hashlib.md5(f"1997:asterisk:{MARTA.password}".encode()).hexdigest()
    assert row["secret"] == ""
    assert re.fullmatch("marta:[0-9a-f-]{36}", base64.b64decode(row["token"]).decode())


async def test_the_older_generation_sends_the_token_as_hash_and_the_password():
    older = replace(MARTA, generation="older")
    async with serve(SimulatedPlatform([older])) as url:
        row = await log_in(url, older)
        assert await log_off(url, "marta", row["md5secret"]) == "1"
    assert row["secret"] == MARTA.password
    assert "token" not in row


async def test_the_row_is_sent_as_text_with_the_columns_that_were_asked_for():
    changed = replace(MARTA, row={"transport": "udp,wss", "limite": "0"})
    async with serve(SimulatedPlatform([changed])) as url:
        status, body, headers = await post(url + LOGIN, {"agent": "marta", "password": MARTA.password})
    assert (status, headers["Content-Type"].partition(";")[0]) == (200, "text/plain")
    row = json.loads(body)
    assert (row["transport"], row["limite"], row["name"]) == ("udp,wss", "0", "1997")


async def test_each_login_has_a_token_of_its_own_that_ends_with_the_log_off():
    platform = SimulatedPlatform([MARTA])
    async with serve(platform) as url:
        first, second = (await log_in(url, MARTA))["token"], (await log_in(url, MARTA))["token"]
        assert first != second
        assert [await log_off(url, "marta", token) for token in (first, first, "bWFydGE=")] == ["1", "0", "0"]
        assert platform.available == {"marta"}
        assert await log_off(url, "marta", second) == "1"
    assert platform.available == frozenset()
    assert platform.log_offs[:2] == [LogOff("marta", "SIP/1997", True), LogOff("marta", "SIP/1997", False)]


@pytest.mark.parametrize(("login", "password"), [("marta", "wrong"), ("nobody", MARTA.password), ("", "")])
async def test_wrong_credentials_are_answered_with_zero_and_counted(login, password):
    platform = SimulatedPlatform([MARTA])
    async with serve(platform) as url:
        assert (await post(url + LOGIN, {"agent": login, "password": password}))[:2] == (200, "0")
    assert platform.logins == [login]
    assert platform.available == frozenset()


async def test_agents_change_while_it_runs():
    platform = SimulatedPlatform([MARTA])
    form = {"agent": "marta", "password": MARTA.password}
    async with serve(platform) as url:
        platform.put(replace(MARTA, password="new"))
        assert (await post(url + LOGIN, form))[1] == "0"
        platform.put(replace(MARTA, row={"fullname": "Marta Ruiz"}))
        assert (await log_in(url, MARTA))["fullname"] == "Marta Ruiz"
        platform.remove("marta")
        assert (await post(url + LOGIN, form))[1] == "0"


async def test_trouble_comes_as_often_as_it_was_ordered_and_to_whom():
    pedro = replace(MARTA, login="pedro")
    platform = SimulatedPlatform([MARTA, pedro])
    form = {"agent": "marta", "password": MARTA.password}
    platform.answer_next("marta", BUSY)
    platform.answer_next(None, ERROR, times=2)
    platform.answer_next("marta", REFUSAL, path=LOGOFF)
    async with serve(platform) as url:
        status, _, headers = await post(url + LOGIN, form)
        assert (status, headers["Retry-After"]) == (503, "2")
        assert [(await post(url + LOGIN, form))[1] for _ in range(2)] == ["Error", "Error"]
        token = (await log_in(url, MARTA))["token"]
        assert [await log_off(url, "marta", token) for _ in range(2)] == ["0", "1"]


async def test_a_connection_is_closed_without_an_answer():
    platform = SimulatedPlatform([MARTA])
    platform.answer_next(None, Disconnect())
    async with serve(platform) as url:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await log_in(url, MARTA)


async def test_an_answer_is_held_until_it_is_released():
    platform = SimulatedPlatform([MARTA])
    platform.answer_next(None, Hold(), times=2)
    async with serve(platform) as url, asyncio.timeout(30):
        waiting = [asyncio.create_task(log_in(url, MARTA)) for _ in range(2)]
        await platform.arrived(2)
        assert platform.available == frozenset()
        platform.release()
        assert [row["name"] for row in await asyncio.gather(*waiting)] == ["1997", "1997"]
    assert platform.most_at_once == 2


async def test_it_can_be_closed_while_an_answer_is_held():
    platform = SimulatedPlatform([MARTA])
    platform.answer_next(None, Hold())
    async with asyncio.timeout(30):
        async with serve(platform) as url:
            waiting = asyncio.create_task(log_in(url, MARTA))
            await platform.arrived(1)
        await asyncio.wait([waiting])
