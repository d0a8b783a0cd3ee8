"""Desired × observed → steps, as tables."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import PurePosixPath

import pytest

from provisioner.core.plan import (
    Chmod,
    Create,
    DesiredFile,
    Keep,
    Kind,
    ObservedFile,
    Update,
    brake,
    missing_lines,
    plan,
)
from provisioner.core.problem import ProvisionerError

P = PurePosixPath("phone/account")
OWNER = (1000, 1000)
WANTED = DesiredFile(P, b"new", 0o600)
SEED = DesiredFile(P, b"new", 0o600, once=True)


def found(content: bytes | None = b"new", mode: int = 0o600, **rest) -> ObservedFile:
    return ObservedFile(P, Kind.FILE, content, mode, **{"owner": OWNER, **rest})


@pytest.mark.parametrize(
    ("desired", "observed", "step"),
    [
        (WANTED, ObservedFile(P, Kind.ABSENT), Create(P)),
        (WANTED, found(), Keep(P)),
        (WANTED, found(b"old"), Update(P)),
        (WANTED, found(b""), Update(P)),
        (WANTED, found(None), Update(P)),
        (WANTED, found(mode=0o644), Chmod(P, 0o600)),
        (WANTED, found(mode=0o400), Chmod(P, 0o600)),
        (WANTED, found(mode=0o4600), Chmod(P, 0o600)),
        (WANTED, found(owner=(0, 1000)), Update(P)),
        (WANTED, found(owner=(1000, 0)), Update(P)),
        (WANTED, found(b"old", mode=0o644), Update(P)),
        (WANTED, found(links=2), Keep(P)),
        (WANTED, found(mode=0o644, links=2), Update(P)),
        (DesiredFile(P, b"new", 0o644), found(), Chmod(P, 0o644)),
        (DesiredFile(P, b"", 0o600), found(b""), Keep(P)),
        (SEED, ObservedFile(P, Kind.ABSENT), Create(P)),
        (SEED, found(b"what the phone made of it"), Keep(P)),
        (SEED, found(None), Keep(P)),
        (SEED, found(b"other", mode=0o644), Chmod(P, 0o600)),
        (SEED, found(b"other", mode=0o744), Chmod(P, 0o700)),
        (SEED, found(b"other", mode=0o400), Keep(P)),
        (SEED, found(b"other", mode=0o644, owner=(0, 0)), Keep(P)),
        (SEED, found(b"other", mode=0o644, links=2), Keep(P)),
    ],
)
def test_each_file_has_its_step(desired, observed, step):
    assert plan([desired], {P: observed}, OWNER) == (step,)


@pytest.mark.parametrize("kind", [Kind.FOLDER, Kind.LINK, Kind.OTHER])
@pytest.mark.parametrize("once", [False, True])
def test_what_is_no_file_stands_in_the_way(kind, once):
    with pytest.raises(ProvisionerError, match=f"phone/account: a {kind} stands where a file should be"):
        plan([DesiredFile(P, b"", once=once)], {P: ObservedFile(P, kind)}, OWNER)


def test_everything_that_stands_in_the_way_is_said_at_once():
    paths = [PurePosixPath(name) for name in "abc"]
    kinds = dict(zip(paths, [Kind.FOLDER, Kind.ABSENT, Kind.LINK], strict=True))
    with pytest.raises(ProvisionerError) as caught:
        plan([DesiredFile(path, b"") for path in paths], {p: ObservedFile(p, k) for p, k in kinds.items()}, OWNER)
    assert [problem.where.subject for problem in caught.value.problems] == ["a", "c"]


def test_steps_come_in_the_order_of_the_manifest():
    paths = [PurePosixPath(name) for name in ("z", "a", "m")]
    steps = plan([DesiredFile(p, b"") for p in paths], {p: ObservedFile(p, Kind.ABSENT) for p in paths}, OWNER)
    assert [step.path for step in steps] == paths


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a", "a"), "a: two files of this target have the same name (rename one in its manifest)"),
        (("a", "./a"), "a: two files of this target have the same name (rename one in its manifest)"),
        (("a", "a/b"), "a: another file of this target needs a folder here (rename one in its manifest)"),
        (("a/b/c", "a"), "a: another file of this target needs a folder here (rename one in its manifest)"),
    ],
)
def test_files_that_are_in_each_others_way_are_refused(names, message):
    files = [DesiredFile(PurePosixPath(name), b"") for name in names]
    with pytest.raises(ProvisionerError) as caught:
        plan(files, {file.path: ObservedFile(file.path, Kind.ABSENT) for file in files}, OWNER)
    assert str(caught.value) == message


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../../up", "a/..", ".", ""])
def test_a_path_that_leads_up_or_nowhere_is_refused(path):
    with pytest.raises(ProvisionerError, match="must lead down from its base"):
        DesiredFile(PurePosixPath(path), b"")


def test_content_is_not_in_the_text_of_a_file():
    texts = repr(DesiredFile(P, b"sentinel")), repr(found(b"sentinel"))
    assert "sentinel" not in "".join(texts)


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        (b"[misc]\nconfig-uri=file:///x\nother=1\n", ()),
        (b"[misc]\r\nconfig-uri=file:///x\r\n", ()),
        (b"[misc]\nconfig-uri=file:///y\n", ("config-uri",)),
        (b"", ("config-uri",)),
        (None, ()),
    ],
)
def test_a_seed_says_what_an_older_file_does_not_hold(content, missing):
    seed = DesiredFile(P, b"# a=comment\n[misc]\nconfig-uri=file:///x\n", once=True)
    assert missing_lines(seed, found(content)) == missing


@pytest.mark.parametrize(
    ("before", "removed", "accident"),
    [(0, 0, False), (9, 9, False), (10, 3, False), (10, 4, True), (10, 10, True), (11, 3, False), (11, 4, True),
     (100, 30, False), (100, 31, True), (1000, 0, False)],
)  # fmt: skip
def test_the_brake_holds_at_more_than_three_of_ten(before, removed, accident):
    agents = {f"agent {number}" for number in range(before)}
    left = {f"agent {number}" for number in range(removed, before + 5)}
    with pytest.raises(ProvisionerError, match=f"remove {removed} of {before} ") if accident else nullcontext():
        brake(agents, left)
