"""The way to the platform: real sockets, real TLS, every kind of failure, and nothing that leaks."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

from provisioner.core.problem import ProvisionerError
from provisioner.core.reply import LoggedIn, LoggedOff, LoginOutcome, NotThere, Refused, Trouble
from provisioner.core.secret import Secret
from provisioner.demo.platform import (
    BUSY,
    ERROR,
    GARBAGE,
    OVERSIZE,
    REFUSAL,
    WEB_PAGE,
    Canned,
    Disconnect,
    Hold,
    LogOff,
    SimulatedAgent,
    SimulatedPlatform,
    serve,
)
from provisioner.edge.platform import LARGEST, LOGIN, LOGOFF, PlatformAddress, in_words, open_platform

PASSWORD = "S3cr3t-pw+/=&% ñ"
MARTA = SimulatedAgent("marta", PASSWORD, "1997")
Stream = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(answer: Stream, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that does what no decent HTTP server would; gives its URL."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        server.close()


@dataclass
class Wire:
    """Keeps the requests as they arrive, and answers each with ``answer`` as it is."""

    answer: bytes
    requests: list[bytes] = field(default_factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.splitlines() if line.lower().startswith(b"content-length:"))
        self.requests.append(head + await reader.readexactly(length))
        writer.write(self.answer)
        await writer.drain()
        writer.close()


def http(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def log_in(address: PlatformAddress, password: str = PASSWORD) -> LoginOutcome:
    async with asyncio.timeout(30), open_platform(address) as client:
        return await client.log_in("marta", Secret(password))


async def cause(address: PlatformAddress) -> str:
    outcome = await log_in(address)
    assert isinstance(outcome, Trouble)
    return outcome.cause


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def server_side(authority: trustme.CA, *names: str, **more: datetime) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("127.0.0.1",)), **more).configure_cert(context)
    return context


# What is asked


@pytest.mark.parametrize(
    ("password", "encoded"),
    [
        ("plain", "plain"),
        ("+/=&%", "%2B%2F%3D%26%25"),
        ("a b", "a%20b"),
        ("ñ€😀", "%C3%B1%E2%82%AC%F0%9F%98%80"),
        ("n\u0303", "n%CC%83"),
        ("\r\n\x00\t", "%0D%0A%00%09"),
        ("%2B", "%252B"),
        ("~._-", "~._-"),
        ("a;b#c?d\"e'f\\", "a%3Bb%23c%3Fd%22e%27f%5C"),
        ("\udcff", "%ED%B3%BF"),
    ],
)
async def test_a_password_is_sent_byte_for_byte(password, encoded):
    wire = Wire(http(b"0"))
    async with listening(wire) as url:
        assert isinstance(await log_in(PlatformAddress(url), password), Refused)
    head, _, body = wire.requests[0].partition(b"\r\n\r\n")
    assert body == f"agent=marta&password={encoded}".encode()
    assert head.startswith(f"POST {LOGIN} HTTP/1.1\r\n".encode())
    assert b"content-type: application/x-www-form-urlencoded" in head.lower()
    for word in (b"cookie", b"authorization", b"referer"):
        assert word not in head.lower()


async def test_the_simulated_platform_reads_the_same_password():
    async with serve(SimulatedPlatform([MARTA])) as url:
        assert isinstance(await log_in(PlatformAddress(url + "/")), LoggedIn)


async def test_a_log_off_sends_the_token_as_it_came_and_the_interface():
    wire = Wire(http(b"1"))
    async with listening(wire) as url, open_platform(PlatformAddress(url)) as client:
        assert await client.log_off("marta ruiz", Secret("YTpi/+=="), "SIP/1997") == LoggedOff()
    head, _, body = wire.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(f"POST {LOGOFF} HTTP/1.1\r\n".encode())
    assert b"\r\nAuthorization: Basic YTpi/+==\r\n" in head + b"\r\n"
    assert body == b"agent=marta%20ruiz&interface=SIP%2F1997"


async def test_a_log_off_without_token_sends_no_authorization():
    wire = Wire(http(b"1"))
    async with listening(wire) as url, open_platform(PlatformAddress(url)) as client:
        assert await client.log_off("marta", Secret(""), "SIP/1997") == LoggedOff()
    assert b"authorization" not in wire.requests[0].lower()


@pytest.mark.parametrize("generation", ["current", "older"])
async def test_log_in_and_off_with_both_generations(generation):
    platform = SimulatedPlatform([replace(MARTA, generation=generation)])
    async with serve(platform) as url, open_platform(PlatformAddress(url)) as client:
        outcome = await client.log_in("marta", Secret(PASSWORD))
        assert isinstance(outcome, LoggedIn)
        assert platform.available == {"marta"}
        assert await client.log_off("marta", outcome.token, "SIP/1997") == LoggedOff()
        assert isinstance(await client.log_off("marta", outcome.token, "SIP/1997"), Refused)
    assert platform.log_offs == [LogOff("marta", "SIP/1997", True), LogOff("marta", "SIP/1997", False)]


async def test_cookies_are_not_kept():
    wire = Wire(http(b"Error", "Set-Cookie: JSESSIONID=abc; Path=/"))
    async with listening(wire) as url, open_platform(PlatformAddress(url)) as client:
        for _ in range(2):
            await client.log_in("marta", Secret(PASSWORD))
    assert len(wire.requests) == 2
    assert b"JSESSIONID" not in wire.requests[1]


async def test_a_redirect_is_not_followed():
    elsewhere = SimulatedPlatform([MARTA])
    async with serve(elsewhere) as target:
        for status in (301, 302, 303, 307, 308):
            platform = SimulatedPlatform()
            platform.answer_next(None, Canned(status, "", {"Location": target + LOGIN}))
            async with serve(platform) as url:
                assert "redirects" in await cause(PlatformAddress(url))
    assert elsewhere.logins == []


async def test_no_proxy_of_the_environment_is_used(monkeypatch, authority, ca_file):
    wire, platform = Wire(http(b"0")), SimulatedPlatform([MARTA])
    async with listening(wire) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        async with serve(platform) as url:
            assert isinstance(await log_in(PlatformAddress(url)), LoggedIn)
        async with serve(platform, server_side(authority)) as url:
            assert isinstance(await log_in(PlatformAddress(url, ca_file)), LoggedIn)
    assert wire.requests == []


async def test_no_netrc_of_the_environment_is_used(monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login netrcuser password netrcpw\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    wire = Wire(http(b"0"))
    async with listening(wire) as url:
        await log_in(PlatformAddress(url))
    assert b"authorization" not in wire.requests[0].lower()


# TLS


async def test_a_certificate_of_the_ca_file_is_accepted(authority, ca_file):
    async with serve(SimulatedPlatform([MARTA]), server_side(authority)) as url:
        assert isinstance(await log_in(PlatformAddress(url, ca_file)), LoggedIn)


async def test_without_the_ca_file_it_is_not(authority):
    platform = SimulatedPlatform([MARTA])
    async with serve(platform, server_side(authority)) as url:
        told = await cause(PlatformAddress(url))
        assert "certificate is not accepted" in told and told.endswith("name it with `ca_file`")
    assert platform.logins == []


@pytest.mark.parametrize(("begins", "ends"), [(-9, -8), (8, 9)], ids=["expired", "not yet"])
async def test_a_certificate_of_another_time_makes_people_look_at_the_clock(authority, ca_file, begins, ends):
    now = datetime.now(UTC)
    times = {"not_before": now + timedelta(days=begins), "not_after": now + timedelta(days=ends)}
    async with serve(SimulatedPlatform([MARTA]), server_side(authority, **times)) as url:
        assert (await cause(PlatformAddress(url, ca_file))).endswith("; is this machine's clock right?")


@pytest.mark.parametrize("code", [2, 18, 19, 20, 21, 27])  # X509_STORE_CTX_get_error(3)
def test_whatever_authority_lacks_people_look_at_the_ca_file(code):
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = code, "unable to verify"
    assert in_words(error).endswith("name it with `ca_file`")


async def test_a_self_signed_certificate_is_refused(ca_file):
    platform = SimulatedPlatform([MARTA])
    async with serve(platform, server_side(trustme.CA())) as url:
        assert "certificate is not accepted" in await cause(PlatformAddress(url, ca_file))
    assert platform.logins == []


async def test_a_certificate_for_another_host_is_refused(authority, ca_file):
    platform = SimulatedPlatform([MARTA])
    async with serve(platform, server_side(authority, "other.example", "127.0.0.2")) as url:
        told = await cause(PlatformAddress(url, ca_file))
        assert "127.0.0.1" in told and told.endswith("; is `url` right?")
    assert platform.logins == []


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_tls_older_than_1_2_is_refused(authority, ca_file):
    context = server_side(authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    platform = SimulatedPlatform([MARTA])
    async with serve(platform, context) as url:
        assert "TLS 1.2" in await cause(PlatformAddress(url, ca_file))
    assert platform.logins == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_tls_1_2_and_1_3_are_spoken(authority, ca_file, version):
    context = server_side(authority)
    context.minimum_version = context.maximum_version = version
    async with serve(SimulatedPlatform([MARTA]), context) as url:
        assert isinstance(await log_in(PlatformAddress(url, ca_file)), LoggedIn)


async def test_https_to_a_server_of_plain_http_is_trouble(ca_file):
    async with serve(SimulatedPlatform([MARTA])) as url:
        assert "TLS" in await cause(PlatformAddress(url.replace("http:", "https:"), ca_file))


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"\x00\xff"])
def test_a_ca_file_that_cannot_be_used_is_a_problem(tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ProvisionerError, match=str(path)):
        asyncio.run(log_in(PlatformAddress("https://127.0.0.1", str(path))))


def test_a_folder_is_no_ca_file(tmp_path):
    with pytest.raises(ProvisionerError, match="PEM file"):
        asyncio.run(log_in(PlatformAddress("https://127.0.0.1", str(tmp_path))))


# Where it may go


@pytest.mark.parametrize(
    "url",
    [
        "http://acme.example",
        "http://192.0.2.1:8080",
        "http://127.0.0.1.acme.example",
        "http://localhost.acme.example",
        "http://127.0.0.1@acme.example",
        "http://[2001:db8::1]",
        "http://0.0.0.0",
        "ftp://127.0.0.1",
        "127.0.0.1",
        "",
        "https://",
        "https://[::1",
        "https://a:99999",
        "//acme.example",
    ],
)
async def test_an_address_that_is_unsafe_or_none_is_a_problem(url):
    with pytest.raises(ProvisionerError, match=r"platform\.url") as caught:
        await log_in(PlatformAddress(url))
    assert all(problem.fix for problem in caught.value.problems)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.1.2.3"])
async def test_plain_http_goes_to_this_machine(host):
    async with open_platform(PlatformAddress(f"http://{host}:1")):
        pass


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b", "a" * 64 + ".invalid", "xn--.invalid", "ex<mple"])
async def test_a_host_that_does_not_exist_is_trouble(host):
    assert isinstance(await log_in(PlatformAddress(f"https://{host}", connect_timeout=5.0)), Trouble)


async def test_a_closed_port_is_trouble():
    async with serve(SimulatedPlatform()) as url:
        pass
    assert await cause(PlatformAddress(url)) == "the platform cannot be reached: Connection refused"


def test_a_host_whose_addresses_fail_in_different_ways_is_told_with_each():
    # As asyncio and aiohappyeyeballs put it; a network where that happens is not to be had here.
    error = OSError("Multiple exceptions: [Errno 111] Connect call failed ('192.0.2.1', 443), [Errno 101] unreachable")
    nobody: Any = None
    told = in_words(aiohttp.ClientConnectorError(nobody, error))
    assert told.endswith("reached: [Errno 111] Connect call failed ('192.0.2.1', 443), [Errno 101] unreachable")


async def test_a_server_that_hangs_up_instead_of_tls_makes_people_look_at_its_version(ca_file):
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.close()

    async with listening(hang_up) as url:
        assert "TLS 1.2" in await cause(PlatformAddress(url.replace("http:", "https:"), ca_file))


# Time and size


async def test_the_whole_request_has_a_time_limit():
    platform = SimulatedPlatform([MARTA])
    platform.answer_next(None, Hold())
    async with serve(platform) as url:
        assert "in time" in await cause(PlatformAddress(url, timeout=0.2))


async def test_an_answer_that_drips_has_the_same_time_limit():
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.02)

    async with listening(drip) as url:
        assert "in time" in await cause(PlatformAddress(url, timeout=0.2))


async def test_connecting_has_a_time_limit_of_its_own(ca_file):
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    # A TLS handshake that is never answered: connected, but not as far as it counts.
    async with listening(silent) as url:
        address = PlatformAddress(url.replace("http:", "https:"), ca_file, connect_timeout=0.2, timeout=60.0)
        assert "in time" in await cause(address)


@pytest.mark.parametrize("size", [LARGEST + 1, LARGEST * 20])
async def test_an_answer_that_is_too_long_is_trouble(size):
    platform = SimulatedPlatform()
    platform.answer_next(None, Canned(body=b'{"name":"1997"}'.ljust(size)))
    async with serve(platform) as url:
        assert "longer than" in await cause(PlatformAddress(url))


async def test_an_endless_answer_is_cut_off():
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" " * 10_000)
            try:
                await writer.drain()
            except ConnectionError:
                return

    async with listening(endless) as url:
        assert "longer than" in await cause(PlatformAddress(url, timeout=60.0))


async def test_the_longest_answer_is_read_whole():
    platform = SimulatedPlatform()
    platform.answer_next(None, Canned(body=b'{"name":"1997"}'.rjust(LARGEST)))
    async with serve(platform) as url:
        assert isinstance(await log_in(PlatformAddress(url)), LoggedIn)


# Every kind of failure


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (REFUSAL, Refused),
        (Canned(401), Refused),
        (ERROR, Trouble),
        (BUSY, Trouble),
        (GARBAGE, Trouble),
        (OVERSIZE, Trouble),
        (Canned(), Trouble),
        (Canned(500, "<html>"), Trouble),
        (Disconnect(), Trouble),
        (WEB_PAGE, NotThere),
        (Canned(404), NotThere),
    ],
)
async def test_every_failure_is_one_of_three(answer, kind):
    platform = SimulatedPlatform([MARTA])
    platform.answer_next("marta", answer)
    async with serve(platform) as url:
        assert isinstance(await log_in(PlatformAddress(url)), kind)
    assert platform.logins == ["marta"]


async def test_retry_after_comes_along():
    platform = SimulatedPlatform()
    platform.answer_next(None, BUSY)
    async with serve(platform) as url:
        outcome = await log_in(PlatformAddress(url))
    assert isinstance(outcome, Trouble)
    assert outcome.retry_after == 2.0


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcdefgh\r\n0\r\n\r\n",
        b"HTTP/1.1 999999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 40_000 + b"\r\n",
        b"\x16\x03\x01\x02\x00" * 100,
        b"\r\n\r\n\r\n",
    ],
    ids=lambda answer: repr(answer[:40]),
)
async def test_what_is_not_http_is_trouble(answer):
    async with listening(Wire(answer)) as url:
        assert isinstance(await log_in(PlatformAddress(url, timeout=5.0)), Trouble)


@pytest.mark.parametrize("rest", [b"not a size\r\n", b"5\r\nabcdefgh\r\n0\r\n\r\n", b"5\r\nabc", b"-1\r\n", b""])
async def test_a_body_that_breaks_off_after_a_good_beginning_is_trouble(rest):
    async def in_two_parts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n0\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)  # so that the second part is a packet of its own
        writer.write(rest)
        writer.close()

    async with listening(in_two_parts) as url:
        assert isinstance(await log_in(PlatformAddress(url, timeout=0.5)), Trouble)


# What is told


def shown(outcome: LoginOutcome | LoggedOff, records: list[logging.LogRecord]) -> str:
    return repr(outcome) + "\n".join(f"{record.getMessage()} {record.exc_info} {record.args}" for record in records)


FAILURES = [
    REFUSAL, ERROR, BUSY, GARBAGE, OVERSIZE, WEB_PAGE, Disconnect(), Canned(404), Canned(401),
    Canned(302, headers={"Location": "/x"}),
    Canned(body=f'{{"name": "", "secret": "{PASSWORD}", "token": "T0k3n-never"}}'),
    Canned(500, PASSWORD), Canned(body=f"<html>{PASSWORD} T0k3n-never</html>"),
]  # fmt: skip


@pytest.mark.parametrize("answer", FAILURES, ids=lambda answer: repr(answer)[:40])
async def test_no_failure_shows_a_secret(answer, caplog):
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    platform = SimulatedPlatform([MARTA])
    platform.answer_next(None, answer)
    platform.answer_next(None, answer, path=LOGOFF)
    async with serve(platform) as url, open_platform(PlatformAddress(url)) as client:
        told = shown(await client.log_in("marta", Secret(PASSWORD)), caplog.records)
        told += shown(await client.log_off("marta", Secret("T0k3n-never"), "SIP/1997"), caplog.records)
    for secret in (PASSWORD, "S3cr3t", "T0k3n-never", "%2B%2F%3D"):
        assert secret not in told
        assert secret not in caplog.text


async def test_a_login_that_worked_shows_no_secret(caplog):
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    async with serve(SimulatedPlatform([MARTA])) as url:
        outcome = await log_in(PlatformAddress(url))
    assert isinstance(outcome, LoggedIn)
    told = shown(outcome, caplog.records) + caplog.text
    for secret in (PASSWORD, outcome.peer.md5secret.reveal(), outcome.token.reveal()):
        assert secret
        assert secret not in told


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "https://nowhere.invalid"])
async def test_no_failure_on_the_way_shows_a_secret(url, caplog):
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    assert "S3cr3t" not in shown(await log_in(PlatformAddress(url)), caplog.records) + caplog.text
