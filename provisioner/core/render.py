"""Names × templates → files, read back before anybody sees them.

Every file is rendered twice: with the values, and with a harmless stand-in for each free text. Both are read as the
phone reads them, and must differ exactly by the values. So a value can neither add, end or change anything else, nor be
cut, folded or escaped twice, whatever the template does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from provisioner.core import escape, turns
from provisioner.core.fit import Fit
from provisioner.core.formats import FORMATS, Leaves, Unreadable
from provisioner.core.plan import DesiredFile
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.secret import Secret
from provisioner.core.spelling import did_you_mean
from provisioner.core.target import VALUES, FileSpec, Target

_MARK = "xQ"
_TOKEN = re.compile(f"Q[0-9]{{3}}{_MARK}")
# A value inside these would be escaped twice, or would come from somewhere else.
_REFUSED = {
    nodes.Macro: "macro", nodes.CallBlock: "call", nodes.FilterBlock: "filter", nodes.AssignBlock: "set … endset",
    nodes.Include: "include", nodes.Import: "import", nodes.FromImport: "import", nodes.Extends: "extends",
    nodes.Block: "block", nodes.EvalContextModifier: "autoescape", nodes.Call: "a function", nodes.Pow: "**",
}  # fmt: skip
# What may be done to a value in a template. Nothing that escapes (that is the target's business), marks as safe, or
# changes letters: a value is written whole.
_FILTERS = ("first", "join", "last", "length", "list", "reverse", "sort")
_TESTS = ("defined", "undefined", "mapping", "string", "number")
# No phone's file is nearly as long, and a courier takes several of them in one message.
_LONGEST = 1024 * 1024  # characters
_FLATTER = "this is nested without end", "write it flatter"
_UNUSUAL = "remove unusual characters from the names of this agent"
# The phone's own words and closed lists, which templates compare; all else is free text that they only write.
WORDS = frozenset({"transport", "dtmf", "media_encryption", "codecs", "codecs_off", "turn.transport"})


@dataclass(frozen=True, slots=True)
class Rendered:
    """A file, its leaves as the phone will read them, and the names of those leaves that hold a secret."""

    file: DesiredFile
    leaves: Leaves = field(repr=False)
    secret_leaves: frozenset[str] = frozenset()


def render(target: Target, fit: Fit) -> tuple[Rendered, ...]:
    """All files of one target, with paths relative to the target's folder.

    Raises ProvisionerError: a template that is wrong, a value that a file cannot hold, a file that the phone would not
    read as it was meant.
    """
    originals: dict[str, str | Secret] = {}
    words = WORDS | {f"options.{name}" for name, option in target.options.items() if option.values}
    filling = _Filling(fit.names, json.dumps(_stand_ins(fit.names, originals, words)), originals)
    return tuple(_render_file(f"{target.name}/{spec.template}", spec, filling) for spec in target.files)


def check_templates(target: Target) -> tuple[Problem, ...]:
    """What is wrong with the templates themselves, before there is any account."""
    problems: list[Problem] = []
    for spec in target.files:
        try:
            _template(f"{target.name}/{spec.template}", spec)
        except ProvisionerError as error:
            problems += error.problems
    return tuple(dict.fromkeys(problems))


@dataclass(frozen=True, slots=True)
class _Filling:
    """The names; the same as JSON with a token for each free text; token → text."""

    names: Mapping[str, Any]
    stand_ins: str
    originals: Mapping[str, str | Secret]


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the file reads like with the stand-ins, and which of its leaves (by number) hold any."""

    leaves: Leaves
    filled: tuple[int, ...]


def _render_file(where: str, spec: FileSpec, filling: _Filling) -> Rendered:
    text = _fill(where, spec, filling.names)
    originals = filling.originals
    shape = _shape(where, spec, filling.stand_ins)
    leaves = _read(where, spec, text, _UNUSUAL)
    _compare(where, leaves, shape, _written(spec, originals))
    _check_lines(where, spec, text)
    file = DesiredFile(_path(spec.name), text.encode(), spec.mode, spec.once)
    return Rendered(file, leaves, _hidden(shape, originals))


def _hidden(shape: _Shape, originals: Mapping[str, str | Secret]) -> frozenset[str]:
    """The names of the leaves that hold a secret."""
    secrets = [token for token, value in originals.items() if isinstance(value, Secret)]
    filled = [shape.leaves[number] for number in shape.filled]
    return frozenset(name for token in secrets for name, value in filled if token in value)


_path = lru_cache(maxsize=256)(PurePosixPath)


@lru_cache(maxsize=256)
def _template(where: str, spec: FileSpec) -> Template:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        finalize=_escape(spec),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.globals.clear()
    try:
        tree = environment.parse(spec.source)
        problems = tuple(_mistakes(where, tree))
        if problems:
            raise ProvisionerError(problems)
        return environment.from_string(turns.bound(tree, environment))
    except TemplateSyntaxError as error:
        raise _wrong(where, f"this is not a Jinja template: {error.message}", "mend it", error.lineno) from None
    except (RecursionError, SyntaxError, MemoryError):  # Jinja's limits, and those of Python, which it is compiled to
        raise _wrong(where, *_FLATTER) from None
    except ProvisionerError as error:
        # A constant of the template is escaped when it is compiled.
        raise _renamed(where, error) from None


def _mistakes(where: str, tree: nodes.Template) -> Iterator[Problem]:
    """What a template may not hold, and names that there are not, each at its line."""
    for node in tree.find_all(tuple(_REFUSED)):
        word = next(word for kind, word in _REFUSED.items() if isinstance(node, kind))
        yield _problem(where, f"`{word}` cannot stand in a template", "use names, `if` and `for`", node.lineno)
    for filtered in tree.find_all(nodes.Filter):
        if filtered.name not in _FILTERS:
            fix = f"values are written whole and escaped by the target; there are: {', '.join(_FILTERS)}"
            yield _problem(where, f"the filter `{filtered.name}` cannot stand in a template", fix, filtered.lineno)
    for test in tree.find_all(nodes.Test):
        if test.name not in _TESTS:
            yield _problem(where, f"there is no test `{test.name}`", f"there are: {', '.join(_TESTS)}", test.lineno)
    unknown = meta.find_undeclared_variables(tree) - set(VALUES)
    for name in tree.find_all(nodes.Name):
        if name.name in unknown and name.ctx == "load":
            fix = did_you_mean(name.name, VALUES) or f"there are: {', '.join(VALUES)}"
            yield _problem(where, f"there is no value `{name.name}`", fix, name.lineno)


def _fill(where: str, spec: FileSpec, names: Mapping[str, Any]) -> str:
    template = _template(where, spec)
    try:
        return "".join(_within(where, template.generate({**names, **turns.allowance()})))
    except ProvisionerError as error:
        raise _renamed(where, error) from None
    except TemplateError as error:
        raise _wrong(where, f"the template cannot be filled: {error.message}", "see the names in the README") from None
    except Exception as error:  # a template is somebody's program: whatever it raises is its own mistake
        raise _wrong(where, f"the template fails with {type(error).__name__}", "mend it") from None


def _within(where: str, pieces: Iterable[str]) -> Iterator[str]:
    """The pieces of a file, which may go on for long."""
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > _LONGEST:
            raise _wrong(where, f"the file grows beyond {_LONGEST} characters", "look at its `for`")
        yield piece


def _escape(spec: FileSpec) -> escape.Escape:
    if spec.characters or spec.refuse:
        return escape.mapped(dict(spec.characters), spec.refuse)
    return FORMATS[spec.format].escape


@lru_cache(maxsize=512)
def _shape(where: str, spec: FileSpec, stand_ins: str) -> _Shape:
    leaves = _read(where, spec, _fill(where, spec, json.loads(stand_ins)), "mend the template")
    filled = tuple(number for number, (name, value) in enumerate(leaves) if _MARK in name or _MARK in value)
    _check_code(where, [leaves[number] for number in filled], FORMATS[spec.format].code)
    return _Shape(leaves, filled)


def _check_code(where: str, filled: Leaves, code: str) -> None:
    for text in (value for name, value in filled if name == code):
        before = _TOKEN.split(text)[0].rpartition("\n")[2].strip()[-40:]
        what = f"a value stands in the code of the script, behind `{before}`"
        raise _wrong(where, what, "write `window.name = {{ … }};` in a line of its own, and `window.name` in the code")


def _stand_ins(value: Any, originals: dict[str, str | Secret], words: frozenset[str], name: str = "") -> Any:
    """``value`` with a token for each free text (all but ``words``); ``originals`` gets token → text."""
    if name in words:
        return value
    match value:
        case Secret() | str():
            return _stand_in(value, originals)
        case int():
            return value
        case list() | tuple():
            return [_stand_ins(item, originals, words, name) for item in value]
        case Mapping():
            below = f"{name}." if name else ""
            return {key: _stand_ins(item, originals, words, f"{below}{key}") for key, item in value.items()}
    return value


def _stand_in(value: str | Secret, originals: dict[str, str | Secret]) -> str:
    if not value:
        return ""
    token = f"Q{len(originals):03d}{_MARK}"
    originals[token] = value
    return token


def _written(spec: FileSpec, originals: Mapping[str, str | Secret]) -> dict[str, str]:
    texts = {token: value.reveal() if isinstance(value, Secret) else value for token, value in originals.items()}
    if not spec.characters:
        return texts
    escaped = escape.mapped(dict(spec.characters))
    return {token: escaped(text) for token, text in texts.items()}


def _read(where: str, spec: FileSpec, text: str, fix: str) -> Leaves:
    """What the phone reads; ``fix`` is told where it would read nothing."""
    try:
        return FORMATS[spec.format].parse(text)
    except Unreadable as error:
        found = (f"in {problem.where} of what it makes, {problem.what}" for problem in error.problems)
        raise ProvisionerError(_problem(where, what, fix) for what in found) from None
    except RecursionError:
        raise _wrong(where, *_FLATTER) from None


def _compare(where: str, leaves: Leaves, shape: _Shape, originals: Mapping[str, str]) -> None:
    meant = list(shape.leaves)
    if len(leaves) != len(meant):
        raise _wrong(where, "a value would add or remove a line or an element of the file", _UNUSUAL)
    for number in shape.filled:
        name, value = meant[number]
        meant[number] = _filled_in(name, originals), _filled_in(value, originals)
    if leaves != meant:
        name = next(shape.leaves[number][0] for number, leaf in enumerate(leaves) if leaf != meant[number])
        raise _wrong(where, f"the phone would not read `{name}` as it was meant", _UNUSUAL)


def _filled_in(text: str, originals: Mapping[str, str]) -> str:
    if _MARK not in text:
        return text
    # Most leaves are one value and nothing else.
    return originals.get(text) or _TOKEN.sub(lambda found: originals.get(found[0], found[0]), text)


def _check_lines(where: str, spec: FileSpec, text: str) -> None:
    if not spec.longest_line:
        return
    for number, line in enumerate(text.encode().split(b"\n"), 1):
        if len(line) > spec.longest_line:
            what = f"a line of {len(line)} bytes; the phone silently cuts it after {spec.longest_line}"
            raise _wrong(where, what, "shorten the display name or the codec list", number)


def _renamed(where: str, error: ProvisionerError) -> ProvisionerError:
    """The same problems, said of this template."""
    return ProvisionerError(
        Problem(Place(where, problem.where.line, problem.where.column), problem.what, problem.fix)
        for problem in error.problems
    )


def _problem(where: str, what: str, fix: str, line: int = 0) -> Problem:
    return Problem(Place(where, line, 1 if line else 0), what, fix)


def _wrong(where: str, what: str, fix: str, line: int = 0) -> ProvisionerError:
    return ProvisionerError(_problem(where, what, fix, line))
