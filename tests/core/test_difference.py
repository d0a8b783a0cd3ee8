"""What `plan` says of a file's content."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from provisioner.core.difference import difference
from provisioner.core.formats import FORMATS
from provisioner.core.plan import DesiredFile
from provisioner.core.render import Rendered

XML = (
    '<config xmlns="http://acme.example/x"><section name="sip">'
    '<entry name="port">{}</entry><other>1</other></section></config>'
)
PORT = "{http://acme.example/x}config/{http://acme.example/x}section[0]/{http://acme.example/x}entry[0]"


def rendered(form: str, text: str, *secret: str) -> Rendered:
    return Rendered(DesiredFile(PurePosixPath("a"), text.encode()), FORMATS[form].parse(text), frozenset(secret))


def test_an_element_is_called_by_its_name_and_not_by_its_name_space():
    wanted = rendered("xml", XML.format(5061))
    assert difference(wanted, FORMATS["xml"].parse(XML.format(5060))) == ("~ config/section[sip]/entry[port]: 5061",)
    assert "+ config/section[sip]/other[1]: 1" in difference(wanted, None)


@pytest.mark.parametrize("of_the_name", [False, True])
def test_no_secret_is_in_a_line(of_the_name: bool):
    secret = "S3ntinel"
    text = XML.format("1").replace('"port"', f'"{secret}"') if of_the_name else XML.format(secret)
    wanted = rendered("xml", text, f"{PORT}@name" if of_the_name else PORT)
    lines = difference(wanted, None)
    assert secret not in str(lines) and "********" in str(lines)


def test_what_goes_is_named_without_what_it_was():
    gone = FORMATS["xml"].parse(XML.format("S3ntinel"))
    wanted = rendered("xml", '<config xmlns="http://acme.example/x"/>')
    lines = difference(wanted, gone)
    assert "- config/section[0]/entry[0]" in lines and "S3ntinel" not in str(lines)


def test_other_names_stay_as_they_are():
    assert difference(rendered("json", '{"a[0]{b": 1}'), None) == ("+ .a[0]{b: 1",)


def test_each_of_several_lines_of_one_name_is_said():
    wanted = rendered("words", "module a\nmodule b\n")
    assert difference(wanted, None) == ("+ module: a", "+ module: b")
