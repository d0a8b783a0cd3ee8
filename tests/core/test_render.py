"""Templates are data: names, ``if`` and ``for``; what they write is read back before anybody sees it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.core.account import DtmfMode
from provisioner.core.fit import Choice, Fit, fit
from provisioner.core.problem import Problem, ProvisionerError
from provisioner.core.render import render
from provisioner.core.secret import STARS, Secret
from provisioner.core.target import FileSpec, Option, Target
from provisioner.core.template import check_templates
from tests.targets.stage import account, fitted, row, target

SENTINEL = "sentinel-4711"


def of(source: str, format: str = "text", **spec: object) -> Target:
    """A target with one file."""
    return replace(target("json"), name="own", files=(FileSpec("f", "f.j2", source, format, **spec),))  # type: ignore[arg-type]


def fitting(**names: object) -> Fit:
    base = fitted("json", account(row()))
    return replace(base, names={**base.names, **names})


def mistakes(one: Target) -> tuple[Problem, ...]:
    return check_templates(one.name, one.files)


def text(source: str, format: str = "text", **names: object) -> str:
    (one,) = render(of(source, format), fitting(**names))
    return one.file.content.decode()


def problems(source: str, format: str = "text", **names: object) -> list[str]:
    with pytest.raises(ProvisionerError) as caught:
        render(of(source, format), fitting(**names))
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("source", "line", "what"),
    [
        ("\n{% macro m() %}{% endmacro %}", 2, "`macro` cannot stand"),
        ("\n\n{% call name() %}{% endcall %}", 3, "`call` cannot stand"),
        ("{% filter upper %}x{% endfilter %}", 1, "`filter` cannot stand"),
        ("\n{% set x %}y{% endset %}", 2, "`set … endset` cannot stand"),
        ("{% include 'x' %}", 1, "`include` cannot stand"),
        ("{% import 'x' as y %}", 1, "`import` cannot stand"),
        ("{% from 'x' import y %}", 1, "`import` cannot stand"),
        ("{% extends 'x' %}", 1, "`extends` cannot stand"),
        ("{% block b %}{% endblock %}", 1, "`block` cannot stand"),
        ("{% autoescape true %}{{ name }}{% endautoescape %}", 1, "`autoescape` cannot stand"),
        ("\n{{ name.upper() }}", 2, "`a function` cannot stand"),
        ("{{ range(3) }}", 1, "`a function` cannot stand"),
        ("{{ name|safe }}", 1, "the filter `safe`"),
        ("{{ name|e }}", 1, "the filter `e`"),
        ("{{ name|escape }}", 1, "the filter `escape`"),
        ("{{ name|forceescape }}", 1, "the filter `forceescape`"),
        ("{{ codecs|tojson }}", 1, "the filter `tojson`"),
        ("{{ name|urlencode }}", 1, "the filter `urlencode`"),
        ("{{ name|xmlattr }}", 1, "the filter `xmlattr`"),
        ("{{ name|replace('a', 'b') }}", 1, "the filter `replace`"),
        ("{% if false %}\n{{ name|nosuch }}{% endif %}", 2, "the filter `nosuch`"),
        ("{% if name is divisibleby 2 %}{% endif %}", 1, "there is no test `divisibleby`"),
        ("\n{{ display_nam }}", 2, "there is no value `display_nam` (did you mean `display_name`?)"),
        ("{% if false %}{{ pasword }}{% endif %}", 1, "there is no value `pasword` (did you mean `password`?)"),
        ("{{ config }}", 1, "there is no value `config`"),
        ("{{ lipsum }}", 1, "there is no value `lipsum`"),
        ("a\n{% if name %}", 2, "this is not a Jinja template"),
        ("a\n{{ name", 2, "this is not a Jinja template"),
        ("\n{{ 9 ** 9 ** 9 }}", 2, "`**` cannot stand"),
    ],
)  # fmt: skip
def test_what_cannot_stand_in_a_template_is_said_at_its_line_before_there_is_an_account(source, line, what):
    found = [str(problem) for problem in mistakes(of(source))]
    assert any(one.startswith(f"own/f.j2:{line}:1: ") and what in one for one in found), found


def test_every_mistake_of_a_template_is_said_at_once():
    found = "\n".join(map(str, mistakes(of("{{ nam }}\n{{ name|e }}\n{% set x %}{% endset %}\n{{ agent|safe }}"))))
    for line in (1, 2, 3, 4):
        assert f"own/f.j2:{line}:1" in found


@pytest.mark.parametrize(
    "source",
    ["{{ name }}", "{% if turn %}x{% endif %}", "{% for c in codecs %}{{ loop.index }}{{ c }}{% endfor %}",
     "{% set x = name %}{{ x }}", "{{ codecs|join(',') }}", "{% if ha1 is defined %}{{ ha1 }}{% endif %}",
     "{{ codecs|reverse|list|first }}", "{{ outbound_proxy_uri or registrar ~ ';lr' }}"],
)  # fmt: skip
def test_names_if_and_for_are_enough_and_allowed(source):
    assert mistakes(of(source)) == ()
    assert render(of(source), fitting())


def test_every_file_of_a_target_says_what_is_wrong_with_it():
    sources = "{{ none }}", "fine", "\n{{ name + 1 }}", "<a>", "{{ none }}"
    files = [
        FileSpec(f"f{n}", f"{n}.j2", source, "xml" if "<" in source else "text") for n, source in enumerate(sources)
    ]
    with pytest.raises(ProvisionerError) as caught:
        render(replace(of(""), files=tuple(files)), fitting())
    assert [str(problem.where) for problem in caught.value.problems] == [
        "own/0.j2:1:1",
        "own/2.j2:2:1",
        "own/3.j2",
        "own/4.j2:1:1",
    ]


@pytest.mark.parametrize("constant", ["none", "true", "false", "[]", "codecs", "1.5", "options", "elsewhere"])
@pytest.mark.parametrize("format", ["text", "ini", "xml"])
def test_none_true_false_and_lists_are_errors_in_text(format, constant):
    source = {"text": "{{ %s }}", "ini": "[a]\nb={{ %s }}", "xml": "<a>{{ %s }}</a>"}[format] % constant
    (problem,) = problems(source, format)
    assert problem.startswith("own/f.j2")
    assert "the template writes" in problem


def test_a_value_that_is_not_known_is_an_error():
    names = {key: value for key, value in fitting().names.items() if key != "password"}
    with pytest.raises(ProvisionerError, match="'password' is undefined"):
        render(of("{{ password }}"), replace(fitting(), names=names))


def test_a_template_that_fails_says_which_and_why_without_the_value():
    (problem,) = problems("{{ name + 1 }}", name=SENTINEL)
    assert problem == "own/f.j2:1:1: the template fails with TypeError (mend it)"


@pytest.mark.parametrize(
    "expression",
    ["none", "codecs", "name + 1", "name * 2", "turn.server", "codecs[7]", "options.nosuch", "codecs|first|first|list"],
)
def test_what_fails_while_a_template_is_filled_is_said_at_its_line(expression):
    source = (
        "{# a\n#}{% if name %}\n{% for codec in codecs %}\n" + f"{{{{ {expression} }}}}\n{{% endfor %}}\n{{% endif %}}"
    )
    (problem,) = problems(source)
    assert problem.startswith("own/f.j2:4:1: ")


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "(" * 3000 + "name" + ")" * 3000 + " }}",
        "{{ " + " + ".join(["name"] * 3000) + " }}",
        "{% if name %}" * 500 + "{% endif %}" * 500,
        "{% if name %}" * 110 + "{% endif %}" * 110,
        "{% for a in codecs %}" * 25 + "{% endfor %}" * 25,
    ],
    ids=["parentheses", "sum", "if", "indented", "for"],
)
def test_a_template_nested_without_end_is_a_mistake_of_its_own_and_no_bug(source):
    assert [str(one) for one in mistakes(of(source))] == ["own/f.j2: this is nested without end (write it flatter)"]


@pytest.mark.parametrize(
    ("format", "opening", "closing"), [("json", "[", "]"), ("xml", "<a>", "</a>"), ("script", "", "")]
)
def test_a_file_nested_without_end_is_a_mistake_of_its_template_and_no_bug(format, opening, closing):
    source = opening * 5000 + closing * 5000 if opening else "window.a = " + "[" * 5000 + "]" * 5000 + ";"
    assert problems(source, format) == ["own/f.j2: this is nested without end (write it flatter)"]


@pytest.mark.parametrize(
    "source",
    ["{{ codecs|join }}", "{% for a in codecs %}{{ a }}{% endfor %}"],
    ids=["at once", "by and by"],
)
def test_a_file_without_end_is_not_made(source):
    (problem,) = problems(source, codecs=["x" * 600_000, "x" * 600_000])
    assert problem == "own/f.j2: the file grows beyond 1048576 characters (look at its `for`)"


@pytest.mark.parametrize(
    "expression",
    ["'x' * 10000000000", "10000000000 * 'x'", "[0] * 10000000000", "codecs * 10000000000", "name * port",
     "'%9999999999d' % 1", "name % 1", "codecs * 10000000000 * 10000000000"],
)  # fmt: skip
@pytest.mark.parametrize("form", ["{{ %s }}", "{%% for a in %s %%}{%% endfor %%}", "{%% set a = %s %%}"])
def test_what_multiplies_texts_and_lists_fills_no_memory(expression, form):
    (problem,) = problems(f"\n{form % expression}")
    assert "stands beside what is no number (write it out)" in problem


def test_numbers_are_reckoned_with():
    assert text("{{ expires * 1000 }} {{ expires % 7 }} {{ expires // 60 + 1 - 2 }}", expires=600) == "600000 5 9"


@pytest.mark.parametrize("inner", ["", "{{ '' }}", "{% if a == 'nothing' %}x{% endif %}"])
def test_loops_without_end_are_ended_though_they_write_nothing(inner):
    long = ["x"] * 500
    loops = "{% for a in codecs %}" * 6 + inner + "{% endfor %}" * 6
    (problem,) = problems(loops, codecs=long)
    assert problem == "own/f.j2:1:1: its loops take more than 100000 turns (look at its `for`)"
    # Each file has its turns anew, and what a loop knows of itself stays true.
    once = "{% for a in codecs if a %}{{ loop.index }}/{{ loop.length }}{{ '' if loop.last else ' ' }}{% endfor %}"
    assert text(once, codecs=["x", "", "y"]) == "1/2 2/2"
    assert text("{% for a in codecs %}{% for b in codecs %}{% endfor %}{% endfor %}", codecs=long[:300]) == ""


def test_a_template_cannot_reach_what_its_loops_are_counted_with():
    assert text("{% set turns = 5 %}{% for a in codecs %}{{ turns }}{% endfor %}", codecs=["x", "y"]) == "55"
    assert "turns" in str(mistakes(of("{{ turns }}"))[0])
    assert "turns" in str(mistakes(of("{{ codecs|turns }}"))[0])


@pytest.mark.parametrize(
    ("source", "format", "says"),
    [
        ('{"a": 1,\n"b" 2}', "json", "in line 2 of what it makes, this is not JSON, where values bring their "
         "own quotes (mend the template)"),
        ("<a>\n<b></a>", "xml", "in line 2 of what it makes, this is not XML (mend the template)"),
        ('"A" <sip:{{ name }}@h>;a=b{{ name }}', "baresip-accounts",
         "in line 1 of what it makes, baresip would not read this account, nor any after it "
         "(remove unusual characters from the names of this agent)"),
    ],
)  # fmt: skip
def test_a_file_that_the_phone_would_not_read_is_told_with_its_line_and_the_cure(source, format, says):
    assert problems(source, format, name='"') == [f"own/f.j2: {says}"]


def test_an_attribute_of_python_is_out_of_reach():
    assert "own/f.j2" in problems("{{ name.__class__ }}")[0]


def test_a_secret_that_becomes_stars_is_noticed():
    (problem,) = problems("{{ 'x' ~ password }}", password=Secret(SENTINEL))
    assert "as it was meant" in problem
    assert SENTINEL not in problem
    assert STARS not in problem


@pytest.mark.parametrize("value", ["", "a", "x" * 5000])
def test_a_secret_of_any_length_is_written_whole(value):
    assert text("<{{ password }}>", password=Secret(value)) == f"<{value}>"


@pytest.mark.parametrize(
    ("source", "format", "value"),
    [
        ("[a]\nk={{ name }}", "ini", "trailing "),
        ("[{{ name }}]", "ini", "a]b"),
        ("k={{ name }}", "assignments", " both "),
        ("{{ name }}=1", "assignments", "a=b"),
        ("{{ name }}=1", "assignments", "#a"),
        ("k {{ name }}", "words", "two words"),
        ("x{{ name }}", "pjsua-arguments", "a b"),
        ('"A" <sip:u@h>;a="{{ name }}"', "baresip-accounts", 'x";outbound="y'),
        ('"A" <sip:u@h>;a={{ name }}', "baresip-accounts", "x;y=z"),
        ('"A" <sip:{{ name }}@h>', "baresip-accounts", "x@y>;a=b;c=<z"),
        ('window.a = {"b": "{% if name == \'z\' %}x{% else %}y{% endif %}"};', "script", "z"),
    ],
)
def test_a_value_that_the_phone_would_read_otherwise_is_refused(source, format, value):
    (problem,) = problems(source, format, name=value)
    assert any(part in problem for part in ("as it was meant", "would add or remove", "would not read", "does not end"))
    assert text(source, format, name="plain")


@pytest.mark.parametrize(
    "source",
    ["start('{{ name }}');", "start(`{{ name }}`);", "/* {{ name }} */", "// {{ name }}", "start({{ name }});",
     'window.a = {"b": 1}; start({{ name }});', "a = /{{ name }}/;"],
)  # fmt: skip
@pytest.mark.parametrize("value", ["plain", "'+alert(1)+'", "*/alert(1)/*", "${alert(1)}", "/;alert(1)//"])
def test_no_value_may_stand_in_the_code_of_a_script(source, value):
    (problem,) = problems(f"run();\n{source}", "script", name=value)
    assert "a value stands in the code of the script, behind `" in problem
    assert "window.name" in problem
    assert "alert" not in problem


@pytest.mark.parametrize(("before", "after"), [("/*", "*/"), ("a = `", "`;")])
def test_no_value_ends_what_an_assignment_of_a_script_stands_in(before, after):
    made = text(f"{before}\nwindow.a = {{{{ name }}}};\n{after}", "script", name="*/ ` ${alert(1)}")
    assert made == f'{before}\nwindow.a = "\\u002a/ \\u0060 \\u0024{{alert(1)}}";\n{after}'


def test_a_template_that_takes_a_value_apart_is_refused():
    assert "as it was meant" in problems("{{ name|first }}", name="ab")[0]
    assert "would add or remove" in problems("{% for c in name %}k={{ c }}\n{% endfor %}", "assignments", name="ab")[0]


@pytest.mark.parametrize(("values", "refused"), [((), True), (("two words", "one"), False)])
def test_an_option_of_any_text_is_read_back_and_a_word_of_a_list_may_be_compared(values, refused):
    own = replace(
        of("{% if options.free == 'two words' %}k v{% else %}k {{ options.free }}{% endif %}", "words"),
        options={"free": Option("one", "any text", values)},
    )
    filling = fitting(options={"free": "two words"})
    if refused:
        with pytest.raises(ProvisionerError, match="as it was meant"):
            render(own, filling)
    else:
        assert render(own, filling)[0].file.content == b"k v"


def test_a_word_that_is_a_number_is_one_in_json_and_when_it_is_compared():
    one = replace(of('{"a": {{ dtmf }}, "b": {{ dtmf == 3 }}}', "json"), dtmf=dict.fromkeys(DtmfMode, 3))
    (made,) = render(one, fit(account(row()), one, Choice("/x", {})))
    assert made.file.content == b'{"a": 3, "b": true}'


@pytest.mark.parametrize(("language", "made"), [("es", "lang=Spanish"), ("pt-BR", "lang=pt-BR")])
def test_the_language_may_be_compared(language, made):
    assert text("lang={% if language == 'es' %}Spanish{% else %}{{ language }}{% endif %}", language=language) == made


def test_a_template_that_compares_values_is_told_so():
    assert text("{% if name == auth_user %}a{% endif %}\n{{ name }}", name="x", auth_user="y")
    (problem,) = problems("{% if name == auth_user %}a\n{% endif %}", name="x", auth_user="x")
    assert "a template of your own may write values, and not compare them" in problem


def test_a_line_too_long_for_the_phone_is_refused_with_its_number_and_without_its_text():
    own = of("short\n{{ name }}", longest_line=40)
    with pytest.raises(ProvisionerError) as caught:
        render(own, fitting(name="é" * 20 + "x"))
    assert "own/f.j2:2:1: a line of 41 bytes" in str(caught.value)
    assert "é" not in str(caught.value)
    assert render(own, fitting(name="é" * 20))


def test_a_format_that_core_does_not_know_has_its_own_characters():
    own = of('name = "{{ display_name }}"', characters=(("\\", "\\\\"), ('"', '\\"')), refuse="|")
    (one,) = render(own, fitting(display_name='A "b" \\'))
    assert one.file.content.decode() == 'name = "A \\"b\\" \\\\"'
    with pytest.raises(ProvisionerError, match=r"U\+007C"):
        render(own, fitting(display_name="a|b"))


def test_the_leaves_that_hold_a_secret_are_named():
    source = '{"a": {{ name }}, "b": {{ password }}, "c": {{ turn }}}'
    turn = [{"server": "s", "transport": "udp", "user": "u", "password": Secret("p")}]
    (one,) = render(of(source, "json"), fitting(password=Secret(SENTINEL), turn=turn))
    assert one.secret_leaves == {".b", ".c[0].password"}
    assert dict(one.leaves)[".b"] == SENTINEL
    assert SENTINEL not in repr(one)


def test_mode_path_and_seed_come_from_the_manifest():
    (one,) = render(of("x", mode=0o640, once=True), fitting())
    assert (str(one.file.path), one.file.mode, one.file.once) == ("f", 0o640, True)


def test_the_same_account_gives_the_same_bytes():
    fits = [fit(account(row("tls")), target("linphone"), Choice("/x", {})) for _ in range(2)]
    assert render(target("linphone"), fits[0]) == render(target("linphone"), fits[1])
