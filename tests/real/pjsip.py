"""The same Asterisk with chan_pjsip: what servers have that left chan_sip behind."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable
from typing import ClassVar

from provisioner.demo.platform import SimulatedAgent, row_of
from tests.machine import LOOK_AGAIN, PATIENCE
from tests.real.asterisk import Asterisk, Peer
from tests.real.asterisk_files import FOLDER, Driver, Ports, section

_MODULES = (
    "res_sorcery_memory", "res_sorcery_astdb", "res_pjsip", "res_pjsip_pubsub", "res_pjsip_session",
    "res_pjsip_registrar", "res_pjsip_authenticator_digest", "res_pjsip_endpoint_identifier_user",
    "res_pjsip_sdp_rtp", "res_pjsip_nat", "res_pjsip_dtmf_info", "res_pjsip_caller_id",
    "res_pjsip_transport_websocket", "chan_pjsip",
)  # fmt: skip
_DTMF = {"rfc2833": "rfc4733", "info": "info"}


def _pjsip_conf(ports: Ports, realm: str, agents: Iterable[SimulatedAgent], edition: str) -> str:
    certificate = {"cert_file": f"{FOLDER}/server.pem", "priv_key_file": f"{FOLDER}/server.pem", "method": "tlsv1_2"}
    transports = [
        section(name, {"type": "transport", "protocol": name, "bind": f"127.0.0.1:{port}"} | more)
        for name, port, more in (
            ("udp", ports.sip, {}), ("tcp", ports.sip, {}), ("tls", ports.tls, certificate), ("wss", ports.wss, {}),
        )
    ]  # fmt: skip
    settings = section("global", {"type": "global", "default_realm": realm, "user_agent": edition})
    return settings + "".join(transports) + "".join(_endpoint(agent) for agent in agents)


def _endpoint(agent: SimulatedAgent) -> str:
    """The endpoint that belongs to the row which the platform gives at a login."""
    row = row_of(agent, "a-token", "localhost")
    browser = "ws" in str(row["transport"])
    media = {"webrtc": "yes", "dtls_auto_generate_cert": "yes"} if browser else {}
    if row["encryption"] == "yes" and not browser:
        media = {"media_encryption": "sdes"}
    endpoint = {
        "type": "endpoint", "context": str(row["context"]), "auth": agent.name, "aors": agent.name,
        "disallow": "all", "allow": str(row["allow"]).replace(";", ","), "dtmf_mode": _DTMF[str(row["dtmfmode"])],
        "direct_media": "no", "rewrite_contact": "yes", "rtp_symmetric": "yes",
    }  # fmt: skip
    proof = {"type": "auth", "auth_type": "md5", "username": agent.name, "realm": agent.realm}
    return (
        section(agent.name, endpoint | media)
        + section(agent.name, proof | {"md5_cred": str(row["md5secret"])})
        + section(agent.name, {"type": "aor", "max_contacts": "1", "remove_existing": "yes"})
    )


class Pjsip(Asterisk):
    """The server that runs, with chan_pjsip."""

    driver: ClassVar[Driver] = Driver(
        "PJSIP", _MODULES, "pjsip.conf", _pjsip_conf, "module reload res_pjsip.so",
        "endpoint", "rtp,secure,audio", "rtcp,rxcount,audio", "rtcp,txcount,audio",
    )  # fmt: skip

    async def registered(self, name: str) -> Peer:
        """Wait until this endpoint gets a contact, and give what the server knows about its phone."""
        await self.manager.event("ContactStatus", AOR=name, ContactStatus="NonQualified")
        return await self.peer(name)

    async def peer(self, name: str) -> Peer:
        """What the server keeps of a registration: of one, while another takes its place there are two or none."""
        async with asyncio.timeout(PATIENCE):
            while len(found := await self._contacts(name)) != 1:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(LOOK_AGAIN)
        facts = json.loads(found[0])
        (used,) = re.findall(r";transport=(\w+)", facts["uri"]) or ["udp"]
        return Peer(facts["user_agent"], used.lower(), "", facts["uri"], facts["via_addr"])

    async def _contacts(self, name: str) -> list[str]:
        kept = await self.manager.command("database show registrar")
        return re.findall(rf"^/registrar/contact/{name};@\w+\s*: (.*?)\s*$", kept, re.M)

    async def _show(self, name: str) -> str:
        """The edition is in what an endpoint's server calls itself."""
        shown = await self.manager.command(f"pjsip show endpoint {name}")
        return shown + await self.manager.command("pjsip show settings")
