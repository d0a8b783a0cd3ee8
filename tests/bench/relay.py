"""What the relay adds to a message, and what its phones cost, at a server of our own over verified TLS."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
import trustme

from provisioner.core.account import Credential, Proof, Transport
from provisioner.core.secret import Secret
from provisioner.core.sip.message import Request, Response, parse_message
from provisioner.core.sip.trial import Address
from provisioner.edge.platform import tls_context
from provisioner.edge.relay import Around, Relay, RelayAccount, bound
from provisioner.edge.relay_line import Server
from provisioner.edge.socket_owner import SocketOwners
from tests.bench.table import Figure
from tests.edge.handset import Phone, handset
from tests.registrar import server_side
from tests.sip_server import SipServer, ha1_of, sip_server

ROUNDS = 600
PHONES = 200


@dataclass(frozen=True)
class Run:
    """What the relay's process is to do: relays for ``names`` to the server at ``port``."""

    names: tuple[str, ...]
    port: int
    authority: str


def figures(folder: Path) -> Iterator[Figure]:
    """Measure one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    yield from asyncio.run(_latency(folder))
    yield from asyncio.run(_crowd(folder))


async def _latency(folder: Path) -> list[Figure]:
    async with _server(folder, ("1001",)) as (_, run), _relays(run) as (ports, talk):
        direct = await _direct(run)
        spent = _cpu(talk)
        taken = {}
        for kind in ("tcp", "udp"):
            async with handset(ports["1001"], "1001", kind) as phone:
                await phone.registers()
                taken[kind] = await _median(phone)
        used = _cpu(talk) - spent
        messages = 2 * 2 * ROUNDS
    found = [
        # A round trip is two messages.
        Figure(f"relay: added to a message over {kind}, median", (one - direct) / 2, "ms", 0.5, f"{direct:.2f} direct")
        for kind, one in taken.items()
    ]
    return [*found, Figure("relay: processor time for 1,000 messages", used / messages * 1000, "s")]


async def _crowd(folder: Path) -> list[Figure]:
    names = tuple(str(2000 + number) for number in range(PHONES))
    async with _server(folder, names) as (server, run), _relays(run) as (ports, talk), AsyncExitStack() as stack:
        before = _memory(talk)
        phones = [await stack.enter_async_context(handset(ports[name], name)) for name in names]
        await asyncio.gather(*(phone.registers() for phone in phones))
        each = (_memory(talk) - before) / PHONES
        wrong = await _cross_talk(phones)
        assert len(server.bindings) == PHONES
    return [
        Figure(f"relay: memory for each of {PHONES} idle phones (PSS)", each, "MiB", 0.5),
        Figure(f"relay: messages of {PHONES} phones that reached the wrong one", wrong, "", 0),
    ]


async def _cross_talk(phones: list[Phone]) -> int:
    """Each writes to the next one; gives how many heard something else than what was for them."""
    count = len(phones)

    async def writes(number: int) -> None:
        body = f"from {number}".encode()
        answer = await phones[number].asks(
            phones[number].request("MESSAGE", to=phones[(number + 1) % count].name, body=body)
        )
        assert answer.status == 200

    await asyncio.gather(*map(writes, range(count)))
    wrong = 0
    for number, phone in enumerate(phones):
        heard = [one for one in phone.others if isinstance(one, Request)] or [await phone.hears()]
        wrong += [one.body for one in heard] != [f"from {(number - 1) % count}".encode()]
    return wrong


async def _median(phone: Phone) -> float:
    taken = []
    for _ in range(ROUNDS):
        request = phone.request("OPTIONS", call_id="bench")
        began = time.perf_counter()
        await phone.asks(request)
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


async def _direct(run: Run) -> float:
    """The same round trip on a WebSocket of one's own."""
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls_context(run.authority))) as session,
        session.ws_connect(f"wss://localhost:{run.port}/ws", protocols=("sip",)) as frames,
    ):
        taken = []
        for number in range(1, ROUNDS + 1):
            headers = (
                f"Via: SIP/2.0/WSS a.invalid;branch=z9hG4bK{number}\r\nFrom: <sip:1@a>;tag=a\r\nTo: <sip:600@a>\r\n"
            )
            packet = f"OPTIONS sip:600@a SIP/2.0\r\n{headers}Call-ID: direct\r\nCSeq: {number} OPTIONS\r\n\r\n"
            began = time.perf_counter()
            await frames.send_str(packet)
            assert isinstance(parse_message((await frames.receive_str()).encode()), Response)
            taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


@asynccontextmanager
async def _server(folder: Path, names: tuple[str, ...]) -> AsyncIterator[tuple[SipServer, Run]]:
    authority = trustme.CA()
    file = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    server = SipServer({name: ha1_of(name) for name in names})
    async with sip_server(server, server_side(authority)) as port:
        yield server, Run(names, port, str(file))


@asynccontextmanager
async def _relays(run: Run) -> AsyncIterator[tuple[dict[str, int], Connection]]:
    """Relays in a process of their own; gives their ports and a line to ask the process what it has used."""
    here, there = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_serve, args=(run, there), daemon=True)
    process.start()
    try:
        yield await asyncio.to_thread(here.recv), here
    finally:
        process.terminate()
        process.join()


def _serve(run: Run, line: Connection) -> None:
    asyncio.run(_serve_all(run, line))


async def _serve_all(run: Run, line: Connection) -> None:
    server = Server(
        Address(Transport.WSS, "localhost", run.port, f"wss://localhost:{run.port}/ws"), tls_context(run.authority)
    )
    owners, ports = SocketOwners(), {}
    async with asyncio.TaskGroup() as group:
        for name in run.names:
            credential = Credential(name, "asterisk", Secret(ha1_of(name)), None, Proof.PROVEN)
            account = RelayAccount(name, credential, True, server, os.getuid())
            relay = Relay(account, Around(owners, group.create_task, lambda: None))
            relay.open(*bound(_free_port()))
            ports[name] = relay.port
        line.send(ports)
        while True:
            await asyncio.to_thread(line.recv)
            usage = resource.getrusage(resource.RUSAGE_SELF)
            line.send((usage.ru_utime + usage.ru_stime, _pss()))


def _cpu(line: Connection) -> float:
    line.send(None)
    return float(line.recv()[0])


def _memory(line: Connection) -> float:
    line.send(None)
    return float(line.recv()[1])


def _pss() -> float:
    text = Path("/proc/self/smaps_rollup").read_text()
    return int(text.partition("Pss:")[2].split()[0]) / 1024


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
