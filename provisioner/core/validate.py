"""Does a document fit the schema? If not: every mistake, at its place, in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import fastjsonschema

from provisioner.core.document import Document
from provisioner.core.problem import Problem
from provisioner.core.schema_words import DURATION, HOST, Schema

_KINDS = {"string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false",
          "array": "a list", "object": "a mapping (`key: value` lines)", "null": "nothing"}  # fmt: skip
_PATTERNS = {
    DURATION: ("is not a length of time", "write a number with its unit: 200ms, 10s, 5m, 1h"),
    HOST: ("is not a host name or address", "write the name alone, without scheme, port or path"),
    HOST[:-1] + r"(:[0-9]{1,5})?$": ("is not `host` or `host:port`", "write the name, without scheme or path"),
    r"^https?://[^/?#@\s]+/?$": ("is not the address of an instance", "write https://NAME, no path, user or password"),
    "^/": ("is not an absolute path", "begin it with `/`"),
    r"^(~/|/)": ("is not an absolute path", "begin it with `/` or `~/`"),
}  # fmt: skip


class Checker:
    """Holds documents against one schema; costs nothing before its first use."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def mistakes(self, document: Document) -> tuple[Problem, ...]:
        """All that is wrong with ``document``: first its YAML, then, if that can be read, what the schema says."""
        if document.value is None:
            return document.problems
        if document.problems or not self._fits(document.value):
            return document.problems + tuple(_violations(document, self._schema))
        return ()

    def _fits(self, value: object) -> bool:
        # jsonschema finds every mistake but takes half a millisecond an agent; this needs a tenth to say there is none.
        try:
            self._compiled(value)
        except fastjsonschema.JsonSchemaValueException:
            return False
        return True

    @cached_property
    def _compiled(self) -> Callable[[object], object]:
        compiled: Callable[[object], object] = fastjsonschema.compile(
            self._schema, use_default=False, detailed_exceptions=False
        )
        return compiled


def _violations(document: Document, schema: Schema) -> Iterator[Problem]:
    # Imported when there is something to explain: a correct configuration never pays for it.
    import jsonschema

    errors = jsonschema.Draft7Validator(schema).iter_errors(document.value)
    found = [problem for error in errors for problem in _explain(document, error)]
    known = {(problem.where.line, problem.where.column) for problem in document.problems}
    # A value that could not be read at all was reported by the reader; its emptiness is not a second mistake.
    yield from sorted(
        (problem for problem in found if (problem.where.line, problem.where.column) not in known),
        key=lambda problem: (problem.where.line, problem.where.column),
    )


def _explain(document: Document, error: Any) -> Iterable[Problem]:
    path = tuple(error.absolute_path)
    place = document.place(path)
    match error.validator:
        case "additionalProperties":
            return _unknown_keys(document, error, path)
        case "required":
            missing = [name for name in error.validator_value if name not in error.instance]
            return [Problem(place, f"`{name}` is missing here", f"add `{name}:`") for name in missing[:1]]
        case "oneOf":
            branches = [inner for inner in error.context if inner.validator != "type" or len(inner.path)]
            if branches:
                return [problem for inner in branches for problem in _explain(document, inner)]
            return [Problem(place, f"{_named(path)} must be {_kinds(error.validator_value)}", "")]
        case "type":
            return [_wrong_type(document, error, path)]
        case "enum":
            return [_not_one_of(document, error, path)]
        case "pattern":
            what, fix = _PATTERNS.get(
                error.validator_value, ("has characters that cannot stand here", "see `provisioner schema`")
            )
            return [Problem(place, f"{_named(path)} {what}", fix)]
        case "minimum" | "maximum":
            low, high = error.schema.get("minimum"), error.schema.get("maximum")
            return [Problem(place, f"{_named(path)} is out of range", f"write a number from {low} to {high}")]
        case "minLength" | "minItems" | "minProperties":
            return [Problem(place, f"{_named(path)} is empty", "give a value, or leave the key out")]
    return [Problem(place, f"{_named(path)} does not fit ({error.validator})", "see `provisioner schema`")]


def _unknown_keys(document: Document, error: Any, path: tuple[str | int, ...]) -> Iterator[Problem]:
    known = list(error.schema.get("properties", {}))
    for name in error.instance:
        if name in known:
            continue
        place = document.place((*path, name), key=True)
        # What stands behind a misspelt `password` must not be shown.
        before, key = place.source[: place.column - 1], re.match("[^:]*:", place.source[place.column - 1 :])
        place = replace(place, source=before + key.group() if key else "")
        close = get_close_matches(str(name), known, 1, 0.6)
        fix = f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(known)}"
        yield Problem(place, f"`{name}` is not a setting{_inside(path)}", fix)


def _wrong_type(document: Document, error: Any, path: tuple[str | int, ...]) -> Problem:
    wanted = error.validator_value
    place = document.place(path)
    if error.instance is None:
        return Problem(
            place, f"{_named(path)} has no value", f"give {_kinds([{'type': wanted}])}, or leave the key out"
        )
    fix = f"write {_kinds([{'type': wanted}])}"
    if wanted == "boolean" and isinstance(error.instance, str):
        meant = error.instance.lower()
        guess = "true" if meant in ("yes", "on", "y") else "false" if meant in ("no", "off", "n") else "true or false"
        fix = f"write {guess}"
    return Problem(place, f"{_named(path)} must be {_kinds([{'type': wanted}])}", fix)


def _not_one_of(document: Document, error: Any, path: tuple[str | int, ...]) -> Problem:
    values = [str(value) for value in error.validator_value]
    close = get_close_matches(str(error.instance), values, 1, 0.5)
    fix = f"did you mean `{close[0]}`?" if close else f"one of: {', '.join(values)}"
    return Problem(document.place(path), f"{_named(path)} cannot be `{str(error.instance)[:40]}`", fix)


def _kinds(branches: Iterable[Schema]) -> str:
    names: list[str] = []
    for branch in branches:
        kinds = branch.get("type", "object")
        names += [kinds] if isinstance(kinds, str) else kinds
    if "string" in names:
        names = [name for name in names if name != "number"]
    return " or ".join(dict.fromkeys(_KINDS[name] for name in names))


def _named(path: tuple[str | int, ...]) -> str:
    names = [step for step in path if isinstance(step, str)]
    if not names:
        return "this file"
    inside = path and isinstance(path[-1], int)
    return f"an item of `{names[-1]}`" if inside else f"`{names[-1]}`"


def _inside(path: tuple[str | int, ...]) -> str:
    names = [step for step in path if isinstance(step, str)]
    return f" of `{names[-1]}`" if names else ""
