"""Documents → ``Settings``: typed values, or every mistake at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cache
from typing import Any

from provisioner.core.account import DtmfMode, MediaEncryption, Transport
from provisioner.core.credential import FromCommand, FromCredential, FromEnv, FromFile, Inline, PasswordSource
from provisioner.core.document import Document
from provisioner.core.problem import Problem, ProvisionerError
from provisioner.core.schema import SETTINGS, keys
from provisioner.core.secret import Secret
from provisioner.core.settings import (
    AgentSettings,
    LoginPolicy,
    Overrides,
    Platform,
    Settings,
    TargetChoice,
    TurnServer,
    WatchPolicy,
)
from provisioner.core.validate import Checker

CHECKER = Checker(SETTINGS)
MAIN_ONLY = ("platform", "login", "watch", "removal")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def agents_of(document: Document, shared: Mapping[str, Any]) -> tuple[tuple[AgentSettings, ...], tuple[Problem, ...]]:
    """The agents of one file, and all that is wrong with that file.

    ``shared`` are the ``defaults`` of provisioner.yaml; the file's own ``defaults`` go over them, an agent's own
    values over both. Mappings (``account``) are merged key by key, everything else is replaced as a whole.
    """
    problems = list(CHECKER.mistakes(document))
    if problems or not isinstance(document.value, dict):
        return (), tuple(problems)
    defaults = _merged(shared, document.value.get("defaults") or {})
    problems += _exposed(document)
    agents = []
    for index, values in enumerate(document.value.get("agents") or ()):
        reader = _AgentReader(document, ("agents", index), problems)
        agents.append(reader.agent(_merged(defaults, values)))
    return tuple(agents), tuple(problems)


def shared_defaults(main: Document) -> Mapping[str, Any]:
    """The ``defaults`` of provisioner.yaml, or nothing when that file cannot be read."""
    value = main.value if isinstance(main.value, dict) else {}
    defaults = value.get("defaults")
    return defaults if isinstance(defaults, dict) else {}


def misplaced(document: Document) -> tuple[Problem, ...]:
    """Sections that belong in provisioner.yaml, found in a file of agents.d."""
    value = document.value if isinstance(document.value, dict) else {}
    fix = "move it to provisioner.yaml"
    return tuple(
        Problem(document.place((name,), key=True), f"`{name}` is for the whole workstation", fix)
        for name in MAIN_ONLY
        if name in value
    )


def settings_from(main: Document, agents: Iterable[AgentSettings]) -> Settings:
    """The whole, from provisioner.yaml (already checked) and the agents of all files.

    Raises ProvisionerError with every problem: no platform, one login named twice.
    """
    value = main.value if isinstance(main.value, dict) else {}
    problems: list[Problem] = []
    by_login: dict[str, AgentSettings] = {}
    for agent in agents:
        first = by_login.setdefault(agent.login, agent)
        if first is not agent:
            what = f"the agent `{agent.login}` is named a second time, first at {first.place}"
            problems.append(Problem(agent.place, what, "keep one of the two"))
    if "platform" not in value:
        problems.append(
            Problem(main.place(), "`platform` is missing", "add `platform:` with the `url` of the instance")
        )
    if problems:
        raise ProvisionerError(problems)
    watch = _section(value, "watch")
    times = {name: seconds(watch[name]) for name in ("poll_every", "settle", "settle_at_most", "check_every")}
    return Settings(
        platform=_platform(value["platform"]),
        login=_login(_section(value, "login")),
        watch=WatchPolicy(method=watch["method"], **times),
        removal_brake=_section(value, "removal")["brake"],
        agents=by_login,
    )


def seconds(duration: str) -> float:
    """``200ms``, ``10s``, ``5m``, ``1h``, ``2d`` in seconds."""
    number, unit = re.fullmatch(r"([0-9.]+)([a-z]+)", duration).groups()  # type: ignore[union-attr]
    return timedelta(**{_UNITS[unit]: float(number)}).total_seconds()


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
        domain=given.get("domain"),
        websocket_host=websocket.get("host"),
        websocket_port=websocket.get("port"),
        websocket_path=websocket["path"],
        ports={Transport(name): port for name, port in ports.items()},
        stun=tuple(given["stun"]) if "stun" in given else None,
        turn=tuple(TurnServer(t["server"], t["transport"], t["user"], _password(t["password"])) for t in turn),
    )


def _login(value: Mapping[str, Any]) -> LoginPolicy:
    times = ("splay", "first_retry", "longest_retry", "refresh_every")
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


def _exposed(document: Document) -> list[Problem]:
    """Passwords that stand in a file which others can read."""
    if document.private or not isinstance(document.value, dict):
        return []
    value = document.value
    paths: list[tuple[str | int, ...]] = [("defaults",)]
    paths += [("agents", index) for index, _ in enumerate(value.get("agents") or ())]
    paths += [("platform", "turn", index) for index, _ in enumerate((value.get("platform") or {}).get("turn") or ())]
    fix = f"chmod 600 {document.name}, or keep the password elsewhere: `password: {{file: /…}}`"
    return [
        Problem(document.place((*path, "password")), "a password stands here and others can read this file", fix)
        for path in paths
        if isinstance(_at(value, path), str)
    ]


def _at(value: Any, path: tuple[str | int, ...]) -> object:
    """The password of the mapping at ``path``."""
    for step in path:
        value = value.get(step, {}) if isinstance(step, str) else value[step]
    return value.get("password") if isinstance(value, dict) else None


def _password(value: object, timeout: str = "10s") -> PasswordSource:
    match value:
        case {"file": str(path)}:
            return FromFile(path)
        case {"env": str(name)}:
            return FromEnv(name)
        case {"credential": str(name)}:
            return FromCredential(name)
        case {"command": list(argv), **rest}:
            return FromCommand(tuple(argv), seconds(str(rest.get("timeout", timeout))))
    return Inline(Secret(str(value)))


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = key == "account" and isinstance(old, dict) and isinstance(value, dict)
        merged[key] = {**(old or {}), **value} if both else value
    return merged


class _AgentReader:
    """Reads one agent of a document and notes what the schema cannot say."""

    def __init__(self, document: Document, path: tuple[str | int, ...], problems: list[Problem]) -> None:
        self._document = document
        self._path = path
        self._problems = problems

    def agent(self, values: Mapping[str, Any]) -> AgentSettings:
        self._check_password(values.get("password"))
        workstations = values.get("workstations")
        return AgentSettings(
            login=values["login"],
            password=_password(values["password"]) if "password" in values else None,
            user=values.get("user"),
            home=values.get("home"),
            workstations=None if workstations is None else tuple(workstations),
            targets=self._targets(values.get("targets") or ()),
            overrides=_overrides(values.get("account") or {}),
            place=self._document.place(self._path),
        )

    def _targets(self, chosen: Iterable[str | Mapping[str, Any]]) -> tuple[TargetChoice, ...]:
        choices: list[TargetChoice] = []
        for item in chosen:
            choice = TargetChoice(item) if isinstance(item, str) else _choice(item)
            if any((choice.target, choice.path) == (other.target, other.path) for other in choices):
                self._wrong(
                    "targets", f"the target `{choice.target}` is named twice", "keep one, or give each a `path`"
                )
            choices.append(choice)
        return tuple(choices)

    def _check_password(self, value: object) -> None:
        if isinstance(value, dict):
            sources = [key for key in value if key != "timeout"]
            if len(sources) != 1:
                self._wrong("password", "a password comes from one place", "name one of file, env, credential, command")

    def _wrong(self, key: str, what: str, fix: str) -> None:
        own = self._document.place((*self._path, key))
        self._problems.append(Problem(own, what, fix))


def _choice(item: Mapping[str, Any]) -> TargetChoice:
    command = item.get("reload")
    options = {key: str(value) for key, value in (item.get("options") or {}).items()}
    return TargetChoice(item["target"], item.get("path"), tuple(command) if command else None, options)


def _overrides(values: Mapping[str, Any]) -> Overrides:
    words = {"transport": Transport, "dtmf": DtmfMode, "media_encryption": MediaEncryption}
    typed: dict[str, Any] = {key: words[key](value) if key in words else value for key, value in values.items()}
    if "codecs" in typed:
        typed["codecs"] = tuple(name.lower() for name in typed["codecs"])
    return Overrides(**typed)
