"""Does a document fit the schema? If not: every mistake, at its place, in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from provisioner.core.belongs import belongs
from provisioner.core.codec import NAMES
from provisioner.core.document import Document, Path
from provisioner.core.excerpt import quoted
from provisioner.core.pattern import misfit
from provisioner.core.problem import Place, Problem
from provisioner.core.schema_words import Schema
from provisioner.core.spelling import did_you_mean

_KINDS = {"string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false",
          "array": "a list", "object": "a mapping", "null": "nothing"}  # fmt: skip
_CURES = {"string": "write text", "number": "write a number", "integer": "write a whole number",
          "boolean": "write true or false", "object": "write `key: value` lines, one level further in",
          "array": "write a list: [one, two], or lines that begin with `- `"}  # fmt: skip
_MEANT = {"yes": "true", "on": "true", "y": "true", "true": "true",
          "no": "false", "off": "false", "n": "false", "false": "false"}  # fmt: skip


# Compiling a schema takes 0.1 s and 30 MB, for good. It is worth that when one reading has so many characters.
_WORTH_COMPILING = 100_000
# Likeness of two words from which on one is the other mistyped, even if it means something elsewhere.
_SURELY = 0.85
_NO_BLANK = "write a blank behind the colon"


class Checker:
    """Holds documents against one schema; costs nothing before its first use."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._checked = 0
        self._is_worth_compiling = False

    def begin(self) -> None:
        """Another reading begins: edits alone, however many there are, are never worth compiling the schema."""
        self._checked = 0

    def mistakes(self, document: Document) -> tuple[Problem, ...]:
        """All that is wrong with ``document``: first its YAML, then, if that can be read, what the schema says."""
        self._count(document)
        if document.value is None or (self._is_worth_compiling and self._fits(document.value)):
            return document.problems
        return document.problems + tuple(_violations(document, self._validator))

    def _count(self, document: Document) -> None:
        self._checked += len(document.text)
        self._is_worth_compiling = self._is_worth_compiling or self._checked > _WORTH_COMPILING

    def _fits(self, value: object) -> bool:
        # jsonschema finds every mistake but takes half a millisecond an agent; this needs a tenth to say there is none.
        import fastjsonschema

        try:
            self._compiled(value)
        except fastjsonschema.JsonSchemaValueException:
            return False
        return True

    @cached_property
    def _validator(self) -> Any:
        import jsonschema

        words = {"pattern": _pattern}
        return jsonschema.validators.extend(jsonschema.Draft7Validator, words)(self._schema)  # type: ignore[no-untyped-call]

    @cached_property
    def _compiled(self) -> Callable[[object], object]:
        import fastjsonschema

        compiled: Callable[[object], object] = fastjsonschema.compile(self._schema, use_default=False)
        return compiled


@dataclass(frozen=True, slots=True)
class _Mistake:
    """What jsonschema found: ``word`` is the keyword of ``schema`` that ``value``, at ``path``, does not obey."""

    word: str
    asked: Any
    value: Any = field(repr=False)
    path: Path
    schema: Schema
    root: Schema
    document: Document

    @property
    def name(self) -> str:
        """What the reader calls the value."""
        return _named(self.path)

    def says(self, what: str, fix: str) -> Problem:
        return Problem(self.place, f"{self.name} {what}", fix)

    @property
    def place(self) -> Place:
        """Where the value stands, with its line: found anew each time it is asked for."""
        return self.document.place(self.path)


def _violations(document: Document, validator: Any) -> Iterator[Problem]:
    errors = validator.iter_errors(document.value)
    found = [problem for error in errors for problem in _explain(document, error, validator.schema)]
    known = {(problem.where.line, problem.where.column) for problem in document.problems}
    # A value that could not be read at all was reported by the reader; its emptiness is not a second mistake.
    yield from sorted(
        (problem for problem in dict.fromkeys(found) if (problem.where.line, problem.where.column) not in known),
        key=lambda problem: (problem.where.line, problem.where.column),
    )


def _pattern(_validator: Any, pattern: str, instance: object, _schema: Schema) -> Iterator[Exception]:
    """``pattern`` as JavaScript means it and editors apply it: `$` is the end, not the line end before it."""
    import jsonschema

    if isinstance(instance, str) and not re.search(re.sub(r"\$(?=$|[)|])", r"\\Z", pattern), instance):
        yield jsonschema.ValidationError("does not match")


def _explain(document: Document, error: Any, root: Schema) -> Iterable[Problem]:
    path = tuple(error.absolute_path)
    mistake = _Mistake(error.validator, error.validator_value, error.instance, path, error.schema, root, document)
    match mistake.word:
        case "additionalProperties":
            return _unknown_keys(mistake)
        case "oneOf":
            return _none_of(mistake, error.context)
        case "required":
            return _missing(mistake)
        case "type":
            return [_wrong_type(mistake)]
        case "enum":
            return [_not_one_of(mistake)]
        case "pattern":
            what, fix = misfit(mistake.asked, str(mistake.value))
            return [mistake.says(what, fix)]
        case "minimum" | "maximum":
            return [mistake.says("is out of range", f"write {_within(mistake.schema, 'a number')}")]
        case "minLength" | "minItems" | "minProperties":
            return [mistake.says("is empty", "give a value, or leave the key out")]
        case "maxLength":
            return [mistake.says("is too long", f"write at most {mistake.asked} characters")]
        case "uniqueItems":
            return [mistake.says("names something twice", "keep one of the two")]
    return [mistake.says(f"does not fit ({mistake.word})", "see `provisioner schema`")]


def _unknown_keys(mistake: _Mistake) -> Iterator[Problem]:
    known = list(mistake.schema.get("properties", {}))
    for name in (name for name in mistake.value if name not in known):
        place = mistake.document.place((*mistake.path, name), key=True)
        # What stands behind a misspelt `password` must not be shown.
        line, before = place.source, place.source[: place.column - 1]
        key = re.match(rf"[\"']?{re.escape(name)}[\"']?\s*:", line[place.column - 1 :])
        place = replace(place, source=before + key.group() if key else "")
        slip = _slip_in_key(name, mistake)
        cure = slip or _meant_by_key(name, known, mistake)
        # A password with `: ` in it looks like a mapping, one behind a stray comma like a key.
        may_be_secret = mistake.path[-1:] == ("password",) or (not key and (line or mistake.value[name] is None))
        if may_be_secret and (slip or not cure):
            quotes = f"put a text with a colon or a comma in quotes; known here: {', '.join(known)}"
            fix = slip if slip == _NO_BLANK else quotes
            yield Problem(replace(place, source=""), f"this is not a setting{_inside(mistake.path)}", fix)
        else:
            fix = cure or f"known here: {', '.join(known)}"
            yield Problem(place, f"{quoted(name)} is not a setting{_inside(mistake.path)}", fix)


def _slip_in_key(name: str, mistake: _Mistake) -> str:
    """What to do about a key that is no word at all, or a target's; empty when it is neither."""
    if name != name.strip():
        return "it begins with what looks like a blank and is none: write ordinary blanks"
    if re.match(r"\w+:\S", name):
        return _NO_BLANK
    if re.match(r"-\w", name):
        return f"write `- ` and then {quoted(name[1:])}: a blank is missing behind the dash"
    if mistake.path[-2:-1] == ("targets",) and "target" not in mistake.value:
        return f"write `- target: ` and then {quoted(name)}, its options below it"
    return ""


def _meant_by_key(name: str, known: Iterable[str], mistake: _Mistake) -> str:
    """What was meant by a key that is none of the ``known`` ones; empty when there is no guess."""
    word = NAMES.get(name.lower(), name)
    surely = did_you_mean(word, known, _SURELY)
    return surely or belongs(name, mistake.path, mistake.root) or did_you_mean(word, known)


def _missing(mistake: _Mistake) -> Iterator[Problem]:
    unknown = mistake.value.keys() - mistake.schema.get("properties", {}).keys()
    for name in mistake.asked:
        # A misspelt key explains why the right one is missing.
        if (
            name not in mistake.value
            and not any(did_you_mean(str(key), [name]) for key in unknown)
            and not (name == "target" and unknown)
        ):
            yield Problem(mistake.place, f"`{name}` is missing here", f"add `{name}:`")


def _none_of(mistake: _Mistake, context: Iterable[Any]) -> Iterable[Problem]:
    found = list(context)
    # A form of another kind (a word where a mapping stands) has nothing to say of what stands here.
    other_kinds = {error.schema_path[0] for error in found if error.validator == "type" and not error.path}
    inner = [error for error in found if error.schema_path[0] not in other_kinds]
    if inner:
        return [problem for error in inner for problem in _explain(mistake.document, error, mistake.root)]
    kinds = _kinds(kind for branch in mistake.asked for kind in _types(branch))
    if mistake.value is None:
        quotes = "; one that begins with # or & needs quotes" if mistake.path[-1:] == ("password",) else ""
        return [mistake.says("has no value", f"give {kinds}, or leave the key out{quotes}")]
    return [mistake.says(f"must be {kinds}", f"write {kinds}")]


def _wrong_type(mistake: _Mistake) -> Problem:
    wanted = _types({"type": mistake.asked})
    kinds = _kinds(kind for kind in wanted if kind != "null")
    if mistake.value is None:
        none = "; `agents: []` when nobody is meant" if mistake.path == ("agents",) else ""
        return mistake.says("has no value", f"give {kinds}, or leave the key out{none}")
    fix = next(cure for kind, cure in _CURES.items() if kind in wanted)
    if not mistake.path and isinstance(mistake.value, list):
        fix = "write `agents:` above the list"
    if "boolean" in wanted and isinstance(mistake.value, str):
        fix = f"write {_MEANT.get(mistake.value.lower(), 'true or false')}"
        fix += ", without quotes" if mistake.value in ("true", "false") else ""
    if "integer" in wanted:
        fix = _whole_number(mistake)
    if mistake.path == ("login",):
        fix += "; an agent belongs to a list: `agents:`, and below it `- login: …`"
    return mistake.says(f"must be {kinds}", fix)


def _whole_number(mistake: _Mistake) -> str:
    written, limits = str(mistake.value).lstrip("0"), mistake.schema
    number = int(written) if re.fullmatch("[1-9][0-9]{0,9}", written) else None
    if number is None or not limits.get("minimum", 0) <= number <= limits.get("maximum", number):
        return f"write {_within(limits, 'a whole number')}"
    return f"write {number}, without quotes or leading zeros"


def _within(schema: Schema, number: str) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None:
        return number
    return f"{low} or more" if high is None else f"{number} from {low} to {high}"


def _not_one_of(mistake: _Mistake) -> Problem:
    values = [str(value) for value in mistake.asked]
    word = str(mistake.value)
    meant = NAMES.get(word.lower(), word)
    same = f"did you mean `{meant}`?" if meant in values else did_you_mean(word, values)
    if not same and mistake.path[-1:] == ("reload",):
        same = "write a list, such as [command, argument]; no shell takes it apart"
    return mistake.says(f"cannot be {quoted(word)}", same or f"one of: {', '.join(values)}")


def _types(schema: Mapping[str, Any]) -> list[str]:
    kinds = schema.get("type", "object")
    return [kinds] if isinstance(kinds, str) else list(kinds)


def _kinds(kinds: Iterable[str]) -> str:
    names = list(kinds)
    if "string" in names:
        names = [name for name in names if name != "number"]
    return " or ".join(dict.fromkeys(_KINDS[name] for name in names))


def _named(path: Path) -> str:
    names = [step for step in path if isinstance(step, str)]
    if not names:
        return "this file"
    return f"an item of `{names[-1]}`" if isinstance(path[-1], int) else f"`{names[-1]}`"


def _inside(path: Path) -> str:
    return f" of {_named(path)}" if any(isinstance(step, str) for step in path) else ""
