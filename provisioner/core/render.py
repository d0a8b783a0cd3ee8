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

from provisioner.core import escape
from provisioner.core.fit import Fit
from provisioner.core.formats import FORMATS, Leaves, UnreadableError
from provisioner.core.plan import DesiredFile
from provisioner.core.problem import Problem, ProvisionerError
from provisioner.core.secret import Secret
from provisioner.core.target import FileSpec, Target
from provisioner.core.template import FLATTER, fill, told, wrong

_MARK = "xQ"
_TOKEN = re.compile(f"Q[0-9]{{3}}{_MARK}")
_UNUSUAL = "remove unusual characters from the names of this agent"
_COMPARED = f"{_UNUSUAL}; a template of your own may write values, and not compare them or take them apart"
# The phone's own words and closed lists, which templates compare; all else is free text that they only write.
WORDS = frozenset({"transport", "dtmf", "media_encryption", "codecs", "codecs_off", "turn.transport", "language"})


@dataclass(frozen=True, slots=True)
class Rendered:
    """A file, its leaves as the phone will read them, and the names of those leaves that hold a secret."""

    file: DesiredFile
    leaves: Leaves = field(repr=False)
    secret_leaves: frozenset[str] = frozenset()


def render(target: Target, fit: Fit) -> tuple[Rendered, ...]:
    """All files of one target, with paths relative to the target's folder.

    Raises ProvisionerError with what is wrong of each file: a template that is wrong, a value that a file cannot hold,
    a file that the phone would not read as it was meant.
    """
    originals: dict[str, str | Secret] = {}
    words = WORDS | {f"options.{name}" for name, option in target.options.items() if option.values}
    filling = _Filling(fit.names, json.dumps(_stand_ins(fit.names, originals, words)), originals)
    made: list[Rendered] = []
    problems: list[Problem] = []
    for spec in target.files:
        try:
            made.append(_render_file(f"{target.name}/{spec.template}", spec, filling))
        except ProvisionerError as error:
            problems += error.problems
    if problems:
        raise ProvisionerError(dict.fromkeys(problems))
    return tuple(made)


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
    text = fill(where, spec, filling.names)
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


@lru_cache(maxsize=512)
def _shape(where: str, spec: FileSpec, stand_ins: str) -> _Shape:
    leaves = _read(where, spec, fill(where, spec, json.loads(stand_ins)), "mend the template")
    filled = tuple(number for number, (name, value) in enumerate(leaves) if _MARK in name or _MARK in value)
    _check_code(where, [leaves[number] for number in filled], FORMATS[spec.format].code)
    return _Shape(leaves, filled)


def _check_code(where: str, filled: Leaves, code: str) -> None:
    for text in (value for name, value in filled if name == code):
        before = _TOKEN.split(text)[0].rpartition("\n")[2].strip()[-40:]
        what = f"a value stands in the code of the script, behind `{before}`"
        raise wrong(where, what, "write `window.name = {{ … }};` in a line of its own, and `window.name` in the code")


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
    except UnreadableError as error:
        found = (f"in {problem.where} of what it makes, {problem.what}" for problem in error.problems)
        raise ProvisionerError(told(where, what, fix) for what in found) from None
    except RecursionError:
        raise wrong(where, *FLATTER) from None


def _compare(where: str, leaves: Leaves, shape: _Shape, originals: Mapping[str, str]) -> None:
    meant = list(shape.leaves)
    if len(leaves) != len(meant):
        raise wrong(where, "a value would add or remove a line or an element of the file", _COMPARED)
    for number in shape.filled:
        name, value = meant[number]
        meant[number] = _filled_in(name, originals), _filled_in(value, originals)
    if leaves != meant:
        name = next(shape.leaves[number][0] for number, leaf in enumerate(leaves) if leaf != meant[number])
        raise wrong(where, f"the phone would not read `{name}` as it was meant", _COMPARED)


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
            raise wrong(where, what, "shorten the display name or the codec list", number)
