"""Passwords are looked up again only when what holds them changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.core.password_source import FromEnv, FromFile, Inline, PasswordSource
from provisioner.core.problem import Place, ProvisionerError
from provisioner.core.secret import Secret
from provisioner.edge.credential import Credentials
from provisioner.edge.password import Passwords
from tests.edge.opened import opened

PLACE = Place("a.yaml", 1, 1)
LATER = 1e12
ANA = FromFile("/secrets/ana")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "secrets" / "ana"
    path.parent.mkdir()
    path.write_text("one\n")
    path.chmod(0o600)
    return path


def passwords(root: Path, now: float = LATER, **environment: str) -> Passwords:
    return Passwords(Credentials(environment, root), root, now=lambda: now)


def text(of: Passwords, source: PasswordSource = ANA) -> str:
    return of.resolve(source, PLACE).reveal()


def test_a_settled_file_is_opened_once(tmp_path, file):
    known = passwords(tmp_path)
    with opened(tmp_path) as first:
        assert text(known) == "one"
    with opened(tmp_path) as again:
        assert text(known) == "one"
    assert (list(first), list(again)) == ([str(file)], [])


def test_a_file_that_may_change_unseen_is_opened_each_time(tmp_path, file):
    known = passwords(tmp_path, now=file.stat().st_ctime)
    text(known)
    with opened(tmp_path) as again:
        text(known)
    assert list(again) == [str(file)]


def test_every_change_is_noticed(tmp_path, file):
    known = passwords(tmp_path)
    assert text(known) == "one"
    file.write_text("three\n")
    assert text(known) == "three"
    file.chmod(0o640)
    with pytest.raises(ProvisionerError, match="others can read"):
        text(known)
    file.chmod(0o600)
    assert text(known) == "three"
    file.unlink()
    with pytest.raises(ProvisionerError, match="cannot be read"):
        text(known)
    file.write_text("four\n")
    file.chmod(0o600)
    assert text(known) == "four"


def test_what_is_no_file_is_asked_for_each_time(tmp_path):
    known = passwords(tmp_path, PW="x")
    assert (text(known, FromEnv("PW")), text(known, Inline(Secret("y")))) == ("x", "y")
