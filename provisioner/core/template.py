"""Templates are data: names, `if` and `for`, held to that when they are read and while they are filled."""

from __future__ import annotations

import traceback
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from provisioner.core import escape, turns
from provisioner.core.formats import FORMATS
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.spelling import did_you_mean
from provisioner.core.target import VALUES, FileSpec

# A value inside these would be escaped twice, or would come from somewhere else.
_REFUSED = {
    nodes.Macro: "macro", nodes.CallBlock: "call", nodes.FilterBlock: "filter", nodes.AssignBlock: "set … endset",
    nodes.Include: "include", nodes.Import: "import", nodes.FromImport: "import", nodes.Extends: "extends",
    nodes.Block: "block", nodes.EvalContextModifier: "autoescape", nodes.Call: "a function", nodes.Pow: "**",
}  # fmt: skip
# What may be done to a value in a template. Nothing that escapes (that is the target's business), marks as safe, or
# changes letters: a value is written whole.
FILTERS = ("first", "join", "last", "length", "list", "reverse", "sort")
TESTS = ("defined", "undefined", "mapping", "string", "number")
# No phone's file is nearly as long, and a courier takes several of them in one message.
_LONGEST = 1024 * 1024  # characters
FLATTER = "this is nested without end", "write it flatter"


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox whose operators cannot fill the memory: what multiplies or formats is for numbers."""

    intercepted_binops = frozenset("*%")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise ProvisionerError(Problem(Place(""), f"`{operator}` stands beside what is no number", "write it out"))
        return super().call_binop(context, operator, left, right)


def check_templates(
    target: str, specs: Iterable[FileSpec], options: Collection[str] | None = None
) -> tuple[Problem, ...]:
    """What is wrong with the templates of ``target`` themselves, before there is any account.

    ``options`` are the names of those that it has, where they are known.
    """
    problems: list[Problem] = []
    for spec in specs:
        where = f"{target}/{spec.template}"
        try:
            template(where, spec)
            problems += _unknown_options(where, spec, options) if options is not None else ()
        except ProvisionerError as error:
            problems += error.problems
    return tuple(dict.fromkeys(problems))


def _unknown_options(where: str, spec: FileSpec, options: Collection[str]) -> Iterator[Problem]:
    for part in _Environment().parse(spec.source).find_all(nodes.Getattr):
        if isinstance(part.node, nodes.Name) and part.node.name == "options" and part.attr not in options:
            fix = did_you_mean(part.attr, options) or f"the manifest has: {', '.join(options) or 'none'}"
            yield told(where, f"there is no option `{part.attr}`", fix, part.lineno)


def fill(where: str, spec: FileSpec, names: Mapping[str, Any]) -> str:
    """The text that the template of ``spec`` makes of ``names``; ``where`` is what people call the template.

    Raises ProvisionerError: a template that is wrong, a value that the file cannot hold.
    """
    filled = template(where, spec)
    try:
        return "".join(_within(where, filled.generate({**names, **turns.allowance()})))
    except ProvisionerError as error:
        raise _renamed(where, error, _line(error)) from None
    except TemplateError as error:
        what = f"the template cannot be filled: {error.message}"
        raise wrong(where, what, "ask `is defined` first, or see the names in the README", _line(error)) from None
    except Exception as error:  # a template is somebody's program: whatever it raises is its own mistake
        raise wrong(where, f"the template fails with {type(error).__name__}", "mend it", _line(error)) from None


@lru_cache(maxsize=256)
def template(where: str, spec: FileSpec) -> Template:
    """The template of ``spec``, ready to be filled. Raises ProvisionerError with all that is wrong with it."""
    environment = _Environment(
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
        raise wrong(where, f"this is not a Jinja template: {error.message}", "mend it", error.lineno) from None
    except (RecursionError, SyntaxError, MemoryError):  # Jinja's limits, and those of Python, which it is compiled to
        raise wrong(where, *FLATTER) from None
    except ProvisionerError as error:
        # A constant of the template is escaped when it is compiled.
        raise _renamed(where, error) from None


def _mistakes(where: str, tree: nodes.Template) -> Iterator[Problem]:
    """What a template may not hold, and names that there are not, each at its line."""
    for node in tree.find_all(tuple(_REFUSED)):
        word = next(word for kind, word in _REFUSED.items() if isinstance(node, kind))
        yield told(where, f"`{word}` cannot stand in a template", "use names, `if` and `for`", node.lineno)
    for filtered in tree.find_all(nodes.Filter):
        if filtered.name not in FILTERS:
            fix = f"values are written whole and escaped by the target; there are: {', '.join(FILTERS)}"
            yield told(where, f"the filter `{filtered.name}` cannot stand in a template", fix, filtered.lineno)
    for test in tree.find_all(nodes.Test):
        if test.name not in TESTS:
            yield told(where, f"there is no test `{test.name}`", f"there are: {', '.join(TESTS)}", test.lineno)
    unknown = meta.find_undeclared_variables(tree) - set(VALUES)
    for name in tree.find_all(nodes.Name):
        if name.name in unknown and name.ctx == "load":
            fix = did_you_mean(name.name, VALUES) or f"there are: {', '.join(VALUES)}"
            yield told(where, f"there is no value `{name.name}`", fix, name.lineno)


def _line(error: Exception) -> int:
    """The line of the template where ``error`` was raised, as Jinja has it in the traceback; 0 where in none."""
    frames = traceback.walk_tb(error.__traceback__)
    return [0, *(line for frame, line in frames if frame.f_code.co_filename == "<template>")][-1]


def _within(where: str, pieces: Iterable[str]) -> Iterator[str]:
    """The pieces of a file, which may go on for long."""
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > _LONGEST:
            raise wrong(where, f"the file grows beyond {_LONGEST} characters", "look at its `for`")
        yield piece


def _escape(spec: FileSpec) -> escape.Escape:
    if spec.characters or spec.refuse:
        return escape.mapped(dict(spec.characters), spec.refuse)
    return FORMATS[spec.format].escape


def _renamed(where: str, error: ProvisionerError, line: int = 0) -> ProvisionerError:
    """The same problems, said of this template."""
    return ProvisionerError(
        told(where, problem.what, problem.fix, problem.where.line or line) for problem in error.problems
    )


def told(where: str, what: str, fix: str, line: int = 0) -> Problem:
    """A problem of the template ``where``, at its ``line`` where that is known."""
    return Problem(Place(where, line, 1 if line else 0), what, fix)


def wrong(where: str, what: str, fix: str, line: int = 0) -> ProvisionerError:
    """The error that says ``what`` of the template ``where``."""
    return ProvisionerError(told(where, what, fix, line))
