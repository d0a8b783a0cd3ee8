"""What the relay adds to a message, and what its phones cost, at a server of our own over verified TLS."""

from __future__ import annotations

import asyncio
import os
import resource
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
from provisioner.core.sip.message import Message, Request, Response, parse_message
from provisioner.core.sip.trial import Address
from provisioner.edge.relay import Around, Relay, RelayAccount, bound
from provisioner.edge.relay_line import Server
from provisioner.edge.socket_owner import SocketOwners
from provisioner.edge.trust import tls_context
from tests.bench.table import Figure
from tests.edge.handset import Phone, handset
from tests.ports import free_port
from tests.registrar import server_side
from tests.sip_server import SipServer, ha1_of, sip_server

ROUNDS = 600
PHONES = 200
CALLS = 5


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
    yield from asyncio.run(_one_relay(folder))


async def _latency(folder: Path) -> list[Figure]:
    async with (
        _server(folder, ("1001",)) as (_, run),
        _relays(run) as (ports, talk),
        handset(ports["1001"], "1001", "tcp") as tcp,
        handset(ports["1001"], "1001", "udp") as udp,
        _direct(run) as frames,
    ):
        await tcp.registers()
        await udp.registers()
        direct, taken = [], {"tcp": list[float](), "udp": list[float]()}
        spent = _cpu(talk)
        # They take turns, for the machine's mood changes.
        for number in range(1, ROUNDS + 1):
            direct.append(await _alone(frames, number))
            for phone in (tcp, udp):
                taken[phone.wire.kind].append(await _relayed(phone))
        used = _cpu(talk) - spent
    plain, messages = statistics.median(direct), 2 * 2 * ROUNDS
    found = [
        # A round trip is two messages.
        Figure(f"relay: added to a message over {kind}, median", (statistics.median(one) - plain) / 2, "ms", 0.5,
               f"{plain:.2f} direct")
        for kind, one in taken.items()
    ]  # fmt: skip
    return [*found, Figure("relay: processor time for 1,000 messages", used / messages * 1000, "s")]


async def _crowd(folder: Path) -> list[Figure]:
    """Phones of as many accounts, each at a relay of its own."""
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


async def _one_relay(folder: Path) -> list[Figure]:
    """Phones of one account, all at the same relay, where nothing tells them apart but their connections."""
    async with _server(folder, ("1001",)) as (server, run), _relays(run) as (ports, talk), AsyncExitStack() as stack:
        before = _memory(talk)
        phones = [await stack.enter_async_context(handset(ports["1001"], "1001")) for _ in range(PHONES)]
        await asyncio.gather(*(phone.asks(phone.request("REGISTER", call_id=f"{number}"))
                               for number, phone in enumerate(phones)))  # fmt: skip
        each = (_memory(talk) - before) / PHONES
        assert server.opened == PHONES
        wrong = sum(await asyncio.gather(*(_calls(phone, number) for number, phone in enumerate(phones))))
    return [
        Figure(f"relay: memory for each of {PHONES} phones at one relay (PSS)", each, "MiB", 0.5),
        Figure(f"relay: answers to {PHONES} phones at one relay that were another's", wrong, "", 0),
    ]


async def _cross_talk(phones: list[Phone]) -> int:
    """Each writes to the next one and calls, all at once; gives how many heard something else than what was for
    them."""
    count = len(phones)

    async def writes(number: int) -> int:
        body = f"from {number}".encode()
        answer = await phones[number].asks(
            phones[number].request("MESSAGE", to=phones[(number + 1) % count].name, body=body)
        )
        assert answer.status == 200
        return await _calls(phones[number], number)

    wrong = sum(await asyncio.gather(*map(writes, range(count))))
    for number, phone in enumerate(phones):
        heard = [one for one in phone.others if isinstance(one, Request)] or [await phone.hears()]
        wrong += [one.body for one in heard] != [f"from {(number - 1) % count}".encode()]
    return wrong


async def _calls(phone: Phone, number: int) -> int:
    """The phone calls, and hangs up; gives how many answers were not its own."""
    asked = []
    for call in range(CALLS):
        for method in ("INVITE", "BYE"):
            request = phone.request(method, call_id=f"call {call} of {number}")
            asked.append(_marks(request))
            await _called(phone, request)
    return sum(_marks(one) not in asked for one in phone.others if isinstance(one, Response))


async def _called(phone: Phone, request: Request) -> None:
    """Ask, and put the answer to the others."""
    answer = await phone.asks(request)
    assert answer.status == 200
    phone.others.append(answer)


def _marks(message: Message) -> tuple[str, ...]:
    """What an answer has in common with what was asked, and with nobody else's question."""
    return tuple(message.headers.first(name) for name in ("Via", "From", "Call-ID", "CSeq"))


async def _relayed(phone: Phone) -> float:
    """Milliseconds from a question to its answer."""
    request = phone.request("OPTIONS", call_id=f"bench over {phone.wire.kind}")
    began = time.perf_counter()
    await phone.asks(request)
    return (time.perf_counter() - began) * 1000


async def _alone(frames: aiohttp.ClientWebSocketResponse, number: int) -> float:
    """The same on a WebSocket of one's own."""
    headers = f"Via: SIP/2.0/WSS a.invalid;branch=z9hG4bK{number}\r\nFrom: <sip:1@a>;tag=a\r\nTo: <sip:600@a>\r\n"
    packet = f"OPTIONS sip:600@a SIP/2.0\r\n{headers}Call-ID: direct\r\nCSeq: {number} OPTIONS\r\n\r\n"
    began = time.perf_counter()
    await frames.send_str(packet)
    assert isinstance(parse_message((await frames.receive_str()).encode()), Response)
    return (time.perf_counter() - began) * 1000


@asynccontextmanager
async def _direct(run: Run) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls_context(run.authority))) as session,
        session.ws_connect(f"wss://localhost:{run.port}/ws", protocols=("sip",)) as frames,
    ):
        yield frames


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
            relay = Relay(account, Around(owners, group.create_task, lambda: None, most_phones=PHONES))
            relay.open(*bound(free_port()))
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
