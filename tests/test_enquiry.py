"""Would it register, and if not why? Against a registrar on real sockets that refuses in every way there is."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from aiohttp import web

from provisioner.core.account import Account, Credential, Proof, Transport
from provisioner.core.derive import Secrets, account_of
from provisioner.core.realm import ha1
from provisioner.core.secret import Secret
from provisioner.core.sip.headers import Header, Headers
from provisioner.core.sip.message import Request, print_message
from provisioner.core.sip.trial import Obstacle, Stage, Trial
from provisioner.core.sip.verdict import Asked, Outcome, Verdict, judge
from provisioner.enquiry import Enquirer, enquire
from tests.examples import PLATFORM, agent, peer
from tests.registrar import Manner, Registrar, reply, server_side, web_server

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PASSWORD = "pw-ana"
EVERY = [str(transport) for transport in Transport]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def account(*transports: str, realm: str = "asterisk", of: str = "asterisk", proof: Proof = Proof.PROVEN) -> Account:
    """1001 at localhost, with an HA1 that was made for the realm ``of`` and is used with ``realm``."""
    made = account_of(peer(name="1001", host="localhost"), agent("ana"), PLATFORM, Secrets())[0]
    hashed = Secret(ha1("1001", of, PASSWORD))
    password = Secret(PASSWORD) if proof is Proof.PROVEN else None
    credential = Credential("1001", realm, hashed, password, proof)
    return replace(made, transports=tuple(map(Transport, transports)), credential=credential)


@dataclass
class Desk:
    """A registrar that listens, and an account that points at it."""

    authority: trustme.CA
    account: Account
    passwords: tuple[str, ...] = ()
    timeout: float = 30.0

    def at(self, **ports: int) -> Desk:
        urls = {Transport(t): f"{t}://localhost:{port}/ws" for t, port in ports.items() if t in ("ws", "wss")}
        known = {Transport(t): port for t, port in ports.items()}
        return replace(self, account=replace(self.account, ports=known, websocket_urls=urls))

    async def ask(self) -> list[tuple[Trial, Verdict]]:
        passwords = tuple(map(Secret, self.passwords))
        who = Enquirer(self.account, passwords, trusting(self.authority), self.timeout)
        trials = await enquire(who, self.account.transports)
        verdicts = judge(trials, Asked(self.account, passwords, NOON.timestamp(), self.timeout))
        return list(zip(trials, verdicts, strict=True))

    async def one(self) -> tuple[Trial, Verdict]:
        (result,) = await self.ask()
        return result


@pytest.fixture
def desk(authority: trustme.CA) -> Callable[..., Desk]:
    return lambda *transports, **more: Desk(authority, account(*(transports or ("tcp",)), **more))


@asynccontextmanager
async def listening(registrar: Registrar, desk: Desk) -> AsyncIterator[Desk]:
    """The registrar over every transport of the account."""
    async with AsyncExitStack() as stack:
        ports = {}
        for transport in desk.account.transports:
            tls = server_side(desk.authority) if transport in (Transport.TLS, Transport.WSS) else None
            ports[str(transport)] = await stack.enter_async_context(registrar.over(transport, tls))
        yield desk.at(**ports)


@pytest.mark.parametrize("transport", EVERY)
async def test_over_every_transport_it_says_who_is_registered(desk, transport: str):
    registrar = Registrar()
    async with listening(registrar, desk(transport)) as here:
        trial, verdict = await here.one()
    assert (verdict.outcome, verdict.able, verdict.remarks) == (Outcome.ACCEPTED, True, ())
    assert trial.challenge is not None and trial.challenge.realm == "asterisk"
    stages = [Stage.RESOLVE, Stage.CONNECT, Stage.CHALLENGE, Stage.ANSWER]
    if extra := {"ws": Stage.WEBSOCKET, "wss": Stage.WEBSOCKET, "tls": Stage.TLS}.get(transport):
        stages.insert(2, extra)
    assert [stage for stage, _ in trial.stages] == stages
    assert all(0 <= seconds < here.timeout for _, seconds in trial.stages)
    # One query, one signed try, and nothing that could touch the line.
    assert [request.method for _, request in registrar.requests] == ["REGISTER", "REGISTER"]
    assert not {"contact", "expires"} & {f.key for _, request in registrar.requests for f in request.headers.fields}
    assert len(registrar.signatures()) == 1


MANNERS = [
    Manner(),
    Manner(algorithm=""),
    Manner(qop="auth"),
    Manner(qop="auth,auth-int", opaque="o=1"),
    Manner(algorithm="MD5-sess", qop="auth"),
    Manner(algorithm="SHA-256", qop="auth"),
    Manner(realm="Acme, the 1st; = x"),
    Manner(proxy=True, qop="auth"),
    Manner(stale=1),
]


@pytest.mark.parametrize("manner", MANNERS, ids=str)
async def test_every_manner_of_asking_is_answered(desk, manner: Manner):
    made = desk("tcp", realm=manner.realm, of=manner.realm)
    if manner.algorithm == "SHA-256":
        known = Credential("1001", manner.realm, None, Secret(PASSWORD), Proof.PASSWORD)
        made = replace(made, account=replace(made.account, credential=known))
    registrar = Registrar(manner=manner)
    async with listening(registrar, made) as here:
        _, verdict = await here.one()
    assert verdict.outcome is Outcome.ACCEPTED
    assert len(registrar.signatures()) == 1 + manner.stale


def says(status: int, reason: str, *headers: tuple[str, str]) -> Callable[[Request], object]:
    return lambda request: reply(request, status, reason, *(Header(*header) for header in headers))


def stale(registrar: Registrar) -> None:
    registrar.manner = Manner(stale=100)


def fake_challenges(registrar: Registrar) -> None:
    # Asterisk's alwaysauthreject: whatever is signed, a fresh challenge comes back.
    registrar.then(*[registrar.challenge] * 100)


def other_password(registrar: Registrar) -> None:
    registrar.password = "another"


def sha_only(registrar: Registrar) -> None:
    registrar.manner = Manner(algorithm="SHA-256")


def unknown_digest(registrar: Registrar) -> None:
    registrar.manner = Manner(algorithm="AKAv1-MD5")


def first(*answers: object) -> Callable[[Registrar], object]:
    return lambda registrar: registrar.then(*answers)


def after_signing(*answers: object) -> Callable[[Registrar], object]:
    return lambda registrar: registrar.then(registrar.challenge, *answers)


# What goes wrong, what it is called, words of what is told and of what to do, and how often was signed.
REFUSALS = {
    "wrong password": (other_password, Outcome.FORBIDDEN, "refuses the password", "provisioner refresh ana", 1),
    "fake challenges": (fake_challenges, Outcome.CHALLENGED_AGAIN, "does not know `1001`", "refresh ana", 1),
    "always stale": (stale, Outcome.CHALLENGED_AGAIN, "too late", "several servers", 2),
    "unknown peer": (first(says(404, "Not found")), Outcome.UNKNOWN_PEER, "knows no `1001` at `localhost`", "name:", 0),
    "unknown peer, late": (after_signing(says(404, "Not found")), Outcome.UNKNOWN_PEER, "knows no `1001`", "name:", 1),
    "access list": (first(says(403, "Forbidden")), Outcome.FORBIDDEN, "before it asks", "access list", 0),
    "too brief": (
        after_signing(says(423, "Interval Too Brief", ("Min-Expires", "1800"))),
        Outcome.TOO_BRIEF,
        "last longer",
        "`account: {expires: 1800}`",
        1,
    ),
    "busy": (first(says(503, "Busy", ("Retry-After", "30"))), Outcome.SERVER_TROUBLE, "503 Busy", "after 30 s", 0),
    "broken": (after_signing(says(500, "Oh")), Outcome.SERVER_TROUBLE, "500 Oh", "try again later", 1),
    "moved": (first(says(302, "Moved", ("m", "<sip:b.example>"))), Outcome.REDIRECTED, "<sip:b.example>", "server:", 0),
    "not allowed": (first(says(405, "Method Not Allowed")), Outcome.OTHER, "405 Method Not Allowed", "log", 0),
    "declined": (first(says(603, "Decline")), Outcome.OTHER, "603 Decline", "log", 0),
    "not digest": (
        first(says(401, "Who", ("WWW-Authenticate", "Basic realm=x"))),
        Outcome.NOT_DIGEST,
        "not by Digest",
        "switch Digest on",
        0,
    ),
    "SHA-256 for an HA1": (sha_only, Outcome.CANNOT_ANSWER, "an HA1 answers MD5 only", "offer MD5", 0),
    "unknown algorithm": (unknown_digest, Outcome.CANNOT_ANSWER, "not known here (AKAV1-MD5)", "offer MD5", 0),
    "broken challenge": (
        first(says(401, "", ("WWW-Authenticate", "Digest x=y"))),
        Obstacle.NOT_SIP,
        "speak SIP",
        "",
        0,
    ),
    "hangs up": (first(b""), Obstacle.CLOSED, "hangs up without an answer", "correct", 0),
    "hangs up on the answer": (after_signing(b""), Obstacle.CLOSED, "hangs up on the signed", "log", 1),
    "web server": (first(b"HTTP/1.1 400 Bad\r\n\r\n"), Obstacle.NOT_SIP, "does not speak SIP", "tcp: …", 0),
}


@pytest.mark.parametrize(("refuse", "outcome", "what", "fix", "signed"), REFUSALS.values(), ids=REFUSALS)
async def test_every_refusal_is_told_with_its_cure_and_never_tried_again(desk, refuse, outcome, what, fix, signed):
    registrar = Registrar()
    refuse(registrar)
    made = desk("tcp")
    known = replace(made.account.credential, password=None, proof=Proof.ASSUMED)
    async with listening(registrar, replace(made, account=replace(made.account, credential=known))) as here:
        _, verdict = await here.one()
    assert (verdict.outcome, verdict.able) == (outcome, False)
    assert what in verdict.what and fix in verdict.fix
    assert len(registrar.signatures()) == signed
    assert len(registrar.requests) == signed + 1


async def test_silence_after_the_signature_is_told(desk):
    registrar = Registrar()
    registrar.then(registrar.challenge, None)
    async with listening(registrar, replace(desk("tcp"), timeout=2.0)) as here:
        trial, verdict = await here.one()
    assert verdict.outcome is Obstacle.NO_ANSWER
    assert "did not answer the signed request within 2 s" in verdict.what and "fail2ban" in verdict.fix
    assert [stage for stage, _ in trial.stages] == [Stage.RESOLVE, Stage.CONNECT, Stage.CHALLENGE]


async def test_a_banner_without_an_end_is_not_called_silence(desk):
    registrar = Registrar().then(b"SSH-2.0-OpenSSH_9.2\r\n")
    async with listening(registrar, replace(desk("tcp"), timeout=2.0)) as here:
        _, verdict = await here.one()
    assert verdict.outcome is Obstacle.NOT_SIP


async def test_a_server_that_asks_for_no_password_is_told(desk):
    registrar = Registrar().then(says(200, "OK"))
    async with listening(registrar, desk("tcp")) as here:
        _, verdict = await here.one()
    assert (verdict.outcome, verdict.able) == (Outcome.NOT_ASKED, True)
    assert "anybody can register as `1001`" in verdict.remarks[0]


async def test_trying_and_answers_to_others_are_passed_over(desk):
    def noise(request: Request) -> bytes:
        other = reply(request, 404, "Not for you")
        fields = tuple(Header("CSeq", "77 REGISTER") if f.key == "cseq" else f for f in other.headers.fields)
        lost = replace(other, headers=Headers(fields))
        ping = Request("OPTIONS", "sip:x", reply(request, 1, "").headers)
        parts = [print_message(ping), print_message(lost), print_message(reply(request, 100, "Trying"))]
        return b"".join(parts) + print_message(registrar.challenge(request))

    registrar = Registrar()
    registrar.then(noise)
    async with listening(registrar, desk("tcp")) as here:
        _, verdict = await here.one()
    assert verdict.outcome is Outcome.ACCEPTED


async def test_a_transport_that_the_server_forbids_is_told_from_a_wrong_password(desk):
    async with listening(Registrar(forbidden=("tcp",)), desk("tls", "tcp", "udp")) as here:
        tls, tcp, udp = [verdict for _, verdict in await here.ask()]
    assert (tls.able, tcp.able, udp.able) == (True, False, True)
    assert tcp.what == "the server refuses tcp for `1001` (403), and takes tls, udp"
    assert "add tcp to the agent's transports" in tcp.fix


async def test_after_a_refusal_for_good_no_other_transport_is_signed(desk):
    registrar = Registrar()
    fake_challenges(registrar)
    async with listening(registrar, desk("tls", "tcp")) as here:
        (_, tls), (trial, tcp) = await here.ask()
    assert tls.outcome is Outcome.CHALLENGED_AGAIN
    assert (tcp.outcome, tcp.able) == (Outcome.SPARED, False)
    assert trial.challenge is not None and not trial.signed
    assert len(registrar.signatures()) == 1


# Realm -------------------------------------------------------------------------------------------------------------


async def test_a_wrong_realm_that_the_password_proves_is_told_with_the_setting(desk):
    made = replace(desk("tcp", of="acme", proof=Proof.ASSUMED), passwords=(PASSWORD,))
    async with listening(Registrar(manner=Manner("acme")), made) as here:
        trial, verdict = await here.one()
    assert (verdict.outcome, verdict.able) == (Outcome.WRONG_REALM, False)
    assert verdict.what.startswith("the server's realm is `acme`, our files say `asterisk`")
    assert verdict.fix == "set `platform: {realm: acme}`: the password at hand proves that the hash is for it"
    assert trial.accepted


async def test_a_wrong_realm_over_a_verified_transport_is_proven_by_the_server(desk):
    async with listening(Registrar(manner=Manner("acme")), desk("tls", of="acme", proof=Proof.ASSUMED)) as here:
        _, verdict = await here.one()
    assert (verdict.outcome, verdict.able) == (Outcome.WRONG_REALM, False)
    assert verdict.fix == "set `platform: {realm: acme}`: the server accepted the hash with it"


@pytest.mark.parametrize("transport", ["udp", "tcp", "ws"])
async def test_an_unproven_hash_is_not_signed_for_another_realm_where_nobody_is_verified(desk, transport: str):
    registrar = Registrar(manner=Manner("acme"))
    async with listening(registrar, desk(transport, of="acme", proof=Proof.ASSUMED)) as here:
        _, verdict = await here.one()
    assert verdict.outcome is Outcome.WRONG_REALM
    assert "nothing proves that it is" in verdict.fix
    assert registrar.signatures() == []


async def test_a_hash_that_is_proven_for_our_realm_is_never_signed_for_another(desk):
    registrar = Registrar(manner=Manner("acme"))
    async with listening(registrar, desk("tls", "tcp")) as here:
        results = await here.ask()
    for _, verdict in results:
        assert verdict.outcome is Outcome.WRONG_REALM
        assert "proves that the platform's hash is for `asterisk`" in verdict.fix
    assert registrar.signatures() == []


async def test_a_wrong_realm_and_a_hash_that_is_refused_too(desk):
    registrar = Registrar(manner=Manner("acme"), password="another")
    async with listening(registrar, desk("tls", of="acme", proof=Proof.ASSUMED)) as here:
        _, verdict = await here.one()
    assert verdict.outcome is Outcome.WRONG_REALM
    assert "the hash is refused too" in verdict.what and "set the agent's password anew" in verdict.fix


# The way there -----------------------------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


@pytest.mark.parametrize("transport", EVERY)
async def test_nothing_listens_there(desk, transport: str):
    _, verdict = await desk(transport).at(**{transport: closed_port()}).one()
    assert verdict.outcome is Obstacle.REFUSED
    assert "nothing listens at localhost:" in verdict.what
    assert ("UDP" if transport == "udp" else "TCP") in verdict.what
    assert f"switch {transport} on" in verdict.fix


@pytest.mark.parametrize("transport", EVERY)
async def test_a_firewall_that_drops_everything(desk, transport: str):
    """A socket that is bound and never read, or whose queue of connections is full."""
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(type=kind) as wall, ExitStack() as stack:
        wall.bind(("127.0.0.1", 0))
        port = wall.getsockname()[1]
        if transport != "udp":
            wall.listen(0)
            for _ in range(2):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(("127.0.0.1", port))
        made = replace(desk(transport), timeout=1.0).at(**{transport: port})
        trial, verdict = await made.one()
    assert verdict.outcome is Obstacle.NO_ANSWER
    assert verdict.what == "no answer within 1 s"
    assert f"let {'UDP' if transport == 'udp' else 'TCP'} port {port} of localhost through" in verdict.fix
    assert trial.failure is not None and trial.failure.at is (Stage.CHALLENGE if transport == "udp" else Stage.CONNECT)


@pytest.mark.parametrize("transport", ["tls", "wss"])
@pytest.mark.parametrize("addresses", [("127.0.0.2", "127.0.0.1"), ("127.0.0.1", "127.0.0.2")], ids=" ".join)
async def test_of_several_addresses_that_one_is_told_where_something_answers(desk, monkeypatch, transport, addresses):
    """As of a server whose name has an IPv6 address too, at which nothing listens."""

    async def found(_: str, port: int, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    async with Registrar().over(transport, server_side(trustme.CA())) as port:
        _, verdict = await desk(transport).at(**{transport: port}).one()
    assert verdict.outcome is Obstacle.CERTIFICATE


async def test_a_name_without_address(desk):
    made = desk("tcp").at(tcp=5060)
    made = replace(made, account=replace(made.account, server="nowhere.invalid"))
    _, verdict = await made.one()
    assert verdict.outcome is Obstacle.NO_NAME
    assert verdict.what == "the name `nowhere.invalid` has no address" and "DNS" in verdict.fix


async def test_over_udp_a_lost_packet_is_sent_again(desk):
    registrar = Registrar(deaf=1)
    async with listening(registrar, desk("udp")) as here:
        trial, verdict = await here.one()
    assert verdict.outcome is Outcome.ACCEPTED
    first, again, _ = [request for _, request in registrar.requests]
    assert first == again
    assert dict(trial.stages)[Stage.CHALLENGE] >= 0.5


async def test_over_udp_nothing_is_sent_again_while_the_server_is_trying(desk):
    registrar = Registrar().then(says(100, "Trying"))
    async with listening(registrar, replace(desk("udp"), timeout=1.2)) as here:
        _, verdict = await here.one()
    assert verdict.outcome is Obstacle.NO_ANSWER
    assert len(registrar.requests) == 1


async def test_the_outbound_proxy_is_asked_where_the_phone_would_go_through_it(desk):
    registrar = Registrar()
    async with registrar.over("tcp") as port:
        made = desk("tcp").at(tcp=closed_port())
        made = replace(made, account=replace(made.account, outbound_proxy=f"localhost:{port}"))
        _, verdict = await made.one()
    assert verdict.able


async def test_a_clock_that_is_off_is_told(desk):
    date = (NOON + timedelta(minutes=42)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    async with listening(Registrar(headers=(Header("Date", date),)), desk("tcp")) as here:
        _, verdict = await here.one()
    assert verdict.able
    assert verdict.remarks == ("this machine's clock is 42 min behind the server's: set the one that is wrong",)


# Certificates ------------------------------------------------------------------------------------------------------

PAST, FUTURE = NOON.replace(year=2020), NOON.replace(year=2090)
CERTIFICATES = {
    "expired": (
        {"not_before": PAST, "not_after": PAST + timedelta(days=9)},
        "has expired",
        "clock says 2026-11-24 12:00 UTC",
    ),
    "not yet": ({"not_before": FUTURE - timedelta(days=9), "not_after": FUTURE}, "is not yet valid", "clock says 2026"),
    "name": ({"names": ("other.example",)}, "is for another name than `localhost`", "use the name in the certificate"),
    "unknown": ({"authority": trustme.CA()}, "is signed by an authority that is unknown here", "ca_file: …"),
}


@pytest.mark.parametrize("transport", ["tls", "wss"])
@pytest.mark.parametrize(("made", "what", "fix"), CERTIFICATES.values(), ids=CERTIFICATES)
async def test_what_is_wrong_with_a_certificate_is_told_in_words(desk, authority, transport, made, what, fix):
    more = dict(made)
    signer, names = more.pop("authority", authority), more.pop("names", ())
    registrar = Registrar()
    async with registrar.over(transport, server_side(signer, *names, **more)) as port:
        _, verdict = await desk(transport).at(**{transport: port}).one()
    assert verdict.outcome is Obstacle.CERTIFICATE
    assert what in verdict.what and fix in verdict.fix
    assert registrar.requests == []


@pytest.mark.parametrize(
    ("transport", "plain", "obstacle"), [("tls", "tcp", Obstacle.NO_ANSWER), ("wss", "ws", Obstacle.NO_TLS)]
)
async def test_a_port_without_tls(desk, transport: str, plain: str, obstacle: Obstacle):
    """A SIP server waits for the end of what it takes for a header; a web server answers."""
    async with Registrar().over(plain) as port:
        _, verdict = await replace(desk(transport), timeout=2.0).at(**{transport: port}).one()
    assert verdict.outcome is obstacle
    assert "TLS" in verdict.what and f"switch {transport} on" in verdict.fix


@pytest.mark.parametrize("transport", ["tls", "wss"])
async def test_a_server_that_hangs_up_before_tls_is_agreed(desk, transport: str):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        _, verdict = await desk(transport).at(**{transport: server.sockets[0].getsockname()[1]}).one()
    assert verdict.outcome is Obstacle.CLOSED
    assert "hangs up before the connection stands" in verdict.what


# WebSocket ---------------------------------------------------------------------------------------------------------


def web_answer(status: int, **headers: str) -> web.Application:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers, text="<html>")

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    return app


WEB = [
    (404, {}, "there is no WebSocket at", "Asterisk's is /ws"),
    (200, {}, "a web page answers", "path: …"),
    (
        302,
        {"Location": "https://other.example/ws"},
        "redirects elsewhere to https://other.example/ws",
        "name the place",
    ),
    (400, {}, "does not take the WebSocket for SIP", "switch SIP over WebSocket on"),
    (426, {}, "does not take the WebSocket for SIP", "switch SIP over WebSocket on"),
    (403, {}, "does not let this machine in", "web proxy"),
    (502, {}, "in trouble", "try later"),
]


@pytest.mark.parametrize("transport", ["ws", "wss"])
@pytest.mark.parametrize(("status", "headers", "what", "fix"), WEB, ids=[str(row[0]) for row in WEB])
async def test_no_websocket_at_that_path(desk, authority, transport, status, headers, what, fix):
    tls = server_side(authority) if transport == "wss" else None
    async with web_server(web_answer(status, **headers), tls) as port:
        trial, verdict = await desk(transport).at(**{transport: port}).one()
    assert verdict.outcome is Obstacle.NO_WEBSOCKET
    assert what in verdict.what and f"HTTP {status}" in verdict.what and fix in verdict.fix
    assert trial.failure is not None and trial.failure.at is Stage.WEBSOCKET


@pytest.mark.parametrize("subprotocols", [(), ("mqtt",)])
async def test_a_websocket_that_does_not_speak_sip(desk, subprotocols):
    registrar = Registrar(subprotocols=subprotocols)
    async with listening(registrar, desk("ws")) as here:
        _, verdict = await here.one()
    assert verdict.outcome is Obstacle.NO_SUBPROTOCOL
    assert "subprotocol `sip`" in verdict.what
    assert registrar.requests == []


@pytest.mark.parametrize(("answer", "obstacle"), [(b"", Obstacle.CLOSED), (b"hello", Obstacle.NOT_SIP)])
async def test_a_websocket_that_closes_or_talks_nonsense(desk, answer: bytes, obstacle: Obstacle):
    async with listening(Registrar().then(answer), desk("ws")) as here:
        _, verdict = await here.one()
    assert verdict.outcome is obstacle


async def test_a_websocket_that_somebody_else_answers_is_no_websocket(desk):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        _, verdict = await desk("ws").at(ws=server.sockets[0].getsockname()[1]).one()
    assert (verdict.outcome, verdict.able) == (Obstacle.NO_WEBSOCKET, False)


async def test_a_transport_without_address_is_told(desk):
    _, verdict = await desk("ws").at(wss=1).one()
    assert (verdict.outcome, verdict.able) == (Outcome.CANNOT_ANSWER, False)
    assert "`websocket_url` has another scheme" in verdict.what
