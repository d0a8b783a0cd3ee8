"""A target is a folder: dropping one in is all it takes, and a broken one harms nobody."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from provisioner.core.derive import Secrets
from provisioner.core.parcel import Home
from provisioner.core.prepare import Job, prepare
from provisioner.core.reason import Identity, Wanted
from provisioner.core.secret import Secret
from provisioner.core.settings import TargetChoice
from provisioner.core.template import check_templates
from provisioner.edge.catalog import CatalogReader, shipped
from tests.edge.opened import opened
from tests.targets.stage import PASSWORD, PLATFORM, agent, row

SHIPPED = {"baresip", "browser-phone", "jssip", "json", "linphone", "pjsua", "sipjs", "twinkle"}
MANIFEST = """\
title: Own phone
folder: .own
credential: [ha1]
transports: {wss: WSS}
dtmf: {rfc4733: RTP}
media_encryption: {dtls: DTLS}
codecs: {pcma: alaw}
files:
  - {name: own.ini, template: own.ini.j2, format: ini}
"""
TEMPLATE = "[phone]\nuser={{ name }}\nha1={{ ha1 }}\nurl={{ websocket_url }}\n"


def drop(folder, name="own", manifest=MANIFEST, template=TEMPLATE):
    own = folder / name
    own.mkdir(parents=True, exist_ok=True)
    (own / "manifest.yaml").write_text(manifest)
    (own / "own.ini.j2").write_text(template)
    return own


def files(catalog, name):
    """The files that the program makes of a login's answer with this catalog, by name."""
    one = agent(None, TargetChoice(name))
    wanted = Wanted(Identity("", one.login, ""), one, PLATFORM, {name: catalog.targets.get(name)})
    job = Job(
        wanted,
        Secret(json.dumps(row())),
        Secrets(Secret(PASSWORD)),
        Home("v", "/home/v"),
        catalog.targets,
        catalog.broken,
    )
    (prepared,) = prepare(job).targets
    return {str(made.file.path): made.file.content.decode() for made in prepared.files}, prepared.problems


def test_the_shipped_targets_are_these_and_none_is_broken():
    catalog = CatalogReader([shipped()]).read()
    assert (set(catalog.targets), catalog.broken) == (SHIPPED, {})


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_shipped_target_is_nothing_but_its_manifest_its_templates_and_a_readme(name):
    kinds = {path.name if path.suffix != ".j2" else "*.j2" for path in (shipped() / name).iterdir()}
    assert kinds == {"manifest.yaml", "README.md", "*.j2"}
    used = {spec.template for spec in CatalogReader([shipped()]).read().targets[name].files}
    assert {path.name for path in (shipped() / name).glob("*.j2")} == used
    assert "Tried with a real server: " in (shipped() / name / "README.md").read_text()


def test_dropping_a_folder_adds_a_target(tmp_path):
    drop(tmp_path)
    made, problems = files(CatalogReader([shipped(), tmp_path]).read(), "own")
    assert [problem.what for problem in problems] == ["own has no pcmu: left out"]
    assert made["own.ini"].startswith("[phone]\nuser=1997\nha1=")
    assert made["own.ini"].endswith("url=wss://acme.ucontactcloud.com:8089/ws\n")


def test_a_byte_order_mark_of_an_editor_does_no_harm(tmp_path):
    drop(tmp_path, manifest=f"\ufeff{MANIFEST}", template=f"\ufeff{TEMPLATE}")
    assert files(CatalogReader([tmp_path]).read(), "own")[0]["own.ini"].startswith("[phone]\n")


def test_the_sites_folder_wins(tmp_path):
    drop(tmp_path, "jssip")
    catalog = CatalogReader([shipped(), tmp_path]).read()
    assert set(catalog.targets) == SHIPPED
    assert set(files(catalog, "jssip")[0]) == {"own.ini"}


def test_mistakes_of_manifest_and_templates_are_said_at_once(tmp_path):
    own = drop(tmp_path, manifest=MANIFEST.replace("title", "titel"), template="[a]\nb={{ nam }}\nc={{ true }}\n")
    (own / "other.j2").write_text("\n{{ name|safe }}")
    places = [str(problem.where) for problem in CatalogReader([tmp_path]).read().broken["own"]]
    assert places == [f"{own}/{at}" for at in ("manifest.yaml:1:1", "other.j2:2:1", "own.ini.j2:2:1")]


def test_an_option_that_the_manifest_does_not_have_is_said_at_its_line(tmp_path):
    options = "options: {beep: {default: 'x', description: Beep.}}\n"
    own = drop(tmp_path, manifest=MANIFEST + options, template="[a]\nb={{ options.beep }}\nc={{ options.beeep }}\n")
    (problem,) = CatalogReader([tmp_path]).read().broken["own"]
    assert str(problem) == f"{own}/own.ini.j2:3:1: there is no option `beeep` (did you mean `beep`?)"


BREAKS = {
    "no manifest": lambda own: (own / "manifest.yaml").unlink(),
    "no template": lambda own: (own / "own.ini.j2").unlink(),
    "unknown key": lambda own: (own / "manifest.yaml").write_text(MANIFEST.replace("title", "titel")),
    "no YAML": lambda own: (own / "manifest.yaml").write_text("title: [\n"),
    "refused in a template": lambda own: (own / "own.ini.j2").write_text("{{ name|safe }}"),
    "unknown value": lambda own: (own / "own.ini.j2").write_text("[a]\nb={{ nam }}"),
    "not UTF-8": lambda own: (own / "own.ini.j2").write_bytes(b"\xff\xfe"),
    "a folder as template": lambda own: ((own / "own.ini.j2").unlink(), (own / "own.ini.j2").mkdir()),
    "a FIFO as template": lambda own: ((own / "own.ini.j2").unlink(), os.mkfifo(own / "own.ini.j2")),
    "a FIFO as manifest": lambda own: ((own / "manifest.yaml").unlink(), os.mkfifo(own / "manifest.yaml")),
    "too large": lambda own: (own / "own.ini.j2").write_text(" " * (1024 * 1024 + 1)),
}


@pytest.mark.parametrize("how", BREAKS)
def test_a_broken_target_is_said_and_takes_no_other_targets_place(tmp_path, how):
    own = drop(tmp_path)
    drop(tmp_path, "fine")
    BREAKS[how](own)
    catalog = CatalogReader([shipped(), tmp_path]).read()
    assert set(catalog.targets) == SHIPPED | {"fine"}
    assert set(catalog.broken) == {"own"}
    assert "own" in str(catalog.broken["own"][0])
    made, problems = files(catalog, "own")
    assert (made, problems) == ({}, catalog.broken["own"])
    assert files(catalog, "jssip")[0]


def test_a_broken_target_of_the_site_is_not_quietly_replaced_by_the_shipped_one(tmp_path):
    BREAKS["unknown value"](drop(tmp_path, "jssip"))
    catalog = CatalogReader([shipped(), tmp_path]).read()
    assert set(catalog.targets) == SHIPPED - {"jssip"}
    (problem,) = catalog.broken["jssip"]
    assert str(problem).startswith(f"{tmp_path}/jssip/own.ini.j2:2:1: there is no value `nam` (did you mean `name`?)")


def test_a_good_target_of_the_site_stands_for_a_broken_one(tmp_path):
    BREAKS["no template"](drop(tmp_path / "first"))
    drop(tmp_path / "site")
    catalog = CatalogReader([tmp_path / "first", tmp_path / "site"]).read()
    assert (set(catalog.targets), catalog.broken) == ({"own"}, {})


def test_a_change_is_seen_at_the_next_reading_and_what_did_not_change_is_not_made_anew(tmp_path):
    own, reader = drop(tmp_path), CatalogReader([tmp_path])
    first, again = reader.read(), reader.read()
    assert again.targets["own"] is first.targets["own"]
    (own / "own.ini.j2").write_text("[phone]\nname={{ name }}\n")
    assert files(reader.read(), "own")[0] == {"own.ini": "[phone]\nname=1997\n"}
    BREAKS["no template"](own)
    assert set(reader.read().broken) == {"own"}
    shutil.rmtree(own)
    assert (reader.read().targets, reader.read().broken) == ({}, {})


def test_the_files_of_a_settled_target_are_not_opened_again(tmp_path):
    own, reader = drop(tmp_path), CatalogReader([tmp_path], now=lambda: 1e12)
    with opened(tmp_path) as first:
        reader.read()
    with opened(tmp_path) as second:
        reader.read()
    assert (set(first), set(second)) == ({str(own / "manifest.yaml"), str(own / "own.ini.j2")}, set())
    (own / "own.ini.j2").write_text("[phone]\nname={{ name }}\n")
    assert files(reader.read(), "own")[0] == {"own.ini": "[phone]\nname=1997\n"}


def test_files_that_may_change_without_a_sign_are_opened_again(tmp_path):
    own = drop(tmp_path)
    reader = CatalogReader([tmp_path], now=lambda: (own / "own.ini.j2").stat().st_ctime)
    reader.read()
    with opened(tmp_path) as again:
        reader.read()
    assert set(again) == {str(own / "manifest.yaml"), str(own / "own.ini.j2")}


def test_folders_that_are_hidden_missing_or_no_folders_hold_no_targets(tmp_path):
    drop(tmp_path, ".git")
    (tmp_path / "README").write_text("x")
    assert CatalogReader([tmp_path, tmp_path / "missing", tmp_path / "README"]).read().targets == {}


def test_a_folder_that_cannot_be_read_is_said_and_the_shipped_targets_stay(tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    catalog = CatalogReader([shipped(), loop]).read()
    assert set(catalog.targets) == SHIPPED
    assert "cannot be read" in str(catalog.broken[str(loop)][0])


@pytest.mark.parametrize("name", sorted(CatalogReader([shipped()]).read().targets))
def test_no_template_that_ships_has_a_mistake(name):
    target = CatalogReader([shipped()]).read().targets[name]
    assert check_templates(name, target.files, target.options) == ()
