"""The part of the schema that speaks of one agent."""

from __future__ import annotations

from provisioner.core.account import DtmfMode, MediaEncryption, Transport
from provisioner.core.codec import NAMES
from provisioner.core.schema_reload import RELOAD
from provisioner.core.schema_words import (
    ABSOLUTE,
    CREDENTIAL,
    FOLDER,
    HOME,
    HOST_NAME,
    LANGUAGE,
    NO_BLANK,
    ONE_LINE,
    VARIABLE,
    WEBSOCKET_URL,
    WORKSTATION,
    choice,
    duration,
    list_of,
    mapping,
    number,
    section,
    text,
)

ACCOUNT = section(
    "Values that replace what the platform says, for one agent or, in `defaults`, for all.",
    {
        "name": text("SIP user name.", pattern=NO_BLANK, sample=1997),
        "display_name": text("Name that the called person sees.", sample="Ana Pérez"),
        "domain": HOST_NAME | {"description": "SIP domain.", "x-sample": "acme.ucontactcloud.com"},
        "server": HOST_NAME
        | {"description": "Registrar to connect to, when it is not the domain.", "x-sample": "sip.acme.example"},
        "port": number("Port of the registrar, for udp, tcp and tls.", 1, 65535, sample=5061),
        "realm": text("Digest realm.", sample="asterisk"),
        "transport": choice(
            "The only transport to use. The platform must allow it for this agent.",
            [*map(str, Transport)],
            sample="wss",
        ),
        "websocket_url": text(
            "The whole address of the SIP WebSocket.",
            pattern=WEBSOCKET_URL,
            sample="wss://sip.acme.example:443/ws",
        ),
        "codecs": list_of(
            "Codecs by SDP name, most wanted first.",
            choice("For example pcma, pcmu, opus, g722.", list(dict.fromkeys(NAMES.values()))),
            minItems=1,
            uniqueItems=True,
            sample=["opus", "pcma"],
        ),
        "dtmf": choice("How digits are sent.", [*map(str, DtmfMode)], sample="rfc4733"),
        "media_encryption": choice("How the audio is encrypted.", [*map(str, MediaEncryption)], sample="sdes"),
        "outbound_proxy": {
            "$ref": "#/definitions/host_port",
            "description": "SIP proxy that gets every request.",
            "x-sample": "proxy.acme.example:5060",
        },
        "expires": number("Seconds between registrations; Asterisk takes 60 to 3600.", 60, 3600, default=600),
        "language": text("Language of the phone, such as es or pt-BR.", pattern=LANGUAGE, sample="es"),
    },
)

RELAY = {
    "description": "A phone that cannot speak SIP over WebSocket reaches an account that allows only wss through a "
    "relay in this program, at 127.0.0.1. `auto`: where it is needed; `off`: never, and such a phone is refused. A "
    "mapping says how.",
    "default": "auto",
    "x-sample": {"mode": "pass", "port": 25060},
    "oneOf": [
        choice("`auto` or `off`.", ["auto", "off"]),
        mapping(
            "How.",
            {
                "mode": choice(
                    "`answer`: the relay answers the server's challenge, and the phone's file holds no secret; "
                    "`pass`: the phone answers with its own.",
                    ["answer", "pass"],
                    default="answer",
                ),
                "port": number(
                    "Port at 127.0.0.1, another for each agent of a workstation. Default: one is chosen the first "
                    "time and kept.",
                    1024,
                    65535,
                    sample=25060,
                ),
            },
            minProperties=1,
        ),
    ],
}

AGENT_PROPERTIES = {
    "login": text("The agent's user name at the platform.", effect="log-in", sample="vcisneros"),
    "password": {"$ref": "#/definitions/password", "x-effect": "log-in"},
    "user": text("Unix user that owns the files. Default: the user that the daemon runs as.", sample="victor"),
    "home": text(
        "Folder below which the phones look. Default: the home of `user`.", pattern=HOME, sample="/home/victor"
    ),
    "workstations": list_of(
        "Host names (with `*` and `?`) that serve this agent. Default: every one.",
        text("A pattern.", pattern=WORKSTATION),
        minItems=1,
        effect="none",
        sample=["ws-1*", "reception"],
    ),
    "targets": list_of(
        "Softphones to configure: names, or mappings with options.",
        {"oneOf": [text("Name of a target."), {"$ref": "#/definitions/target"}]},
        sample=["jssip"],
    ),
    "account": {"$ref": "#/definitions/account"},
    "relay": RELAY,
}

TARGET = mapping(
    "A target with options.",
    {
        "target": text("Name of the target, as `provisioner targets` lists it.", sample="json"),
        "path": text(
            "Folder of its files. `~/` is the home; `{login}` and `{user}` are replaced.",
            pattern=FOLDER,
            sample="/srv/phones/{login}",
        ),
        "reload": RELOAD,
        "options": {
            "type": "object",
            "description": "Options of this target, as its README lists them.",
            "additionalProperties": {"type": ["string", "number"]},
            "x-sample": {},
        },
    },
    required=["target"],
)

PASSWORD = {
    "oneOf": [
        {
            "type": ["string", "number"],
            "minLength": 1,
            "pattern": ONE_LINE,
            "description": "The password itself, in quotes if ` #` is in it, where YAML begins a comment. The file "
            "must be readable by its owner and the service only.",
        },
        mapping(
            "Where the password is.",
            {
                "file": text(
                    "File that holds it, readable by its owner and the service only.",
                    pattern=ABSOLUTE,
                    sample="/etc/softphone-provisioner/secrets/vcisneros",
                ),
                "env": text(
                    "Environment variable that holds it.",
                    pattern=VARIABLE,
                    sample="VCISNEROS_PASSWORD",
                ),
                "credential": text(
                    "Credential of the systemd unit that holds it (LoadCredential=).",
                    pattern=CREDENTIAL,
                    sample="vcisneros",
                ),
                "command": list_of(
                    "Command that prints it, as a list of arguments.",
                    text("A word."),
                    minItems=1,
                    sample=["/usr/bin/pass", "show", "vcisneros"],
                ),
                "timeout": duration("Time limit of the command.", "10s", effect="none"),
            },
            minProperties=1,
        ),
    ],
    "description": "The agent's password at the platform, or where it is.",
    "x-sample": {"file": "/etc/softphone-provisioner/secrets/vcisneros"},
}
