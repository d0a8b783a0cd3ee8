"""Names × templates → files, read back before anybody sees them.

Every file is rendered twice: with the values, and with a harmless stand-in for each free text. Both are read as the
phone reads them, and must differ exactly by the values. So a value can neither add, end or change anything else, nor be
cut, folded or escaped twice, whatever the template does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from provisioner.core import escape
from provisioner.core.fit import Fit
from provisioner.core.formats import FORMATS, Leaves
from provisioner.core.plan import DesiredFile
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.secret import Secret
from provisioner.core.target import FileSpec, Target

_TOKEN = re.compile("(Q[0-9]{3}xQ)")
# A value inside these would be escaped twice, or would come from somewhere else.
_REFUSED = {
    nodes.Macro: "macro", nodes.CallBlock: "call", nodes.FilterBlock: "filter", nodes.AssignBlock: "set … endset",
    nodes.Include: "include", nodes.Import: "import", nodes.FromImport: "import", nodes.Extends: "extends",
}  # fmt: skip
# The phone's own words, which templates compare; everything else is free text that they only write.
WORDS = frozenset({"transport", "dtmf", "media_encryption", "codecs", "options", "language"})


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
    return tuple(_render_file(f"{target.name}/{spec.template}", spec, fit.names) for spec in target.files)


def check_templates(target: Target) -> tuple[Problem, ...]:
    """What is wrong with the templates themselves, before there is any account."""
    problems: list[Problem] = []
    for spec in target.files:
        try:
            _template(f"{target.name}/{spec.template}", spec)
        except ProvisionerError as error:
            problems += error.problems
    return tuple(problems)


def _render_file(where: str, spec: FileSpec, names: Mapping[str, Any]) -> Rendered:
    text = _fill(where, spec, names)
    originals: dict[str, str | Secret] = {}
    stand_ins = _stand_ins(names, originals)
    shape = _shape(where, spec, json.dumps(stand_ins))
    leaves = _read(where, spec, text)
    _compare(where, leaves, shape, {token: _written(spec, value) for token, value in originals.items()})
    _check_lines(where, spec, text)
    secrets = [token for token, value in originals.items() if isinstance(value, Secret)]
    hidden = frozenset(name for name, value in shape if any(token in value for token in secrets))
    file = DesiredFile(PurePosixPath(spec.name), text.encode(), spec.mode, spec.once)
    return Rendered(file, leaves, hidden)


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
    try:
        for node in environment.parse(spec.source).find_all(tuple(_REFUSED)):
            what = f"`{_REFUSED[type(node)]}` cannot stand in a template"
            raise _wrong(where, what, "use names, `if` and `for`", node.lineno)
        return environment.from_string(spec.source)
    except TemplateSyntaxError as error:
        raise _wrong(where, f"this is not a Jinja template: {error.message}", "mend it", error.lineno) from None
    except ProvisionerError as error:
        # A constant of the template is escaped when it is compiled.
        raise _renamed(where, error) from None


def _fill(where: str, spec: FileSpec, names: Mapping[str, Any]) -> str:
    template = _template(where, spec)
    try:
        return template.render(names)
    except ProvisionerError as error:
        raise _renamed(where, error) from None
    except TemplateError as error:
        raise _wrong(where, f"the template cannot be filled: {error.message}", "see the names in the README") from None
    except Exception as error:  # a template is somebody's program: whatever it raises is its own mistake
        raise _wrong(where, f"the template fails with {type(error).__name__}", "mend it") from None


def _escape(spec: FileSpec) -> escape.Escape:
    if spec.characters or spec.refuse:
        return escape.mapped(dict(spec.characters), spec.refuse)
    return FORMATS[spec.format].escape


@lru_cache(maxsize=512)
def _shape(where: str, spec: FileSpec, stand_ins: str) -> Leaves:
    return _read(where, spec, _fill(where, spec, json.loads(stand_ins)))


def _stand_ins(value: Any, originals: dict[str, str | Secret], name: str = "") -> Any:
    """``value`` with each free text replaced by a token; ``originals`` gets token → text."""
    match value:
        case Mapping():
            return {key: _stand_ins(item, originals, name or key) for key, item in value.items()}
        case list() | tuple():
            return [_stand_ins(item, originals, name) for item in value]
        case Secret() | str() if value and name not in WORDS:
            token = f"Q{len(originals):03d}xQ"
            originals[token] = value
            return token
    return value


def _written(spec: FileSpec, value: str | Secret) -> str:
    text = value.reveal() if isinstance(value, Secret) else value
    return escape.mapped(dict(spec.characters))(text) if spec.characters else text


def _read(where: str, spec: FileSpec, text: str) -> Leaves:
    try:
        return FORMATS[spec.format].parse(text)
    except ProvisionerError as error:
        raise _renamed(where, error) from None


def _compare(where: str, leaves: Leaves, shape: Leaves, originals: Mapping[str, str]) -> None:
    fix = "remove unusual characters from the names of this agent"
    if len(leaves) != len(shape):
        raise _wrong(where, "a value would add or remove a line or an element of the file", fix)
    for (name, value), (name_shape, value_shape) in zip(leaves, shape, strict=True):
        if name != _filled_in(name_shape, originals) or value != _filled_in(value_shape, originals):
            raise _wrong(where, f"the phone would not read `{name_shape}` as it was meant", fix)


def _filled_in(text: str, originals: Mapping[str, str]) -> str:
    if "xQ" not in text:
        return text
    pieces = _TOKEN.split(text)
    return "".join(originals.get(piece, piece) for piece in pieces)


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


def _wrong(where: str, what: str, fix: str, line: int = 0) -> ProvisionerError:
    return ProvisionerError(Problem(Place(where, line, 1 if line else 0), what, fix))
