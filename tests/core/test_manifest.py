"""A manifest is read as a whole: every mistake at its line."""

from __future__ import annotations

import json

import pytest

from provisioner.core.account import DtmfMode, Transport
from provisioner.core.document import read_document
from provisioner.core.manifest import MANIFEST, target_from
from provisioner.core.problem import ProvisionerError
from provisioner.core.target import VALUES, Limit, Option, ShippedReload, Target
from tests.targets.stage import account, fitted, row

GOOD = """\
title: Own phone
folder: .own
credential: [ha1]
transports: {udp: UDP}
dtmf: {info: 1}
media_encryption: {none: off}
codecs: {pcma: g711a}
files:
  - {name: a.conf, template: a.j2, format: ini}
"""


def made(text: str, **sources: str) -> Target:
    return target_from("own", read_document("own/manifest.yaml", text, MANIFEST), {"a.j2": "", **sources})


def mistakes(text: str) -> list[str]:
    with pytest.raises(ProvisionerError) as caught:
        made(text)
    return [str(problem) for problem in caught.value.problems]


def test_a_manifest_becomes_a_target():
    one = made(GOOD)
    assert (one.name, one.title, one.folder, one.credential) == ("own", "Own phone", ".own", ("ha1",))
    assert one.transports == {Transport.UDP: "UDP"}
    assert one.dtmf == {DtmfMode.INFO: 1}
    assert list(one.media_encryption.values()) == ["off"]
    assert (one.files[0].mode, one.files[0].once, one.files[0].format) == (0o600, False, "ini")
    assert (one.folders, one.limits, one.options, one.tried_with, one.every_credential) == ((), {}, {}, (), False)
    assert (one.relay, one.reload) == (frozenset(), None)


def test_all_that_a_manifest_may_say_is_kept():
    more = """\
folders: [.own/data]
every_credential: true
relay: [route, ice]
reload: {command: [tell, "{folder}"], running_command: [runs], busy_command: [calls]}
tried_with: ["Own 1.2"]
limits: {name: {refuse: "@", longest: 9}}
options: {beep: {default: "no", values: ["no", "yes"], description: Beep.}}
"""
    spec = "{name: b, template: a.j2, format: text, mode: '0640', once: true, longest_line: 99, refuse: x}"
    one = made(GOOD.replace("files:\n", f"files:\n  - {spec}\n") + more)
    assert (one.folders, one.every_credential, one.tried_with) == ((".own/data",), True, ("Own 1.2",))
    assert one.relay == {"route", "ice"}
    assert one.reload == ShippedReload(("tell", "{folder}"), ("runs",), ("calls",))
    assert one.limits == {"name": Limit("@", 9)}
    assert one.options == {"beep": Option("no", "Beep.", ("no", "yes"))}
    first = one.files[0]
    assert (first.mode, first.once, first.longest_line, first.refuse) == (0o640, True, 99, "x")


@pytest.mark.parametrize(
    ("change", "to", "line", "says"),
    [
        ("title: Own phone\n", "", 1, "`title` is missing"),
        ("title: Own", "titel: Own", 1, "did you mean `title`?"),
        ("{udp: UDP}", "{upd: UDP}", 4, "did you mean `udp`?"),
        ("{udp: UDP}", "{}", 4, "`transports` is empty"),
        ("{info: 1}", "{rfc2833: 1}", 5, "`rfc2833`"),
        ("{none: off}", "{srtp: x}", 6, "`srtp`"),
        ("{pcma: g711a}", "{alaw: g711a}", 7, "did you mean `pcma`?"),
        ("{pcma: g711a}", "{pcm: g711a}", 7, "did you mean `pcmu`?"),
        ("[ha1]", "[ha2]", 3, "did you mean `ha1`?"),
        ("[ha1]", "[]", 3, "`credential` is empty"),
        ("folder: .own", "folder: /etc", 2, "`folder` is not a relative path (begin it with neither `/` nor `~/`"),
        ("folder: .own", "folder: ~/.own", 2, "`folder` is not a relative path"),
        ("folder: .own", "folder: ~", 2, "`folder`"),
        ("folder: .own", "folder: a/../../b", 2, "`folder` is not a relative path"),
        ("folder: .own", 'folder: "a\\nb"', 2, "`folder`"),
        ("name: a.conf", "name: ../a.conf", 9, "`name` is not a relative path"),
        ("template: a.j2", "template: b.j2", 9, "there is no `b.j2` here"),
        ("template: a.j2", "template: a.conf.j2", 9, "there is no `a.conf.j2` here (did you mean `a.j2`?)"),
        ("format: ini", "format: ini, longest_line: 5", 9, "write 40 or more"),
        ("format: ini", "format: xml, refuse: x", 9, "`refuse` is for formats without an escaping of their own"),
        ("format: ini", "format: json, characters: {a: b}", 9, "`characters` is for formats without"),
        ("format: ini", "format: text, characters: {\"'\": \"&apos;\"}", 9,
         "`&apos;` begins with `&`, which `characters` leaves as it is (say there too how `&` is written)"),
        ("format: ini", "format: inf", 9, "did you mean `ini`?"),
        ("format: ini", "format: ini, mode: '0666'", 9, "`mode` cannot be `0666`"),
        ("format: ini", "format: ini, onec: true", 9, "did you mean `once`?"),
        ("files:\n", "limits: {nam: {refuse: x}}\nfiles:\n", 8, "did you mean `name`?"),
        ("files:\n", "limits: {name: {}}\nfiles:\n", 8, "is empty"),
        ("files:\n", "options: {a: {default: b, values: [c], description: d}}\nfiles:\n", 8,
         "the default of `a` is none of its values"),
        ("files:\n", "options: {a: {default: b}}\nfiles:\n", 8, "`description` is missing"),
        ("format: ini}", "format: ini}\n  - {name: a.conf, template: a.j2, format: ini}", 10,
         "`a.conf` is written twice"),
        ("title: Own phone", "title: Own phone\ntitle: Other", 2, "twice"),
        ("files:\n", "relay: [root]\nfiles:\n", 8, "did you mean `route`?"),
        ("files:\n", "reload: [tell]\nfiles:\n", 8, "`reload`"),
        ("files:\n", "reload: {busy_command: [a]}\nfiles:\n", 8, "`command` is missing"),
        ("files:\n", "reload: {command: [tell, 'at {foldr}']}\nfiles:\n", 8, "did you mean `{folder}`?"),
        ("files:\n", "relay: true\nfiles:\n", 8, "`relay`"),
    ],
)  # fmt: skip
def test_each_mistake_is_said_at_its_line(change, to, line, says):
    assert change in GOOD
    found = mistakes(GOOD.replace(change, to, 1))
    assert any(one.startswith(f"own/manifest.yaml:{line}:") and says in one for one in found), found


def test_every_mistake_is_said_at_once():
    found = mistakes(GOOD.replace("title:", "titel:").replace("udp", "upd").replace("ini", "inf"))
    assert {int(one.split(":")[1]) for one in found} >= {1, 4, 9}


@pytest.mark.parametrize(
    "characters", [{"\\": "\\\\", '"': '\\"'}, {'"': '""'}, {"'": "'\\''"}, {"%": "%25", " ": "%20"}, {"\u00ad": ""}]
)
def test_characters_that_are_written_with_an_escape_that_is_escaped_are_right(characters):
    one = made(GOOD.replace("format: ini", f"format: text, characters: {json.dumps(characters)}"))
    assert dict(one.files[0].characters) == characters


def test_a_word_of_the_phone_is_a_number_where_the_manifest_writes_one():
    one = made(GOOD.replace("{info: 1}", "{info: {a: 0, b: '0', c: 0x1, d: -7, e: 01}}"))
    assert one.dtmf == {DtmfMode.INFO: {"a": 0, "b": "0", "c": "0x1", "d": -7, "e": "01"}}


@pytest.mark.parametrize("text", ["", "# nothing\n", "null\n", "[]\n", "a\n"])
def test_an_empty_manifest_is_a_mistake(text):
    assert mistakes(text)


def test_a_manifest_that_is_no_yaml_is_a_mistake_at_its_line():
    assert mistakes("title: a\nfolder: [x\n")[0].startswith("own/manifest.yaml:2:")


def test_fit_makes_every_value_that_a_template_may_name():
    assert set(fitted("json", account(row())).names) == set(VALUES)
