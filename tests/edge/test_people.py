"""The real users of this machine."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

import pytest

from provisioner.core.parcel import Home
from provisioner.core.problem import Place, ProvisionerError
from provisioner.edge.people import People, is_still, own
from tests.faults import ROOT, run_python

PLACE = Place("agents.d/marta.yaml", 2, 3)
ME = pwd.getpwuid(os.geteuid())
SOMEBODY = next(entry for entry in pwd.getpwall() if entry.pw_uid != ME.pw_uid)


def home(user: str | None = None, folder: str | None = None, root: str = "/") -> Home:
    return People(Path(root)).home_of(user, folder, PLACE)


def refused(user: str | None) -> str:
    with pytest.raises(ProvisionerError) as caught:
        home(user)
    (problem,) = caught.value.problems
    assert problem.where == PLACE
    return f"{problem.what} ({problem.fix})"


@pytest.mark.parametrize("user", [None, ME.pw_name])
def test_our_own_home_is_that_of_the_user_database(user: str | None):
    assert home(user) == Home(ME.pw_name, ME.pw_dir)


@pytest.mark.parametrize("user", [None, ME.pw_name])
@pytest.mark.parametrize(
    ("folder", "root", "where"),
    [("/srv/phones", "/", "/srv/phones"), ("/srv/phones/", "/", "/srv/phones"), ("/srv", "/tmp/r", "/tmp/r/srv"),
     (None, "/tmp/r", f"/tmp/r{ME.pw_dir}"), ("/", "/tmp/r", "/tmp/r"), ("/srv/../x", "/tmp/r", "/tmp/r/srv/../x")],
)  # fmt: skip
def test_a_home_that_is_given_hangs_under_the_root(user: str | None, folder: str | None, root: str, where: str):
    assert home(user, folder, root) == Home(ME.pw_name, where)


@pytest.mark.parametrize("user", ["no-such-user", "-1", "a\0b", "\ud800", "x" * 10_000])
def test_nobody_of_that_name_is_said(user: str):
    assert refused(user) == f"there is no user `{user}` on this machine (correct `user:`, or create the user)"


def test_somebody_elses_files_are_for_the_courier_of_that_user():
    assert home(SOMEBODY.pw_name) == Home(SOMEBODY.pw_name, SOMEBODY.pw_dir, SOMEBODY.pw_uid)


def test_a_user_who_is_in_no_database_is_known_by_number():
    if not ROOT:
        assert own() == (os.geteuid(), os.getegid())
        return
    script = """
        import os
        from provisioner.core.problem import Place, ProvisionerError
        from provisioner.edge.people import People
        os.setresuid(4242424, 4242424, 4242424)
        for user in (None, "root"):
            try:
                print(People().home_of(user, "/srv", Place("x")))
            except ProvisionerError as error:
                print(error)
    """
    assert run_python(script).splitlines() == [
        "x: there is no user `4242424` on this machine (correct `user:`, or create the user)",
        "Home(user='root', folder='/srv', uid=0)",
    ]


def test_many_agents_of_one_user_ask_for_that_user_once():
    people, asked = People(), []
    sys.setprofile(lambda _, event, called: asked.append(called) if event == "c_call" else None)
    for _ in range(100):
        people.home_of(ME.pw_name, None, PLACE)
    sys.setprofile(None)
    assert asked.count(pwd.getpwnam) == 1


def test_files_are_ours():
    assert own() == (os.geteuid(), os.getegid())


@pytest.mark.parametrize(
    ("user", "uid", "still"),
    [(SOMEBODY.pw_name, SOMEBODY.pw_uid, True), (SOMEBODY.pw_name, ME.pw_uid, False),
     (SOMEBODY.pw_name, 4242424, False), ("no-such-user", SOMEBODY.pw_uid, False),
     ("no-such-user", 4242424, True)],
)  # fmt: skip
def test_a_number_is_a_users_until_somebody_else_has_it(user: str, uid: int, still: bool):
    assert is_still(user, uid) is still
