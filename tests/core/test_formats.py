"""Each file is read back as its phone reads it."""

from __future__ import annotations

import pytest

from provisioner.core.formats import FORMATS, UnreadableError

READ = [
    ("text", "a\nb", [("line 1", "a"), ("line 2", "b")]),
    ("ini", "# c\n[misc]\nk=v # y \n\n[p 0]\na = b=c", [("[misc]", ""), ("[misc] k", "v # y"), ("[p]", ""),
                                                          ("[p] a ", " b=c")]),
    ("assignments", "# c\n a = b = c \nd=", [("a", "b = c"), ("d", "")]),
    ("words", "# c\nmodule\t x.so  lost\nkey v", [("module", "x.so"), ("key", "v")]),
    ("baresip-accounts", '#c\n"A \\"x" <sip:u@h>;a=1;b="x;y";c\n',
     [("2 name", '"A \\"x"'), ("2 uri", "sip:u@h"), ("2 a", "1"), ("2 b", "x;y"), ("2 c", "")]),
    ("pjsua-arguments", "--id 'a b' # no\n'' \"c d\" e\"f '#no' no\n#no",
     [("1", "--id"), ("1", "a b"), ("2", "c d"), ("2", 'e"f')]),
    ("xml", '<a b="c"><d>e</d><d/></a>', [("a@b", "c"), ("a", ""), ("a/d[0]", "e"), ("a/d[1]", "")]),
    ("json", '{"a": [1, "x"], "b": true}', [("", "{}"), (".a", "[2]"), (".a[0]", "1"), (".a[1]", "x"), (".b", "true")]),
    ("script", 'window.a = {"b": "c"};\nrun();', [("window.a", "{}"), ("window.a.b", "c"),
                                                    ("code", "window.a = ;\nrun();")]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "leaves"), READ, ids=[name for name, *_ in READ])
def test_a_file_is_read_as_its_phone_reads_it(name, text, leaves):
    assert FORMATS[name].parse(text) == leaves


def test_an_assignment_of_a_script_is_found_however_its_blanks_are():
    text = '(() => {\n  const a={};\n\tlet  b.c =[];\nwindow.d= "e";\n})();'
    assert FORMATS["script"].parse(text)[:-1] == [("const a", "{}"), ("let  b.c", "[0]"), ("window.d", "e")]


def test_every_format_is_among_them():
    assert {name for name, *_ in READ} == set(FORMATS)


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("ini", "[a]\nno equals", 2), ("assignments", "a=b\nspoils all", 2), ("words", "a b\nalone", 2),
        ("baresip-accounts", '"A" <sip:u@h>;a="x', 1), ("baresip-accounts", ' #c', 1),
        ("baresip-accounts", '"A" <sip:u@h>;a="x"y', 1), ("baresip-accounts", "<sip:u@h> x", 1),
        ("baresip-accounts", '<sip:u@h>;outbound="sip:h;transport=udp;lr"\n<sip:u@h>;auth_pass="x;answermode=auto"', 2),
        ("baresip-accounts", '<sip:u@h>;auth_pass="x; outbound = y"', 1),
        ("pjsua-arguments", "--id\n'a b", 2), ("pjsua-arguments", "'a'b", 1),
        ("xml", "<a>\n<b></a>", 2), ("xml", '<!DOCTYPE a [<!ENTITY x "y">]><a/>', 1), ("xml", "", 1),
        ("json", '{\n"a": }', 2), ("json", '{"a": 1, "a": 2}', 1), ("json", "", 1),
        ("script", "\nwindow.a = {x};", 2), ("script", 'window.a = {"a": 1, "a": 2};', 1),
    ],
)  # fmt: skip
def test_what_the_phone_would_not_read_is_said_with_its_line(name, text, line):
    with pytest.raises(UnreadableError) as caught:
        FORMATS[name].parse(text)
    assert str(caught.value.problems[0].where) == f"line {line}"
