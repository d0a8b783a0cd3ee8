"""Kamailio: another maker's registrar, for a second opinion on what phones send."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from provisioner.demo.platform import SimulatedAgent, row_of
from tests.ports import free_ports
from tests.real.processes import Command, Running, running

_SCRIPT = """\
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
children=1
tcp_children=1
log_stderror=yes
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "xlog.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
request_route {{
    if (!is_method("REGISTER")) {{ sl_send_reply("405", "Method Not Allowed"); exit; }}
    if (!has_credentials("{realm}")) {{ www_challenge("{realm}", "0"); exit; }}
    if ($au != "{name}" || !pv_www_authenticate("{realm}", "{ha1}", "1")) {{
        xlog("L_WARN", "refused <$au> <$proto> <$ua>\\n");
        sl_send_reply("403", "Forbidden");
        exit;
    }}
    xlog("L_WARN", "accepted <$au> <$proto> <$ua> <$ct>\\n");
    save("location");
}}
"""


@dataclass(frozen=True)
class Kamailio:
    """The registrar that runs, on UDP and TCP."""

    port: int
    process: Running

    def accepted(self) -> list[tuple[str, str, str]]:
        """Registrations that it took, not queries, which have no contact: user, transport, user agent."""
        every = re.findall(r"accepted <(.*?)> <(.*?)> <(.*?)> <(.+)>", self.process.said())
        return [said[:3] for said in every if said[3] != "<null>"]

    def refused(self) -> list[tuple[str, str, str]]:
        """Registrations whose proof was wrong: user, transport, user agent."""
        return re.findall(r"refused <(.*?)> <(.*?)> <(.*?)>", self.process.said())


@asynccontextmanager
async def kamailio(folder: Path, agent: SimulatedAgent) -> AsyncIterator[Kamailio]:
    """The registrar, knowing one agent by the hash in the platform's row of them."""
    (port,) = free_ports(1)
    script = folder / "kamailio.cfg"
    ha1 = row_of(agent, "a-token", "localhost")["md5secret"]
    script.write_text(_SCRIPT.format(port=port, realm=agent.realm, name=agent.name, ha1=ha1))
    options = ["-DD", "-E", "-n", "1", "-m", "32", "-M", "4", "-Y", str(folder), "-f", str(script)]
    async with running(Command(["kamailio", *options], folder / "kamailio.log")) as process:
        await process.until(lambda: f"0100007F:{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text())
        yield Kamailio(port, process)
