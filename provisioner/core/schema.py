"""The one schema of the settings: validation, defaults, sample, README and editor completion all come from it.

It is JSON Schema draft-07. Three words are our own: ``x-effect`` says what a changed value costs (``log-in``,
``render`` or ``none``, see ``core.reason``; keys below inherit it), ``x-sample`` is the value that the commented sample
shows where there is no default, ``x-least`` the shortest time that makes sense.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from provisioner.core.schema_agent import ACCOUNT, AGENT_PROPERTIES, PASSWORD, TARGET
from provisioner.core.schema_words import (
    ABSOLUTE,
    HOST_NAME,
    HOST_PORT,
    URL,
    WEBSOCKET_PATH,
    Schema,
    choice,
    duration,
    list_of,
    mapping,
    number,
    section,
    switch,
    text,
)

_PLATFORM = mapping(
    "The uContact instance and what it does not tell by itself.",
    {
        "url": text(
            "Address of the instance. `https` only; plain `http` is accepted to this machine itself, for tests.",
            pattern=URL,
            effect="log-in",
            sample="https://acme.ucontactcloud.com",
        ),
        "ca_file": text(
            "PEM file with the authority that signed the instance's certificate. Default: the system's.",
            pattern=ABSOLUTE,
            sample="/etc/ssl/certs/acme-ca.pem",
        ),
        "connect_timeout": duration("Longest time to reach the platform.", "5s", least="100ms", effect="none"),
        "timeout": duration("Longest time for one whole request.", "20s", least="100ms", effect="none"),
        "realm": text(
            "The digest realm, when you know it. It is used even where it cannot be proven.", sample="asterisk"
        ),
        "realms": list_of(
            "Realms to try against the hash that the platform sends; the first that fits is proven to be right. "
            "`asterisk` and the host names are always tried too.",
            text("A realm, exact to the byte."),
            default=[],
            sample=["asterisk", "acme"],
        ),
        "discover_realm": switch(
            "Ask the SIP server for its realm at each login, and again as long as it does not answer, where the realm "
            "cannot be proven otherwise and `realm` is not set: over wss or tls, without touching the line. What it "
            "asks for is used once it has accepted the hash with it.",
            False,
        ),
        "domain": HOST_NAME
        | {
            "description": "SIP domain of the accounts. Default: the `host` of the login's answer, or the "
            "host of `url`.",
            "x-sample": "acme.ucontactcloud.com",
        },
        "websocket": section(
            "Where the SIP WebSocket is, when not at the domain.",
            {
                "host": HOST_NAME | {"description": "Host. Default: the SIP domain.", "x-sample": "sip.acme.example"},
                "port": number("TCP port. Default: 8089 for wss, 8088 for ws.", 1, 65535, sample=8089),
                "path": text("Path of the WebSocket resource.", pattern=WEBSOCKET_PATH, default="/ws"),
            },
        ),
        "ports": section(
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
                    "server": {"$ref": "#/definitions/host_port", "x-sample": "turn.acme.example:3478"},
                    "transport": choice("How the phone talks to it.", ["udp", "tcp", "tls"], default="udp"),
                    "user": text("User name.", sample="acme"),
                    "password": {
                        "$ref": "#/definitions/password",
                        "description": "The password of the TURN server, or where it is.",
                        "x-effect": "render",
                        "x-sample": {"credential": "turn"},
                    },
                },
                required=["server", "user", "password"],
            ),
            default=[],
        ),
    },
    required=["url"],
    effect="render",
)

_LOGIN = section(
    "How agents are logged in. A login makes the agent available for calls, so there is one per agent and reason.",
    {
        "at": choice(
            "When agents are logged in: at the daemon's `start`, or while their `user` has a desktop `session`.",
            ["start", "session"],
            default="start",
        ),
        "session_grace": duration(
            "With `at: session`, agents are logged off this long after their session ended, so that a hiccup of the "
            "desktop logs nobody off.",
            "30s",
        ),
        "again_after": duration(
            "Log in again after the machine was suspended for this long. No registration outlives an hour, so the "
            "platform has lost the agent by then. `0s`: never.",
            "1h",
            least="1m",
        ),
        "at_once": number("Logins that run side by side.", 1, 256, default=8),
        "splay": duration(
            "Each login at start waits a random time up to this, so that a thousand workstations "
            "switched on at 08:00 do not arrive together.",
            "10s",
        ),
        "first_retry": duration(
            "Wait after the first failure; it doubles each time, with full jitter.", "5s", least="1s"
        ),
        "longest_retry": duration("The wait never gets longer than this.", "10m", least="1s"),
        "refresh_every": duration("Log in again this often. `0s`: never.", "0s", least="1m"),
        "log_off_on_stop": switch("Log agents off when the daemon stops, not when it is restarted.", False),
        "log_off_on_removal": switch("Log an agent off when the YAML no longer names them.", True),
    },
    effect="none",
)

_WATCH = section(
    "How changes of the files are noticed.",
    {
        "method": choice(
            "`inotify`, or `polling` for network file systems.", ["inotify", "polling"], default="inotify"
        ),
        "poll_every": duration("Pause between two looks when polling.", "5s", least="100ms"),
        "settle": duration("A change is acted on when the files were quiet for this long ...", "200ms"),
        "settle_at_most": duration("... or, when they never are, after this time.", "2s"),
        "check_every": duration("How often delivered files are compared with what they should be.", "10m", least="1s"),
    },
    effect="none",
)

_REMOVAL = section(
    "What happens to files that are no longer configured.",
    {
        "brake": switch(
            "Refuse a change that would remove more than 30 % of ten or more agents, as a wrong `rsync` "
            "does. `provisioner reload --force` lets one through.",
            True,
        ),
    },
    effect="none",
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
        "defaults": section(
            "What all agents of this file share; in provisioner.yaml, what the agents of all files share. "
            "An agent's own values win.",
            {key: value for key, value in AGENT_PROPERTIES.items() if key != "login"},
            effect="render",
        ),
        "agents": list_of("The agents.", {"$ref": "#/definitions/agent"}),
    },
    "definitions": {
        "agent": mapping("One agent.", AGENT_PROPERTIES, required=["login"], effect="render"),
        "target": TARGET,
        "account": ACCOUNT,
        "password": PASSWORD,
        "host_port": {
            "type": "string",
            "pattern": HOST_PORT,
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
        # What may stand in several forms has the keys of each.
        branches = [resolve(branch) for branch in resolved.get("oneOf", [resolved])]
        for branch in branches:
            yield from keys(branch, f"{prefix}{name}.")
            for item in resolve(branch.get("items", {})).get("oneOf", [branch.get("items", {})]):
                yield from keys(resolve(item), f"{prefix}{name}[].")


def effects(schema: Schema = SETTINGS) -> Mapping[str, str]:
    """What a change of each setting costs, by its dotted name: its own ``x-effect``, or that of what it stands in."""
    found: dict[str, str] = {}
    for name, part in keys(schema):
        above = re.sub(r"(\[\])?\.[^.]*$", "", name)
        inherited = resolve(part.get("items", {})).get("x-effect", found.get(above, "none"))
        found[name] = str(part.get("x-effect", inherited))
    return found


def untold_choices(part: Schema) -> list[str]:
    """The words that a setting has to choose from, where its description does not name them all."""
    values = [str(value) for value in part.get("enum", [])]
    return [] if all(f"`{value}`" in part["description"] for value in values) else values


def default_of(part: Schema) -> str:
    """The default of a setting as it is written in YAML; empty when there is none, or its description names it."""
    if "default" not in part or "Default:" in part["description"]:
        return ""
    default = part["default"]
    if isinstance(default, bool):
        return "true" if default else "false"
    return "none" if default == [] else str(default)
