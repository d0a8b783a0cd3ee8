"""What Asterisk reads: only the modules that are needed, only loopback, peers from the platform's own answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from provisioner.demo.platform import SimulatedAgent, row_of

# As the server's process sees it.
FOLDER = "/srv"
SECRET = "for-the-tests"
ECHO = "600"

_MODULES = (
    "res_sorcery_config", "res_pjproject", "res_crypto", "res_srtp", "res_http_websocket", "res_rtp_asterisk",
    "res_timing_timerfd", "pbx_config",
    "codec_alaw", "codec_ulaw", "codec_a_mu", "codec_g722", "codec_gsm", "codec_resample", "format_pcm",
    "res_format_attr_opus", "app_read", "app_echo", "app_userevent", "app_verbose", "app_dial", "bridge_simple",
    "bridge_native_rtp", "func_channel", "func_callerid", "func_logic", "func_strings",
)  # fmt: skip

# The row's columns that are the same words in sip.conf. `host` is where the phone goes, not where it comes from.
_COLUMNS = (
    "type", "context", "dtmfmode", "md5secret", "secret", "disallow", "transport", "encryption", "defaultuser",
    "language", "nat",
)  # fmt: skip

_WEBRTC = {
    "avpf": "yes", "icesupport": "yes", "rtcp_mux": "yes", "dtlsenable": "yes", "dtlsverify": "no",
    "dtlscertfile": f"{FOLDER}/server.pem", "dtlsprivatekey": f"{FOLDER}/server.pem", "dtlssetup": "actpass",
}  # fmt: skip

# The server's word on a call: who calls, which codec, is it encrypted; four digits, for which it waits some seconds;
# then an echo.
_DIALPLAN = """\
[globals]
PATIENCE=60
[agents]
exten => {echo},1,Answer()
 same => n,Goto(heard,1)
exten => heard,1,UserEvent(Call,{peer},Codec: ${{CHANNEL(audionativeformat)}},Encrypted: ${{CHANNEL({encrypted})}})
 same => n,Read(DIGITS,,4,,1,${{PATIENCE}})
 same => n,UserEvent(Digits,{peer},Digits: ${{DIGITS}})
 same => n,Echo()
exten => h,1,UserEvent(End,{peer})
"""


@dataclass(frozen=True)
class Ports:
    """Where the server listens, all on 127.0.0.1; ``sip`` is for UDP and TCP, ``rtp`` the first of a hundred."""

    sip: int
    tls: int
    wss: int
    ws: int
    manager: int
    rtp: int


@dataclass(frozen=True)
class Driver:
    """One of the server's two ways to speak SIP. ``written`` makes ``file`` from ports, realm, agents and edition;
    ``peer``, ``encrypted``, ``received`` and ``sent`` are what its channels call these.
    """

    technology: str
    modules: tuple[str, ...]
    file: str
    written: Callable[[Ports, str, Iterable[SimulatedAgent], str], str]
    reload: str
    peer: str
    encrypted: str
    received: str
    sent: str

    def dialplan(self) -> str:
        """extensions.conf."""
        return _DIALPLAN.format(echo=ECHO, peer=f"Peer: ${{CHANNEL({self.peer})}}", encrypted=self.encrypted)


def files(ports: Ports, realm: str, driver: Driver) -> dict[str, str]:
    """All of /etc/asterisk, by file name."""
    places = ("etc", "varlib", "db", "key", "agi", "spool", "run", "log", "sbin")
    directories = [f"ast{place}dir => {FOLDER}" for place in places]
    modules = [f"load={one}.so" for one in (*_MODULES, *driver.modules)]
    # It does not start without its documentation.
    directories += ["astmoddir => /usr/lib/asterisk/modules", "astdatadir => /usr/share/asterisk"]
    http = {"enabled": "yes", "tlsenable": "yes", "tlsbindaddr": f"127.0.0.1:{ports.wss}",
            "tlscertfile": f"{FOLDER}/server.pem", "tlsprivatekey": f"{FOLDER}/server.pem"}  # fmt: skip
    return {
        "asterisk.conf": "\n".join(["[directories]", *directories, ""]),
        "modules.conf": "\n".join(["[modules]", "autoload=no", *modules, ""]),
        "logger.conf": "[logfiles]\nconsole => notice,warning,error,security\n",
        "http.conf": section("general", http | {"bindaddr": "127.0.0.1", "bindport": str(ports.ws)}),
        "manager.conf": section("general", {"enabled": "yes", "bindaddr": "127.0.0.1", "port": str(ports.manager)})
        + section("tests", {"secret": SECRET, "read": "all", "write": "all"}),
        "rtp.conf": section("general", {"rtpstart": str(ports.rtp), "rtpend": str(ports.rtp + 99),
                                         "icesupport": "yes", "strictrtp": "no"}),
        "extensions.conf": driver.dialplan(),
        driver.file: driver.written(ports, realm, (), ""),
    }  # fmt: skip


def _sip_conf(ports: Ports, realm: str, agents: Iterable[SimulatedAgent], edition: str) -> str:
    """The registrar with its peers; each shows ``edition`` as its description."""
    general = {
        "realm": realm, "udpbindaddr": f"127.0.0.1:{ports.sip}", "tcpenable": "yes",
        "tcpbindaddr": f"127.0.0.1:{ports.sip}", "tlsenable": "yes", "tlsbindaddr": f"127.0.0.1:{ports.tls}",
        "tlscertfile": f"{FOLDER}/server.pem", "websocket_enabled": "true", "allowguest": "no",
        "alwaysauthreject": "no", "srvlookup": "no", "directmedia": "no", "transport": "udp,tcp,tls,ws,wss",
    }  # fmt: skip
    return section("general", general) + "".join(_peer(agent, edition) for agent in agents)


def _peer(agent: SimulatedAgent, edition: str) -> str:
    """The peer whose row the platform gives at a login."""
    row = row_of(agent, "a-token", "localhost")
    wanted: dict[str, str] = {"host": "dynamic", "description": edition} | {
        key: str(row[key]) for key in _COLUMNS if row[key]
    }
    wanted |= {"allow": str(row["allow"]).replace(";", ","), "qualify": "no"}
    return section(agent.name, wanted | (_WEBRTC if "ws" in str(row["transport"]) else {}))


def section(name: str, values: Mapping[str, str]) -> str:
    """One section of a file of Asterisk's."""
    return "\n".join([f"[{name}]", *(f"{key}={value}" for key, value in values.items()), "", ""])


CHAN_SIP = Driver(
    "SIP", ("chan_sip",), "sip.conf", _sip_conf, "sip reload",
    "peername", "secure_media", "rtpqos,audio,rxcount", "rtpqos,audio,txcount",
)  # fmt: skip
