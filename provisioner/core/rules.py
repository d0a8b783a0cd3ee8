"""What the schema cannot say of one document. Documents with other mistakes are looked at too: all are told at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from provisioner.core.account import Transport
from provisioner.core.document import Document, Path
from provisioner.core.excerpt import quoted
from provisioner.core.password_source import closing
from provisioner.core.problem import Place, Problem
from provisioner.core.schema import keys
from provisioner.core.schema_reload import MORE
from provisioner.core.spelling import did_you_mean
from provisioner.core.times import LENGTH, seconds

MAIN_ONLY = ("platform", "login", "watch", "removal")
SOURCES = ("file", "env", "credential", "command")
_MEANT_AS_SOURCE = re.compile(rf"[{{ ]*({'|'.join(SOURCES)}):")
_NOT_FILLED_IN = re.compile(r"\$\{\w+\}|\{\{.*\}\}")
# (the shorter, the longer)
_IN_ORDER = (
    (("platform", "connect_timeout"), ("platform", "timeout")),
    (("login", "first_retry"), ("login", "longest_retry")),
    (("watch", "settle"), ("watch", "settle_at_most")),
)
_DEFAULTS = {tuple(name.split(".")): part.get("default") for name, part in keys() if name.count(".") == 1}
_LEAST = {
    tuple(name.split(".")): part["x-least"] for name, part in keys() if "x-least" in part and name.count(".") == 1
}

_MAY_BE_NEVER = {("login", "refresh_every"), ("login", "again_after")}
_RELOAD = MORE["properties"]
_RELOAD_LEAST = {name: part["x-least"] for name, part in _RELOAD.items() if "x-least" in part}


def broken_rules(document: Document, *, main: bool) -> Iterator[Problem]:
    """Every mistake of ``document`` that its schema lets pass; ``main`` says that it is provisioner.yaml."""
    value = document.value
    if value is None and not document.problems:
        yield _empty(document, main=main)
    if not isinstance(value, dict):
        return
    if main and "platform" not in value:
        fix = "add `platform:` with the `url` of the instance"
        yield Problem(document.place(), "`platform` is missing", fix)
    if main:
        yield from _times(document, value)
        turn = _list(_mapping(value.get("platform")).get("turn"))
        for index, server in enumerate(turn):
            yield from _password(document, ("platform", "turn", index), _mapping(server))
    else:
        yield from _misplaced(document, value)
    for path, mapping in _agents(value):
        yield from _password(document, path, mapping)
        yield from _targets(document, path, mapping)
        yield from _reloads(document, path, mapping)
        yield from _websocket(document, (*path, "account"), _mapping(mapping.get("account")))


def logins(document: Document) -> Iterator[tuple[str, Path]]:
    """The login of each agent of this document with the agent's path in it."""
    for path, mapping in _agents(document.value):
        if isinstance(mapping.get("login"), str):
            yield mapping["login"], path


def doubled(documents: Iterable[Document]) -> Iterator[Problem]:
    """Agents that are named in two places."""
    first: dict[str, Place] = {}
    for document in documents:
        for login, path in logins(document):
            place = document.position((*path, "login"))
            if first.setdefault(login, place) is not place:
                what = f"the agent {quoted(login)} is named a second time, first at {first[login]}"
                yield Problem(document.with_source(place), what, "keep one of the two")


def target_names(document: Document) -> Iterator[tuple[str, Path]]:
    """Every target that this document names, with the path of the word."""
    for path, item in target_items(document):
        if isinstance(item, str):
            yield item, path
        elif isinstance(name := _mapping(item).get("target"), str):
            yield name, (*path, "target")


def target_items(document: Document) -> Iterator[tuple[Path, object]]:
    """What stands in this document for each target of an agent, whatever it is, with its path."""
    for path, mapping in _agents(document.value):
        for index, item in enumerate(_list(mapping.get("targets"))):
            yield (*path, "targets", index), item


def unknown_targets(document: Document, known: Collection[str]) -> Iterator[Problem]:
    """The words that name none of the ``known`` targets."""
    for name, path in target_names(document):
        if name not in known:
            fix = did_you_mean(name, known) or f"there are: {', '.join(sorted(known)) or 'none'}"
            yield Problem(document.place(path), f"there is no target {quoted(name)}", fix)


def _empty(document: Document, *, main: bool) -> Problem:
    if main:
        fix = "`provisioner init --config DIR` writes a commented sample into another folder"
        return Problem(document.place(), "there are no settings in this file", fix)
    # A file that was cut short in the middle of being saved must not take its agents away.
    fix = "remove it, or write `agents: []` when nobody is meant"
    return Problem(document.place(), "there are no settings in this file", fix)


def _misplaced(document: Document, value: Mapping[str, Any]) -> Iterator[Problem]:
    for name in MAIN_ONLY:
        # An agent's login, outside of `agents:`, is no section.
        if name in value and not isinstance(value[name], str):
            place = document.place((name,), key=True)
            yield Problem(place, f"`{name}` is for the whole workstation", "move it to provisioner.yaml")


def _times(document: Document, value: Mapping[str, Any]) -> Iterator[Problem]:
    for path, least in _LEAST.items():
        length = _seconds(value, path)
        never = path in _MAY_BE_NEVER and length == 0
        if length is not None and length < seconds(least) and not never:
            yield Problem(document.place(path), f"`{path[-1]}` is too short", f"write {least} or more")
    for short, long in _IN_ORDER:
        if _length(value, short) > _length(value, long):
            given = long if _seconds(value, long) is not None else short
            what = f"`{short[-1]}` is longer than `{long[-1]}`"
            yield Problem(document.place(given), what, f"`{long[-1]}` is {_written(value, long)}; raise it")


def _seconds(value: Mapping[str, Any], path: tuple[str, ...]) -> float | None:
    """The length of time at ``path``; None where there is none, or one that the schema refuses."""
    return _time(_mapping(value.get(path[0])).get(path[1]))


def _time(given: object) -> float | None:
    return seconds(given) if isinstance(given, str) and LENGTH.fullmatch(given) else None


def _length(value: Mapping[str, Any], path: tuple[str, ...]) -> float:
    given = _seconds(value, path)
    return seconds(str(_DEFAULTS[path])) if given is None else given


def _written(value: Mapping[str, Any], path: tuple[str, ...]) -> str:
    return str(_mapping(value.get(path[0])).get(path[1]) or _DEFAULTS[path])


def _password(document: Document, path: Path, mapping: Mapping[str, Any]) -> Iterator[Problem]:
    value = mapping.get("password")
    place = (*path, "password")
    if isinstance(value, str) and _MEANT_AS_SOURCE.match(value):
        fix = "write it in braces, without quotes, and with a blank behind the colon: `{file: /…}`"
        yield Problem(document.place(place), "where a password is stands here as the password itself", fix)
    elif isinstance(value, str) and _NOT_FILLED_IN.fullmatch(value):
        fix = "have it filled in before the file comes here, or write `{env: NAME}`"
        yield Problem(document.place(place), "a placeholder stands here as the password itself", fix)
    elif isinstance(value, str) and value and not document.private:
        fix = f"{closing(document.name)}; or keep the password elsewhere: `password: {{file: /…}}`"
        yield Problem(document.place(place), "a password stands here and others can read this file", fix)
    if not isinstance(value, dict) or not value:
        return
    named = [key for key in SOURCES if key in value]
    if len(named) > 1 or value.keys() == {"timeout"}:
        what = "a password comes from one place"
        yield Problem(document.place(place), what, f"name one of {', '.join(SOURCES)}")
    elif "timeout" in value and named and named != ["command"]:
        what = "`timeout` is for a password that a `command` prints"
        yield Problem(document.place((*place, "timeout"), key=True), what, "remove it")


def _targets(document: Document, path: Path, mapping: Mapping[str, Any]) -> Iterator[Problem]:
    seen = set()
    for index, item in enumerate(_list(mapping.get("targets"))):
        name = item if isinstance(item, str) else _mapping(item).get("target")
        folder = _mapping(item).get("path")
        if not isinstance(name, str) or not isinstance(folder, str | None):
            continue
        if (name, folder) in seen:
            what = f"the target {quoted(name)} is named twice"
            yield Problem(document.place((*path, "targets", index)), what, "keep one, or give each a `path`")
        seen.add((name, folder))


def _reloads(document: Document, path: Path, mapping: Mapping[str, Any]) -> Iterator[Problem]:
    for index, item in enumerate(_list(mapping.get("targets"))):
        given = _mapping(_mapping(item).get("reload"))
        place = (*path, "targets", index, "reload")
        for name, least in _RELOAD_LEAST.items():
            length = _time(given.get(name))
            if length is not None and length < seconds(least):
                yield Problem(document.place((*place, name)), f"`{name}` is too short", f"write {least} or more")
        first, longest = (_time(given.get(name, _RELOAD[name]["default"])) for name in ("first_retry", "longest_retry"))
        if first is not None and longest is not None and first > longest:
            at = next(name for name in ("longest_retry", "first_retry") if name in given)
            what = "`first_retry` is longer than `longest_retry`"
            yield Problem(document.place((*place, at)), what, "raise `longest_retry`")


def _websocket(document: Document, path: Path, account: Mapping[str, Any]) -> Iterator[Problem]:
    url, transport = account.get("websocket_url"), account.get("transport")
    if isinstance(url, str) and transport in (Transport.WS, Transport.WSS) and not url.startswith(f"{transport}:"):
        what = f"`websocket_url` is not for `transport: {transport}`"
        yield Problem(document.place((*path, "websocket_url")), what, f"begin it with {transport}://, or change one")


def _agents(value: object) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The shared defaults and every agent, with its path."""
    mapping = _mapping(value)
    yield ("defaults",), _mapping(mapping.get("defaults"))
    for index, agent in enumerate(_list(mapping.get("agents"))):
        yield ("agents", index), _mapping(agent)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
