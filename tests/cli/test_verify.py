"""``provisioner verify``, as IT runs it: the real program, a platform and a registrar on real sockets."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pty
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from provisioner.cli.verify import _seconds
from provisioner.core.realm import ha1
from provisioner.demo.platform import SimulatedAgent, SimulatedPlatform
from tests.machine import PATIENCE, Machine
from tests.registrar import Manner, Registrar, server_side

TARGETS = "  targets: [jssip, linphone]"
PASSWORD = "S3ntinel-pw-ana"


@dataclass
class Bureau:
    machine: Machine
    platform: SimulatedPlatform
    registrar: Registrar

    def shown(self, text: str) -> str:
        """Output without what differs from run to run."""
        text = re.sub(r"\d+(\.\d+)? (ms|s)\b(?! more)", "N ms", text)
        return re.sub(r"localhost:\d+", "localhost:PORT", text)


@pytest.fixture
async def bureau(machine: Machine, platform: SimulatedPlatform, tmp_path: Path) -> AsyncIterator[Bureau]:
    """ana may use wss and tls; she is logged in."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls = server_side(authority)
    registrar = Registrar(password=PASSWORD)
    row = {"host": "localhost", "transport": "wss,tls", "encryption": "no"}
    platform.put(SimulatedAgent("ana", PASSWORD, "1001", row=row))
    async with AsyncExitStack() as stack:
        wss = await stack.enter_async_context(registrar.over("wss", tls))
        secure = await stack.enter_async_context(registrar.over("tls", tls))
        lines = [f"ca_file: {tmp_path}/ca.pem", f"websocket: {{port: {wss}}}", f"ports: {{tls: {secure}}}"]
        text = machine.main.read_text()
        machine.main.write_text(text.replace("platform:\n", "platform:\n" + "".join(f"  {line}\n" for line in lines)))
        machine.agent("ana", TARGETS, password=PASSWORD)
        assert (await machine.command("apply")).code == 0
        yield Bureau(machine, platform, registrar)


RIVALS = (
    "agent ana: jssip and linphone share one account, and the server keeps only the one that registered last: calls "
    "arrive there alone (configure one, or run one at a time)"
)
ALL_WELL = f"""\
● ana: can register  1001@localhost
  ● wss  wss://localhost:PORT/ws
         accepted in N ms
         registered now: sip:1001@192.0.2.7:5060;transport=wss for 96 s more
         realm `asterisk`, MD5
         resolve N ms, connect N ms, websocket N ms, challenge N ms, answer N ms
  ● tls  localhost:PORT
         accepted in N ms
         registered now: sip:1001@192.0.2.7:5060;transport=wss for 96 s more
         realm `asterisk`, MD5
         resolve N ms, connect N ms, tls N ms, challenge N ms, answer N ms
  ● jssip     would register over wss
  ● linphone  would register over tls
{RIVALS}
"""


async def test_all_is_well(bureau: Bureau):
    done = await bureau.machine.command("verify", "ana")
    assert (bureau.shown(done.out), done.err, done.code) == (ALL_WELL, "", 0)


FORBIDDEN = f"""\
✗ ana: cannot register as it is  1001@localhost
  ● wss  wss://localhost:PORT/ws
         accepted in N ms
         registered now: nobody
         realm `asterisk`, MD5 with qop auth
         resolve N ms, connect N ms, websocket N ms, challenge N ms, answer N ms
  ✗ tls  localhost:PORT
         the server refuses tls for `1001` (403), and takes wss
         → ask the platform's administrator to add tls to the agent's transports, or use a phone that does wss
         realm `asterisk`, MD5 with qop auth
         resolve N ms, connect N ms, tls N ms, challenge N ms, answer N ms
  ● jssip     would register over wss
  ✗ linphone  would not register over tls, see there
{RIVALS}
"""


async def test_one_softphone_that_could_not_register_is_told_and_ends_with_4(bureau: Bureau):
    bureau.registrar.forbidden, bureau.registrar.contacts = ("tls",), ()
    bureau.registrar.manner = Manner(qop="auth")
    done = await bureau.machine.command("verify")
    assert (bureau.shown(done.out), done.err, done.code) == (FORBIDDEN, "", 4)


async def test_a_softphone_that_fit_refuses_cannot_register(bureau: Bureau):
    lines = TARGETS, "  account: {transport: wss}", "  relay: off"
    bureau.machine.agent("ana", *lines, password=PASSWORD)
    done = await bureau.machine.command("verify")
    assert done.code == 4
    assert "  ● jssip     would register over wss\n  ✗ linphone  would not register\n" in done.out
    assert "linphone cannot register over wss" in done.out


async def test_a_softphone_registers_through_the_relay_if_the_account_does(bureau: Bureau):
    lines = "  targets: [linphone]", "  account: {transport: wss}", "  relay: {port: 25060}"
    bureau.machine.agent("ana", *lines, password=PASSWORD)
    done = await bureau.machine.command("verify")
    assert "  ● linphone  would register over wss through the relay at 127.0.0.1:25060\n" in done.out
    assert done.code == 0
    bureau.registrar.forbidden = ("wss",)
    done = await bureau.machine.command("verify")
    assert "  ✗ linphone  would not register over wss through the relay at 127.0.0.1:25060, see there\n" in done.out
    assert done.code == 4


async def test_a_transport_that_no_softphone_needs_may_fail(bureau: Bureau):
    bureau.registrar.forbidden = ("tls",)
    bureau.machine.agent("ana", "  targets: [jssip]", password=PASSWORD)
    done = await bureau.machine.command("verify")
    assert done.code == 0
    assert done.out.startswith("● ana: can register") and "✗ tls" in done.out


async def test_programs_read_the_same(bureau: Bureau):
    bureau.registrar.forbidden = ("tls",)
    done = await bureau.machine.command("verify", "ana", "--format", "json")
    assert done.code == 4
    (ana,) = done.json["agents"]
    assert (ana["agent"], ana["able"]) == ("ana", False)
    assert [problem["what"] in RIVALS for problem in ana["problems"]] == [True]
    assert ana["account"] == {
        "name": "1001", "domain": "localhost", "realm": "asterisk", "proof": "password and realm proven",
    }  # fmt: skip
    wss, tls = ana["transports"]
    assert wss.pop("address").startswith("wss://localhost:") and set(wss.pop("seconds")) == {
        "resolve", "connect", "websocket", "challenge", "answer",
    }  # fmt: skip
    assert wss == {
        "transport": "wss", "able": True, "outcome": "accepted", "what": "accepted", "fix": "", "remarks": [],
        "status": 200, "realm": "asterisk", "algorithm": "MD5", "qop": [],
        "registered": [{"contact": "sip:1001@192.0.2.7:5060;transport=wss", "expires": 96}],
    }  # fmt: skip
    assert (tls["able"], tls["outcome"], tls["status"], tls["registered"]) == (False, "forbidden", 403, None)
    assert [(one["target"], one["transport"], one["able"]) for one in ana["targets"]] == [
        ("jssip", "wss", True), ("linphone", "tls", False),
    ]  # fmt: skip


async def test_nobody_is_logged_in_and_nothing_is_written(bureau: Bureau):
    logins, files = list(bureau.platform.logins), bureau.machine.files()
    state = {path: path.read_bytes() for path in bureau.machine.places.state.iterdir()}
    assert (await bureau.machine.command("verify")).code == 0
    assert {path: path.read_bytes() for path in state} == state
    async with bureau.machine.running() as service:
        await service.logged_in("ana")
        assert (await bureau.machine.command("verify")).code == 0
    assert bureau.platform.logins == logins and bureau.machine.files() == files
    assert not [f for _, request in bureau.registrar.requests for f in request.headers.fields if f.key == "contact"]


async def test_an_agent_without_a_session_is_told(bureau: Bureau):
    bureau.machine.agent("carla", "  targets: [jssip]")
    done = await bureau.machine.command("verify")
    assert done.code == 4
    assert done.out.startswith("● ana: can register")
    assert "\n\n✗ carla: cannot register as it is\n" in done.out
    assert "agent carla: is not logged in here, so there is no account to ask with" in done.out
    assert "provisioner refresh carla" in done.out
    assert "carla" not in bureau.platform.logins


async def test_a_session_of_other_settings_is_not_asked_with(bureau: Bureau):
    bureau.machine.agent("ana", TARGETS, password="changed")
    done = await bureau.machine.command("verify")
    assert done.code == 4 and "have changed since the login" in done.out
    assert bureau.registrar.requests == []


async def test_an_agent_who_is_not_served_here_is_refused(bureau: Bureau):
    done = await bureau.machine.command("verify", "nobody")
    assert done.code == 1
    assert "agent nobody: this workstation does not serve this agent (it serves: ana)" in done.err


async def test_without_any_agent_there_is_nothing_to_ask(bureau: Bureau):
    for path in bureau.machine.agents_d.iterdir():
        path.unlink()
    done = await bureau.machine.command("verify")
    assert (done.out, done.code) == ("no agent works at this workstation\n", 0)


async def test_without_a_state_it_says_what_to_do(machine: Machine):
    machine.agent("ana", TARGETS)
    done = await machine.command("verify")
    assert done.code == 1
    assert "no agent was ever logged in here" in done.err and "provisioner apply" in done.err


async def test_a_mistake_in_the_configuration_is_told_as_everywhere(bureau: Bureau):
    bureau.machine.main.write_text("platform: {}\n")
    done = await bureau.machine.command("verify", "--format", "json")
    assert done.code == 1
    assert done.json["problems"][0]["what"] == "`url` is missing here"


async def test_a_ca_file_that_cannot_be_read_is_told(bureau: Bureau):
    text = bureau.machine.main.read_text()
    bureau.machine.main.write_text(re.sub("ca_file: .*", "ca_file: /nowhere.pem", text))
    done = await bureau.machine.command("verify")
    assert done.code == 4
    assert "platform.ca_file: the authorities in `/nowhere.pem` cannot be read" in done.out


async def test_the_longest_wait_is_as_it_is_said(bureau: Bureau):
    bureau.registrar.deaf = 100
    began = asyncio.get_running_loop().time()
    done = await bureau.machine.command("verify", "--timeout", "1.5")
    assert done.code == 4
    assert "it connects, and nothing answers SIP within 1.5 s" in done.out
    assert asyncio.get_running_loop().time() - began < 15


@pytest.mark.parametrize("text", ["0", "-1", "nan", "1e9", "301", "soon"])
def test_a_wait_that_makes_no_sense_is_refused(text: str):
    with pytest.raises(argparse.ArgumentTypeError, match="write a number of seconds"):
        _seconds(text)


async def test_a_contact_that_is_none_is_told_and_harms_nothing(bureau: Bureau):
    bureau.registrar.contacts = ("<>",)
    done = await bureau.machine.command("verify")
    assert done.code == 0
    assert "who is registered cannot be read" in done.out and "registered now" not in done.out


async def test_a_hostile_server_cannot_write_on_the_terminal(bureau: Bureau):
    bureau.registrar.manner = Manner(realm="\x1b[2Jasterisk\u202e")
    bureau.registrar.contacts = ("<sip:\x1b[2J@x>",)
    done = await bureau.machine.command("verify")
    assert done.code == 4
    assert "\x1b" not in done.out and "\u202e" not in done.out


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "manner", [Manner(), Manner("acme"), Manner(algorithm="MD5-sess", qop="auth"), Manner(stale=9)]
)
async def test_no_secret_is_shown(bureau: Bureau, manner: Manner, form: str):
    bureau.registrar.manner = manner
    done = await bureau.machine.command("verify", "--format", form)
    hidden = [PASSWORD, ha1("1001", "asterisk", PASSWORD), "Authorization", "nonce="]
    for signature in bureau.registrar.signatures():
        hidden.append(signature.partition('response="')[2].partition('"')[0])
    assert all(hidden)
    for secret in hidden:
        assert secret not in done.out + done.err


async def test_on_a_terminal_it_is_coloured_and_says_the_same(bureau: Bureau):
    bureau.registrar.forbidden = ("tls",)
    plain = await bureau.machine.command("verify")
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "provisioner", "verify", "--root", str(bureau.machine.root),
        stdout=theirs, env={**os.environ, "TERM": "xterm", "NO_COLOR": ""},
    )  # fmt: skip
    os.close(theirs)
    seen = await asyncio.to_thread(_all_of, ours)
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 4
    assert "\033[32m●\033[0m" in seen and "\033[31m✗\033[0m" in seen
    assert bureau.shown(re.sub(r"\033\[\d+m", "", seen)) == bureau.shown(plain.out)


def _all_of(terminal: int) -> str:
    received = b""
    try:
        while piece := os.read(terminal, 65536):
            received += piece
    except OSError:
        pass  # the other end is closed
    os.close(terminal)
    return received.decode().replace("\r\n", "\n")


async def test_json_is_one_document_for_all_agents(bureau: Bureau):
    bureau.machine.agent("carla", "  targets: [jssip]")
    done = await bureau.machine.command("verify", "--format", "json")
    assert [one["agent"] for one in json.loads(done.out)["agents"]] == ["ana", "carla"]
    assert done.json["agents"][1]["account"] is None
