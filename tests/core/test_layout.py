"""Where files go: below the home, or where IT says; never anywhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.layout import layout
from provisioner.core.parcel import Home
from provisioner.core.problem import ProvisionerError
from provisioner.core.settings import TargetChoice
from tests.targets.stage import agent, target

HOME = Home("victor", "/home/victor")


def place(path=None, *, login="vcisneros", home=HOME, root="/", name="linphone"):
    return layout(replace(agent(), login=login), TargetChoice(name, path), target(name), home=home, root=root)


@pytest.mark.parametrize(
    ("path", "base", "folder"),
    [
        (None, "/home/victor", ".config/linphone"),
        ("~/phone", "/home/victor", "phone"),
        ("~/phones/{login}", "/home/victor", "phones/vcisneros"),
        ("/home/victor/phone", "/home/victor", "phone"),
        ("/srv/phones/{user}", "/", "srv/phones/victor"),
        ("/home/victorious/x", "/", "home/victorious/x"),
        ("~/a//b/./c/", "/home/victor", "a/b/c"),
    ],
)
def test_a_path_becomes_a_base_and_a_folder_below_it(path, base, folder):
    found = place(path)
    assert (found.base, str(found.folder)) == (base, folder)
    assert found.absolute == str(PurePosixPath(base) / folder)


@pytest.mark.parametrize(
    ("path", "base", "folder"),
    [
        (None, "/r/home/victor", ".config/linphone"),
        ("/srv/x", "/r", "srv/x"),
        ("/home/victor/x", "/r/home/victor", "x"),
    ],
)
def test_everything_hangs_under_the_root(path, base, folder):
    found = place(path, home=Home("victor", "/r/home/victor"), root="/r")
    assert (found.base, str(found.folder)) == (base, folder)


@pytest.mark.parametrize(("path", "folders"), [(None, 1), ("~/phone", 1), ("/home/victor/x", 1), ("/srv/x", 0)])
def test_further_folders_are_made_in_the_home_alone(path, folders):
    assert len(place(path).folders) == folders


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("~/../x", "without `..`"), ("~/", "must name a folder"), ("/", "must name a folder"), ("/srv/../etc", "`..`"),
        ("~/a\nb", "must name a folder"), ("~/a\0b", "must name a folder"), ("~/{host}", "only {login} and {user}"),
        ("~/{login", "only {login} and {user}"), ("/home/victor", "must name a folder"),
    ],
)  # fmt: skip
def test_a_path_that_leads_elsewhere_is_a_problem(path, says):
    with pytest.raises(ProvisionerError, match="agent vcisneros") as caught:
        place(path)
    assert says in str(caught.value)


@pytest.mark.parametrize("login", ["../x", "a/b", ".", "..", ".hidden", "", "a\nb", "a\0b", "a\u2028b"])
def test_a_login_that_is_no_part_of_a_path_is_a_problem_where_it_is_used(login):
    with pytest.raises(ProvisionerError, match="cannot be a part of a path"):
        place("~/{login}", login=login)
    assert place("~/x", login=login)


def test_a_login_is_not_replaced_again():
    assert str(place("~/{login}", login="{user}").folder) == "{user}"


@pytest.mark.parametrize("path", ["~//etc", "~///etc/", "~/.//etc"])
def test_a_doubled_slash_leads_nowhere_else(path):
    assert str(place(path).folder) == "etc"


def test_a_home_alone_is_no_folder():
    with pytest.raises(ProvisionerError, match="must name a folder"):
        place("~//")


@given(st.text(), st.text())
def test_no_path_and_no_login_leads_out_of_its_base(path, login):
    try:
        found = place(f"~/{path}", login=login)
    except ProvisionerError:
        return
    assert not found.folder.is_absolute()
    assert ".." not in found.folder.parts
    assert found.folder.parts
