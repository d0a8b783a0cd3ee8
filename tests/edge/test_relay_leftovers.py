"""What is left of WebSockets that are over: nothing that waits for the garbage collector, which comes by so seldom that
hundreds of them, each with half a megabyte of TLS's, would be left."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler

from provisioner.edge.trust import tls_context
from tests.edge.handset import handset
from tests.edge.test_relay import NAME, Bench, desk, server  # noqa: F401 - fixtures


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Nothing but what nobody refers to any more is freed."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def living() -> int:
    """WebSockets and connections of clients, in use or garbage."""
    return sum(isinstance(one, aiohttp.ClientWebSocketResponse | ResponseHandler) for one in gc.get_objects())


@pytest.mark.usefixtures("uncollected")
async def test_nothing_is_left_of_a_websocket_whose_server_or_phone_hangs_up(desk: Bench):  # noqa: F811
    async with handset(desk.port, NAME) as phone:
        await phone.registers()
        await desk.server.cut()
        await desk.server.until(lambda: NAME in desk.server.bindings)
        assert living() == 2
        await phone.registers(expires=0)
    await desk.server.until(lambda: not desk.server.open_frames)
    await desk.relay.close()
    assert living() == 0


@pytest.mark.usefixtures("uncollected")
async def test_nothing_is_left_of_one_whose_server_cannot_prove_who_it_is(desk: Bench):  # noqa: F811
    wrong = replace(desk.account.server, tls=tls_context(None))
    await desk.relay.use(replace(desk.account, server=wrong))
    async with handset(desk.port, NAME) as phone:
        assert (await phone.registers()).status == 503
    await desk.relay.close()
    assert living() == 0
