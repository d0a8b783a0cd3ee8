"""YAML text as people mean it: values that remember their file, line and column.

Only ``true``/``false``, ``null``, JSON-like numbers, text, lists and mappings exist. ``0123`` and ``off`` stay text, a
doubled key is a mistake, and an alias may repeat a value but not explode.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import yaml

from provisioner.core.excerpt import lines_of, quoted, shown
from provisioner.core.problem import Place, Problem
from provisioner.core.syntax import TEMPLATE, explained, unprintable

DEEPEST = 40
_BOTTOM = 1000  # as libyaml has it since 0.2.6

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?")
_PLAIN, _TEXT = "tag:yaml.org,2002:value", "tag:yaml.org,2002:str"
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_PLAIN_TAGS = {
    f"tag:yaml.org,2002:{name}"
    for name in ["str", "int", "float", "bool", "null", "timestamp", "value", "merge", "map", "seq"]
}
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """One YAML file that was read.

    ``value`` holds plain dicts, lists and scalars, ``problems`` what is wrong with the text itself. ``private`` says
    that nobody but the service may read the file.
    """

    name: str
    text: str = field(repr=False)
    private: bool = True
    root: yaml.Node | None = field(default=None, repr=False)
    value: object = field(default=None, repr=False)
    problems: tuple[Problem, ...] = ()

    @cached_property
    def _lines(self) -> list[str]:
        return lines_of(self.text)

    def place(self, path: Iterable[str | int] = (), *, key: bool = False) -> Place:
        """Where the value at ``path`` stands, or with ``key`` its key; as much of the path as exists is followed."""
        return self.with_source(self.position(path, key=key))

    def position(self, path: Iterable[str | int] = (), *, key: bool = False) -> Place:
        """The same without the text of the line, which costs a hundred times as much."""
        node = self.root
        mark = node.start_mark if node else None
        for step in path:
            found = _step(node, step)
            if found is None:
                break
            # A value that is not there has its mark elsewhere; its key says better where it is missing.
            mark = (found[0] if key or _is_absent(found[1]) else found[1]).start_mark
            node = found[1]
        return Place(self.name, mark.line + 1, mark.column + 1) if mark else Place(self.name, 1, 1)

    def with_source(self, place: Place) -> Place:
        """``place``, which is in this document, with the text of its line as far as it may be shown."""
        return replace(place, source=shown(self._lines, place.line - 1))

    def at(self, line: int, column: int) -> Place:
        """The place in this line and column, both counted from 0."""
        return self.with_source(Place(self.name, line + 1, column + 1))


def read_document(name: str, text: str, schema: Mapping[str, object], *, private: bool = True) -> Document:
    """Read YAML ``text`` of the file ``name``; ``schema`` says where text is meant, so that ``1997`` may be a name.

    Never raises for bad text: the mistakes are in ``problems``, and ``value`` is None when nothing could be read.
    """
    blank = Document(name, text, private)
    odd = unprintable(text)
    if odd:
        line, column, character = odd
        return replace(
            blank, problems=(Problem(blank.at(line, column), f"{character} cannot stand here", "remove it"),)
        )
    with without_garbage_collection():
        try:
            root = yaml.compose(text, Loader=_Loader)
        except (yaml.YAMLError, RecursionError) as error:
            return replace(blank, problems=(_not_yaml(blank, error),))
        if root is None:
            return blank
        reader = _Reader(blank, schema)
        value = reader.read(root, schema, 0)
    return Document(name, text, private, root, value, tuple(reader.problems))


def _not_yaml(document: Document, error: Exception) -> Problem:
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem(document.at(0, 0), "this is nested without end", "write it flatter")
    line, column, what, fix = explained(error, document._lines)
    return Problem(document.at(line, column), what, fix)


class _Loader(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc]
    """Composes nodes and leaves their meaning to the schema. PyYAML's own guessing of types takes a third of the
    time."""

    _depth = 0

    def resolve(self, kind: type[yaml.Node], value: object, implicit: Any) -> str:
        """The tag of a node that has none: only what was written without quotes may be more than text."""
        return _PLAIN if kind is yaml.ScalarNode and implicit[0] else _TEXT

    def descend_resolver(self, current_node: object, current_index: object) -> None:
        """Go one level down. libyaml before 0.2.6 goes on until the stack of the process ends, and the process."""
        self._depth += 1
        if self._depth > _BOTTOM:
            raise RecursionError

    def ascend_resolver(self) -> None:
        """Come one level up again."""
        self._depth -= 1


class _Reader:
    """Turns nodes into plain values and collects what is wrong on the way."""

    def __init__(self, document: Document, schema: Mapping[str, object]) -> None:
        self.problems: list[Problem] = []
        self._document = document
        self._definitions = schema.get("definitions", {})
        self._resolved: dict[tuple[int, str], Mapping[str, Any]] = {}
        # Every value takes a byte of text, so only aliases that multiply can pass this bound.
        self._left = max(10_000, len(document.text))
        self._is_endless = False

    def read(self, node: yaml.Node, schema: object, depth: int) -> object:
        """The plain value of ``node``, read as ``schema`` means it."""
        self._left -= 1
        if self._is_endless or self._left < 0 or depth > DEEPEST:
            self._give_up_at(node)
            return None
        match node:
            case yaml.MappingNode():
                return self._mapping(node, self._resolve(schema, "object"), depth)
            case yaml.SequenceNode():
                items = _part(self._resolve(schema, "array"), "items")
                return [self.read(child, items, depth + 1) for child in node.value]
            case yaml.ScalarNode():
                return self._scalar(node, self._resolve(schema, "string"))
        raise AssertionError(node)

    def _mapping(self, node: yaml.MappingNode, schema: Mapping[str, object], depth: int) -> dict[str, object]:
        properties = _part(schema, "properties")
        others = _part(schema, "additionalProperties")
        result: dict[str, object] = {}
        first_line: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._no_key(node, key_node)
                continue
            key = key_node.value
            if key == "<<" and not key_node.style:
                self._wrong(key_node, "merge keys (<<) are not read", "write what agents share under `defaults:`")
            elif key in result:
                what = f"{quoted(key)} stands here twice, first in line {first_line[key]}"
                self._wrong(key_node, what, "keep one of the two")
            else:
                first_line[key] = key_node.start_mark.line + 1
                result[key] = self.read(value_node, properties.get(key, others), depth + 1)
        return result

    def _no_key(self, node: yaml.MappingNode, key: yaml.Node) -> None:
        outer, inner = node.start_mark, key.start_mark
        if isinstance(key, yaml.MappingNode) and (outer.line, outer.column + 1) == (inner.line, inner.column):
            self._wrong(node, *TEMPLATE)
        else:
            self._wrong(key, "a key must be a single word", "write `key: value`")

    def _scalar(self, node: yaml.ScalarNode, schema: Mapping[str, object]) -> object:
        if node.tag not in _PLAIN_TAGS:
            self._wrong(node, "YAML tags (!name) are not read", "write the plain value")
            return None
        text: str = node.value
        if node.tag == _TEXT:
            return text
        types = _types(schema)
        if text in _WORDS and not ("string" in types and text in ("true", "false")):
            return _WORDS[text]
        if "string" in types and not ("integer" in types and _INTEGER.fullmatch(text)):
            return text
        if _INTEGER.fullmatch(text):
            return int(text)
        if not _NUMBER.fullmatch(text):
            return text
        # A whole number is one however it is written, for JSON schema too.
        number = float(text)
        return int(number) if "integer" in types and number.is_integer() else number

    def _resolve(self, schema: object, kind: str) -> Mapping[str, Any]:
        """The branch of ``schema`` that speaks of this kind of node."""
        known = self._resolved.get((id(schema), kind))
        if known is None:
            known = self._resolved[id(schema), kind] = self._search(schema, kind)
        return known

    def _search(self, schema: object, kind: str) -> Mapping[str, Any]:
        if not isinstance(schema, Mapping):
            return {}
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return self._search(_part(self._definitions, reference.rpartition("/")[2]), kind)
        for branch in _list(schema.get("oneOf")):
            resolved = self._search(branch, kind)
            if kind in _types(resolved):
                return resolved
        return schema

    def _give_up_at(self, node: yaml.Node) -> None:
        """Read nothing more, and say so once."""
        if not self._is_endless:
            self._wrong(node, "the aliases (*name) or the nesting here go on without end", "write the values out")
        self._is_endless = True

    def _wrong(self, node: yaml.Node, what: str, fix: str) -> None:
        mark = node.start_mark
        self.problems.append(Problem(self._document.at(mark.line, mark.column), what, fix))


def _is_absent(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _PLAIN and not node.value


def _step(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    match node:
        case yaml.MappingNode():
            for key, value in node.value:
                if key.value == step:
                    return key, value
        case yaml.SequenceNode() if isinstance(step, int) and step < len(node.value):
            return node.value[step], node.value[step]
    return None


def _part(schema: object, name: str) -> Mapping[str, object]:
    part = schema.get(name) if isinstance(schema, Mapping) else None
    return part if isinstance(part, Mapping) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _types(schema: Mapping[str, object]) -> Sequence[str]:
    kind = schema.get("type", ())
    return (kind,) if isinstance(kind, str) else tuple(map(str, _list(kind)))


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """A tree of a hundred thousand nodes has no cycles; looking for them takes two thirds of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
