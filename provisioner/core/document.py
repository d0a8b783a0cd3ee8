"""YAML text as people mean it: values that remember their file, line and column.

Only ``true``/``false``, ``null``, JSON-like numbers, text, lists and mappings exist. ``0123`` and ``off`` stay text, a
doubled key is a mistake, and an alias may repeat a value but not explode.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import yaml

from provisioner.core.problem import Place, Problem

DEEPEST = 40

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_PLAIN_TAGS = {
    f"tag:yaml.org,2002:{name}"
    for name in ["str", "int", "float", "bool", "null", "timestamp", "value", "merge", "map", "seq"]
}
_KEY = re.compile(r"""(?:^|[\s,{\-?])(["']?)([\w.\-]+)\1\s*:(?=\s|$)""")
_SECRET_KEY = re.compile(r"pas+w|pass|secret|token|ha1|kennwort|contrase|senha|clave|pwd", re.IGNORECASE)
_USERINFO = re.compile(r"//[^/@\s]*@")

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """One YAML file that was read.

    ``value`` holds plain dicts, lists and scalars, ``problems`` what is wrong with the text itself. ``private`` says
    that nobody but its owner may read the file.
    """

    name: str
    text: str = field(repr=False)
    private: bool = True
    root: yaml.Node | None = field(default=None, repr=False)
    value: object = field(default=None, repr=False)
    problems: tuple[Problem, ...] = ()

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.split("\n")

    def place(self, path: Iterable[str | int] = (), *, key: bool = False) -> Place:
        """Where the value at ``path`` stands, or with ``key`` its key; as much of the path as exists is followed."""
        node = self.root
        mark = node.start_mark if node else None
        for step in path:
            found = _step(node, step)
            if found is None:
                break
            mark = (found[0] if key else found[1]).start_mark
            node = found[1]
        return self._at(mark.line, mark.column) if mark else Place(self.name, 1, 1)

    def _at(self, line: int, column: int) -> Place:
        return Place(self.name, line + 1, column + 1, shown(self._lines, line))


def read_document(name: str, text: str, schema: Mapping[str, object], *, private: bool = True) -> Document:
    """Read YAML ``text`` of the file ``name``; ``schema`` says where text is meant, so that ``1997`` may be a name.

    Never raises for bad text: the mistakes are in ``problems``, and ``value`` is None when nothing could be read.
    """
    blank = Document(name, text, private)
    try:
        with _no_garbage_collection():
            root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = blank._at(mark.line, mark.column) if mark else Place(name, 1, 1)
        return Document(name, text, private, problems=(Problem(place, _syntax(error), "mend the YAML"),))
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        return Document(
            name, text, private, problems=(Problem(Place(name, 1, 1), _unreadable(error), "save as UTF-8"),)
        )
    if root is None:
        return Document(name, text, private)
    with _no_garbage_collection():
        reader = _Reader(blank, schema)
        value = reader.read(root, schema, 0)
    return Document(name, text, private, root, value, tuple(reader.problems))


class _Reader:
    """Turns nodes into plain values and collects what is wrong on the way."""

    def __init__(self, document: Document, schema: Mapping[str, object]) -> None:
        self.problems: list[Problem] = []
        self._document = document
        self._definitions = schema.get("definitions", {})
        # Every value takes a byte of text, so only aliases that multiply can pass this bound.
        self._left = max(10_000, len(document.text))

    def read(self, node: yaml.Node, schema: object, depth: int) -> object:
        """The plain value of ``node``, read as ``schema`` means it."""
        self._left -= 1
        if self._left < 0 or depth > DEEPEST:
            if self._left >= -1 or depth > DEEPEST:
                self._left = -2
                self._wrong(node, "the aliases (*name) or the nesting here go on without end", "write the values out")
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
                self._wrong(key_node, "a key must be a single word", "write `key: value`")
                continue
            key = key_node.value
            if key == "<<" and not key_node.style:
                self._wrong(key_node, "merge keys (<<) are not read", "write what agents share under `defaults:`")
            elif key in result:
                what = f"`{key}` stands here twice, first in line {first_line[key]}"
                self._wrong(key_node, what, "keep one of the two")
            else:
                first_line[key] = key_node.start_mark.line + 1
                result[key] = self.read(value_node, properties.get(key, others), depth + 1)
        return result

    def _scalar(self, node: yaml.ScalarNode, schema: Mapping[str, object]) -> object:
        if node.tag not in _PLAIN_TAGS:
            self._wrong(node, "YAML tags (!name) are not read", "write the plain value")
            return None
        text: str = node.value
        if node.style or node.tag == "tag:yaml.org,2002:str":
            return text
        types = _types(schema)
        if text in _WORDS and not ("string" in types and text in ("true", "false")):
            return _WORDS[text]
        if "string" in types:
            return text
        if _INTEGER.fullmatch(text):
            return int(text)
        return float(text) if _NUMBER.fullmatch(text) else text

    def _resolve(self, schema: object, kind: str) -> Mapping[str, object]:
        """The branch of ``schema`` that speaks of this kind of node."""
        if not isinstance(schema, Mapping):
            return {}
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return self._resolve(_part(self._definitions, reference.rpartition("/")[2]), kind)
        for branch in _list(schema.get("oneOf")):
            resolved = self._resolve(branch, kind)
            if kind in _types(resolved):
                return resolved
        return schema

    def _wrong(self, node: yaml.Node, what: str, fix: str) -> None:
        mark = node.start_mark
        self.problems.append(Problem(self._document._at(mark.line, mark.column), what, fix))


def shown(lines: Sequence[str], index: int) -> str:
    """Line ``index`` (from 0) of a settings file as it may be printed: what may be a secret is starred out, unseen
    lines that may continue one are not shown at all."""
    if not 0 <= index < len(lines):
        return ""
    line = lines[index].rstrip("\r")
    keys = list(_KEY.finditer(line))
    if not keys and any(_SECRET_KEY.search(above) for above in _lines_that_this_continues(lines, index)):
        return ""
    for match in keys:
        if _SECRET_KEY.search(match.group(2)):
            return f"{line[: match.end()]} ********" if line[match.end() :].strip() else line
    if _SECRET_KEY.search(line) and ":" in line:
        return line[: line.index(":") + 1] + " ********"
    return _USERINFO.sub("//********@", line)


def _lines_that_this_continues(lines: Sequence[str], index: int) -> Iterator[str]:
    for above in range(index - 1, max(-1, index - 200), -1):
        yield lines[above]
        if _KEY.search(lines[above]) and not lines[above].lstrip().startswith("#"):
            return


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


def _syntax(error: yaml.MarkedYAMLError) -> str:
    # PyYAML quotes anchors, aliases and tags in its messages; behind `password:` those are the password.
    text = re.sub(r"(alias|anchor|tag handle|tag|directive)( name)? '[^']*'|b'[^']*'", r"\1", error.problem or "")
    return f"this is not YAML: {text or 'it cannot be read'}"


def _unreadable(error: Exception) -> str:
    return "this is nested too deep" if isinstance(error, RecursionError) else "there are bytes that are not text here"


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """A tree of a hundred thousand nodes has no cycles; looking for them takes two thirds of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
