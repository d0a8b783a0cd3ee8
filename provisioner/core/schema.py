"""The one schema of the settings: validation, defaults, sample, README and editor completion all come from it.

It is JSON Schema draft-07. Two words are our own: ``x-effect`` says what a changed value costs (``log-in``, ``render``
or ``none``, see ``core.reason``), ``x-sample`` is the value that the commented sample shows.
"""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.core.schema_agent import ACCOUNT, AGENT_PROPERTIES, PASSWORD, TARGET
from provisioner.core.schema_words import (
    HOST,
    HOST_NAME,
    Schema,
    choice,
    duration,
    list_of,
    mapping,
    number,
    switch,
    text,
)

_PLATFORM = mapping(
    "The uContact instance and what it does not tell by itself.",
    {
        "url": text(
            "Address of the instance. `https` only; plain `http` is accepted to this machine itself, for tests.",
            pattern=r"^https?://[^/?#@\s]+/?$",
            effect="log-in",
            sample="https://acme.ucontactcloud.com",
        ),
        "ca_file": text(
            "PEM file with the authority that signed the instance's certificate. Default: the system's.",
            sample="/etc/ssl/certs/acme-ca.pem",
            effect="none",
        ),
        "connect_timeout": duration("Longest time to reach the platform.", "5s") | {"x-effect": "none"},
        "timeout": duration("Longest time for one whole request.", "20s") | {"x-effect": "none"},
        "realm": text(
            "The digest realm, when you know it. It is used even where it cannot be proven.", sample="asterisk"
        ),
        "realms": list_of(
            "Realms to try against the hash that the platform sends; the first that fits is proven to be right. "
            "`asterisk` and the host names are always tried too.",
            text("A realm, exact to the byte."),
            default=[],
            sample=["asterisk"],
        ),
        "domain": HOST_NAME
        | {
            "description": "SIP domain of the accounts. Default: the `host` of the login's answer, or the "
            "host of `url`.",
            "x-sample": "acme.ucontactcloud.com",
        },
        "websocket": mapping(
            "Where the SIP WebSocket is, when not at the domain.",
            {
                "host": HOST_NAME | {"description": "Host. Default: the SIP domain.", "x-sample": "sip.acme.example"},
                "port": number("TCP port. Default: 8089 for wss, 8088 for ws.", 1, 65535, sample=8089),
                "path": text("Path of the WebSocket resource.", pattern=r"^/[!-~]*$", default="/ws"),
            },
        ),
        "ports": mapping(
            "Ports of the registrar.",
            {
                "udp": number("UDP port.", 1, 65535, default=5060),
                "tcp": number("TCP port.", 1, 65535, default=5060),
                "tls": number("TLS port.", 1, 65535, default=5061),
            },
        ),
        "stun": list_of(
            "STUN servers, `host` or `host:port`. Default: the platform's own for `*.ucontactcloud.com`, "
            "none elsewhere.",
            {"$ref": "#/definitions/host_port"},
            sample=["stun.ucontactcloud.com:3478"],
        ),
        "turn": list_of(
            "TURN servers.",
            mapping(
                "One TURN server.",
                {
                    "server": {"$ref": "#/definitions/host_port"},
                    "transport": choice("How the phone talks to it.", ["udp", "tcp", "tls"], default="udp"),
                    "user": text("User name."),
                    "password": {"$ref": "#/definitions/password"},
                },
                required=["server", "user", "password"],
            ),
            default=[],
        ),
    },
    required=["url"],
)

_LOGIN = mapping(
    "How agents are logged in. A login makes the agent available for calls, so there is one per agent and reason.",
    {
        "at_once": number("Logins that run side by side.", 1, 256, default=8),
        "splay": duration(
            "Each login at start waits a random time up to this, so that a thousand workstations "
            "switched on at 08:00 do not arrive together.",
            "10s",
        ),
        "first_retry": duration("Wait after the first failure; it doubles each time, with full jitter.", "5s"),
        "longest_retry": duration("The wait never gets longer than this.", "10m"),
        "refresh_every": duration("Log in again this often. `0s`: never.", "0s"),
        "log_off_on_stop": switch("Log agents off when the daemon stops.", False),
        "log_off_on_removal": switch("Log an agent off when the YAML no longer names them.", True),
    },
)

_WATCH = mapping(
    "How changes of the files are noticed.",
    {
        "method": choice(
            "`inotify`, or `polling` for network file systems.", ["inotify", "polling"], default="inotify"
        ),
        "poll_every": duration("Pause between two looks when polling.", "5s"),
        "settle": duration("A change is acted on when the files were quiet for this long ...", "200ms"),
        "settle_at_most": duration("... or, when they never are, after this time.", "2s"),
        "check_every": duration("How often delivered files are compared with what they should be.", "10m"),
    },
)

_REMOVAL = mapping(
    "What happens to files that are no longer configured.",
    {
        "brake": switch(
            "Refuse a change that would remove more than 30 % of ten or more agents, as a wrong `rsync` "
            "does. `provisioner reload --force` lets one through.",
            True,
        ),
    },
)

SETTINGS: Schema = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "softphone-provisioner settings",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "platform": _PLATFORM,
        "login": _LOGIN,
        "watch": _WATCH,
        "removal": _REMOVAL,
        "defaults": mapping(
            "What all agents of this file share; in provisioner.yaml, what all agents share.",
            {key: value for key, value in AGENT_PROPERTIES.items() if key != "login"},
        ),
        "agents": list_of("The agents.", {"$ref": "#/definitions/agent"}),
    },
    "definitions": {
        "agent": mapping("One agent.", AGENT_PROPERTIES, required=["login"]),
        "target": TARGET,
        "account": ACCOUNT,
        "password": PASSWORD,
        "host_port": {
            "type": "string",
            "pattern": HOST[:-1] + r"(:[0-9]{1,5})?$",
            "maxLength": 262,
            "description": "`host` or `host:port`.",
        },
    },
}


def resolve(schema: Schema, root: Schema = SETTINGS) -> Schema:
    """``schema`` itself, or what its ``$ref`` points to, with the words beside the ``$ref`` winning."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    named: Schema = root["definitions"][reference.rpartition("/")[2]]
    return named | {key: value for key, value in schema.items() if key != "$ref"}


def keys(schema: Schema = SETTINGS, prefix: str = "") -> Iterator[tuple[str, Schema]]:
    """Every setting with its dotted name, depth first, in the order of the schema: ``platform.url``, ...

    Items of lists are written ``agents[].login``.
    """
    for name, part in schema.get("properties", {}).items():
        resolved = resolve(part)
        yield prefix + name, resolved
        branches = [resolve(branch) for branch in resolved.get("oneOf", [resolved])]
        for branch in branches:
            yield from keys(branch, f"{prefix}{name}.")
            for item in resolve(branch.get("items", {})).get("oneOf", [branch.get("items", {})]):
                yield from keys(resolve(item), f"{prefix}{name}[].")
