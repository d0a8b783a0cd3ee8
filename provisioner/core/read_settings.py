"""Documents → ``Settings``: typed values, or every mistake at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from provisioner.core.account import DtmfMode, MediaEncryption, Transport
from provisioner.core.document import Document
from provisioner.core.password_source import FromCommand, FromCredential, FromEnv, FromFile, Inline, PasswordSource
from provisioner.core.problem import Place, Problem
from provisioner.core.relay_way import RelayMode, RelayPolicy
from provisioner.core.rules import broken_rules
from provisioner.core.schema import SETTINGS, keys
from provisioner.core.secret import Secret
from provisioner.core.settings import (
    AgentSettings,
    LoginPolicy,
    Overrides,
    Platform,
    ReloadPolicy,
    Settings,
    TargetChoice,
    TurnServer,
    WatchPolicy,
)
from provisioner.core.times import seconds
from provisioner.core.validate import Checker

CHECKER = Checker(SETTINGS)
_COMMAND_LIMIT = next(part["default"] for name, part in keys() if name == "agents[].password.timeout")


def agents_of(
    document: Document, shared: Mapping[str, Any], *, main: bool = True
) -> tuple[tuple[AgentSettings, ...], tuple[Problem, ...]]:
    """The agents of one file, or all that is wrong with that file; ``main`` says that it is provisioner.yaml.

    ``shared`` are the ``defaults`` of provisioner.yaml; the file's own ``defaults`` go over them, an agent's own
    values over both. Mappings (``account``, ``relay``) are merged key by key, everything else is replaced as a whole.
    """
    problems = (*CHECKER.mistakes(document), *broken_rules(document, main=main))
    if problems or not isinstance(document.value, dict):
        return (), problems
    value: Mapping[str, Any] = document.value
    defaults = merged(shared, value.get("defaults") or {})
    agents = [
        _agent(merged(defaults, values), document.position(("agents", index)))
        for index, values in enumerate(value.get("agents") or ())
    ]
    return tuple(agents), ()


def shared_defaults(main: Document) -> Mapping[str, Any]:
    """The ``defaults`` of provisioner.yaml, or nothing when that file cannot be read."""
    value = main.value if isinstance(main.value, dict) else {}
    defaults = value.get("defaults")
    return defaults if isinstance(defaults, dict) else {}


def settings_from(main: Document, agents: Iterable[AgentSettings]) -> Settings:
    """The whole, from a provisioner.yaml without mistakes and the agents of all files, each named once."""
    value: Any = main.value
    watch = _section(value, "watch")
    times = {name: seconds(watch[name]) for name in ("poll_every", "settle", "settle_at_most", "check_every")}
    return Settings(
        platform=_platform(value["platform"]),
        login=_login(_section(value, "login")),
        watch=WatchPolicy(method=watch["method"], **times),
        removal_brake=_section(value, "removal")["brake"],
        agents={agent.login: agent for agent in agents},
    )


def _platform(value: Mapping[str, Any]) -> Platform:
    given = _defaults("platform") | dict(value)
    websocket = _defaults("platform.websocket") | (given.get("websocket") or {})
    ports = _defaults("platform.ports") | (given.get("ports") or {})
    turn = [_defaults("platform.turn[]") | server for server in given["turn"]]
    return Platform(
        url=given["url"].rstrip("/"),
        ca_file=given.get("ca_file"),
        connect_timeout=seconds(given["connect_timeout"]),
        timeout=seconds(given["timeout"]),
        realm=given.get("realm"),
        realms=tuple(given["realms"]),
        discover_realm=given["discover_realm"],
        domain=given.get("domain"),
        websocket_host=websocket.get("host"),
        websocket_port=websocket.get("port"),
        websocket_path=websocket["path"],
        ports={Transport(name): port for name, port in ports.items()},
        stun=tuple(given["stun"]) if "stun" in given else None,
        turn=tuple(TurnServer(t["server"], t["transport"], t["user"], _password(t["password"])) for t in turn),
    )


def _login(value: Mapping[str, Any]) -> LoginPolicy:
    times = ("session_grace", "again_after", "splay", "first_retry", "longest_retry", "refresh_every")
    typed: dict[str, Any] = {key: seconds(item) if key in times else item for key, item in value.items()}
    return LoginPolicy(**typed)


def _section(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    return _defaults(name) | (value.get(name) or {})


@cache
def _defaults(section: str) -> dict[str, Any]:
    """The schema's defaults of the keys directly below ``section``."""
    return {
        name.removeprefix(section + "."): part["default"]
        for name, part in keys()
        if name.startswith(section + ".") and "default" in part and "." not in name.removeprefix(section + ".")
    }


def _password(value: object) -> PasswordSource:
    match value:
        case {"file": str(path)}:
            return FromFile(path)
        case {"env": str(name)}:
            return FromEnv(name)
        case {"credential": str(name)}:
            return FromCredential(name)
        case {"command": list(argv), **rest}:
            return FromCommand(tuple(argv), seconds(str(rest.get("timeout", _COMMAND_LIMIT))))
    return Inline(Secret(str(value)))


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """The values of ``above`` over those of ``below``."""
    values = {**below, **above}
    if isinstance(below.get("account"), dict) and "account" in above:
        values["account"] = {**below["account"], **(above["account"] or {})}
    if isinstance(below.get("relay"), dict) and isinstance(above.get("relay"), dict):
        values["relay"] = {**below["relay"], **above["relay"]}
    return values


def _agent(values: Mapping[str, Any], place: Place) -> AgentSettings:
    workstations = values.get("workstations")
    chosen = values.get("targets") or ()
    return AgentSettings(
        login=values["login"],
        password=_password(values["password"]) if "password" in values else None,
        user=values.get("user"),
        home=values.get("home"),
        workstations=None if workstations is None else tuple(workstations),
        targets=tuple(TargetChoice(item) if isinstance(item, str) else _choice(item) for item in chosen),
        overrides=_overrides(values.get("account") or {}),
        place=place,
        relay=_relay(values.get("relay")),
    )


def _relay(value: object) -> RelayPolicy:
    """The word ``auto`` or ``off``, or a mapping, which says how and thereby that."""
    if not isinstance(value, dict):
        return RelayPolicy(use=value != "off")
    return RelayPolicy(mode=RelayMode(value.get("mode", RelayMode.ANSWER)), port=value.get("port"))


def _choice(item: Mapping[str, Any]) -> TargetChoice:
    options = {key: str(value) for key, value in (item.get("options") or {}).items()}
    reload = _reload(item["reload"]) if "reload" in item else None
    return TargetChoice(item["target"], item.get("path"), reload, options)


def _reload(value: object) -> ReloadPolicy:
    """The word ``shipped``, a command, or a mapping with more."""
    if isinstance(value, list):
        return ReloadPolicy(tuple(value))
    if not isinstance(value, dict):
        return ReloadPolicy()
    typed: dict[str, Any] = {}
    for key, given in value.items():
        match key:
            case "command" | "running_command" | "busy_command":
                typed[key] = tuple(given)
            case "final_codes":
                typed[key] = frozenset(given)
            case "on_failure":
                typed["rolls_back"] = given == "roll-back"
            case "roll_back_after":
                typed[key] = given
            case _:
                typed[key] = seconds(given)
    return ReloadPolicy(**typed)


def _overrides(values: Mapping[str, Any]) -> Overrides:
    words = {"transport": Transport, "dtmf": DtmfMode, "media_encryption": MediaEncryption}
    typed: dict[str, Any] = {key: words[key](value) if key in words else value for key, value in values.items()}
    if "codecs" in typed:
        typed["codecs"] = tuple(typed["codecs"])
    return Overrides(**typed)
