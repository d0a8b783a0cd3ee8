"""An agent's refresh on a real disk, with a real ledger."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from provisioner.core.derive import Secrets
from provisioner.core.parcel import Home, State, TargetReport
from provisioner.core.prepare import Job
from provisioner.core.problem import ProvisionerError
from provisioner.core.secret import Secret
from provisioner.core.settings import Overrides, TargetChoice
from provisioner.cycle import Cycle
from provisioner.edge.catalog import CatalogReader
from provisioner.edge.disk import staged_name
from provisioner.edge.people import own
from provisioner.edge.store import Store, open_store
from provisioner.refresh import AgentReport, order_of, report_of
from tests.examples import wanted
from tests.faults import as_plain_user, calls_of, killed_at_each_call, on_small_disk

HA1 = "07a46a13aa5434e21e6a9aa870482720"
MANIFEST = """
title: {name}
folder: .{name}
credential: [ha1]
transports: {{udp: udp, wss: wss}}
codecs: {{pcma: PCMA, pcmu: PCMU}}
dtmf: {{rfc4733: rtpevent}}
media_encryption: {{none: "no", dtls: "dtls"}}
options: {{flavour: {{default: plain, description: For the tests.}}}}
files:
"""
ACCOUNT = "[account]\nuser={{ name }}\ndisplay={{ display_name }}\nha1={{ ha1 }}\nflavour={{ options.flavour }}\n"
CODECS = "[codecs]\n{% for codec in codecs %}\n{{ codec }}=1\n{% endfor %}\n"
SEED = "[misc]\nconfig-uri=file://{{ folder }}/account.ini\n"
FILES = {
    "phone": ("account.ini", "codecs.ini"),
    "other": ("account.ini",),
    "seeded": ("rc", "account.ini"),
}


def refresh(cycle: Cycle, job: Job) -> AgentReport:
    """Work out one agent's files and deliver them."""
    order = order_of(job)
    return report_of(order.prepared, cycle.bring(order.prepared.agent, order.parcels))


def add_target(folder: Path, name: str, files: Mapping[str, str], *, once: str = "", more: str = "") -> None:
    """A target's folder: ``files`` are names and templates, ``once`` the seed among them."""
    target = folder / name
    target.mkdir(parents=True, exist_ok=True)
    entries = "".join(
        f"  - {{name: {file}, template: {file}.j2, format: ini{', once: true' if file == once else ''}}}\n"
        for file in files
    )
    (target / "manifest.yaml").write_text(MANIFEST.format(name=name) + entries + more)
    for file, source in files.items():
        (target / f"{file}.j2").write_text(source)


class Machine:
    """A workstation in a folder: targets, homes, a state, and a cycle that can be started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.templates = folder / "templates"
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        add_target(self.templates, "phone", {"account.ini": ACCOUNT, "codecs.ini": CODECS})
        add_target(self.templates, "other", {"account.ini": ACCOUNT})
        add_target(self.templates, "seeded", {"rc": SEED, "account.ini": ACCOUNT}, once="rc")
        self.reader = CatalogReader([self.templates])
        self.start()

    def start(self) -> None:
        """Begin anew with what is on the disk."""
        self.store: Store = open_store(self.folder / "state")
        self.cycle = Cycle(self.store, own())

    def restart(self) -> None:
        self.store.close()
        self.start()

    def job(self, login: str = "marta", *targets: str | TargetChoice, home: Path | None = None, **row: object) -> Job:
        catalog = self.reader.read()
        assert not catalog.broken
        choices = tuple(TargetChoice(one) if isinstance(one, str) else one for one in targets or ("phone",))
        want = wanted(login)
        agent = replace(want.agent, targets=choices, overrides=Overrides())
        ordinary = {
            "name": "1997", "host": "acme.example", "md5secret": HA1, "disallow": "all", "allow": "alaw;ulaw",
            "transport": "udp", "dtmfmode": "rfc2833", "fullname": login, "type": "friend",
        }  # fmt: skip
        want = replace(want, agent=agent, targets={c.target: catalog.targets.get(c.target) for c in choices})
        answer = Secret(json.dumps({**ordinary, **row}))
        place = Home("marta", str(home or self.home))
        return Job(want, answer, Secrets(), place, catalog.targets, catalog.broken, str(self.folder))

    def refresh(self, login: str = "marta", *targets: str | TargetChoice, **rest) -> AgentReport:
        return refresh(self.cycle, self.job(login, *targets, **rest))

    def files(self) -> set[str]:
        """All files of the home."""
        return {str(path.relative_to(self.home)) for path in self.home.rglob("*") if not path.is_dir()}

    def read(self, name: str) -> str:
        return (self.home / name).read_text()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.store.close()


def at(target: str, path: str, **rest) -> TargetChoice:
    return TargetChoice(target, f"~/{path}", **rest)


def states(report: AgentReport) -> dict[str, State]:
    return {target.target: target.state for target in report.targets}


def said(report: AgentReport | TargetReport) -> list[str]:
    """All problems that are none of the remarks about the realm, and about several phones of one agent."""
    targets = report.targets if isinstance(report, AgentReport) else (report,)
    found = [*(report.problems if isinstance(report, AgentReport) else ()), *(p for t in targets for p in t.problems)]
    ordinary = ("is assumed, not proven", "share one account")
    return [str(problem) for problem in found if not any(remark in problem.what for remark in ordinary)]


PHONE = {".phone/account.ini", ".phone/codecs.ini"}
OTHER = {".other/account.ini"}


# Written, unchanged, reloaded


def test_an_agents_files_are_written_once(machine: Machine):
    first = machine.refresh("marta", "phone", "other")
    assert states(first) == {"phone": State.WRITTEN, "other": State.WRITTEN}
    assert first.healthy
    assert [target.changed for target in first.targets] == [
        tuple(f"{machine.home}/.phone/{name}" for name in FILES["phone"]), (f"{machine.home}/.other/account.ini",),
    ]  # fmt: skip
    assert machine.files() == PHONE | OTHER
    assert machine.read(".phone/account.ini").splitlines()[1:4] == ["user=1997", "display=marta", f"ha1={HA1}"]
    before = {name: (machine.home / name).stat() for name in machine.files()}
    for again in (machine.refresh("marta", "phone", "other"), self_restarted(machine)):
        assert states(again) == {"phone": State.UNCHANGED, "other": State.UNCHANGED}
        assert [target.changed for target in again.targets] == [(), ()]
    assert {name: (machine.home / name).stat().st_ctime_ns for name in before} == {
        name: status.st_ctime_ns for name, status in before.items()
    }


def self_restarted(machine: Machine) -> AgentReport:
    machine.restart()
    return machine.refresh("marta", "phone", "other")


def test_nothing_is_written_not_even_to_the_ledger_when_nothing_changes(machine: Machine):
    machine.refresh()
    job = machine.job()
    calls = calls_of(lambda: refresh(machine.cycle, job))
    assert "stat" in calls
    assert not {"execute", "fsync", "mkdir", "rename", "fchmod", "unlink", "write"} & set(calls)


def test_what_a_crash_left_beside_a_file_is_removed_though_the_file_is_right(machine: Machine):
    machine.refresh()
    (machine.home / ".phone" / staged_name("account.ini")).write_text("half of it")
    assert states(machine.refresh()) == {"phone": State.UNCHANGED}
    assert machine.files() == PHONE


def test_a_phone_is_reloaded_only_when_content_changed(machine: Machine):
    def renewed(**row: object) -> bool:
        (target,) = machine.refresh("marta", **row).targets
        return target.renewed

    assert renewed()
    assert not renewed()
    assert renewed(fullname="Marta N")
    (machine.home / ".phone/account.ini").chmod(0o644)
    (target,) = machine.refresh("marta", fullname="Marta N").targets
    assert (target.state, target.renewed) == (State.WRITTEN, False)
    assert stat.S_IMODE((machine.home / ".phone/account.ini").stat().st_mode) == 0o600


# Drift


def delete(path: Path) -> None:
    path.unlink()


def edit(path: Path) -> None:
    path.write_text(path.read_text().replace(HA1, "0" * 32))


def loosen(path: Path) -> None:
    path.chmod(0o644)


def swap(path: Path) -> None:
    path.with_name("x").write_bytes(path.read_bytes())
    path.with_name("x").replace(path)


def lose_the_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


@pytest.mark.parametrize("touch", [delete, edit, loosen, swap, lose_the_folder])
@pytest.mark.parametrize("after", [State.WRITTEN, State.UNCHANGED])
def test_drift_is_noticed_and_repaired(machine: Machine, touch, after: State):
    machine.refresh()
    assert machine.cycle.drifted("marta") is False
    if after is State.UNCHANGED:
        assert states(machine.refresh()) == {"phone": after}
        assert machine.cycle.drifted("marta") is False
    good = machine.read(".phone/account.ini")
    touch(machine.home / ".phone/account.ini")
    assert machine.cycle.drifted("marta") is True
    assert not machine.cycle.drifted("somebody else")
    machine.refresh()
    assert machine.read(".phone/account.ini") == good
    assert stat.S_IMODE((machine.home / ".phone/account.ini").stat().st_mode) == 0o600
    assert machine.cycle.drifted("marta") is False


def test_a_home_that_became_a_link_is_drift(machine: Machine):
    machine.refresh()
    (machine.home / ".phone").rename(machine.home / "moved")
    (machine.home / ".phone").symlink_to("moved")
    assert machine.cycle.drifted("marta") is True
    report = machine.refresh()
    assert states(report) == {"phone": State.KEPT}
    assert said(report) == [
        f"{machine.home}/.phone: this is a symbolic link, which is not followed"
        " (put a folder there, or write the real path)"
    ]


# One target cannot stop another


def spoil_template(machine: Machine) -> None:
    (machine.templates / "phone" / "codecs.ini.j2").write_text("{{ 1 // 0 }}")


def stand_in_the_way(machine: Machine) -> None:
    (machine.home / ".phone" / "codecs.ini").unlink()
    (machine.home / ".phone" / "codecs.ini").mkdir()


def link_the_folder(machine: Machine) -> None:
    (machine.home / ".phone").rename(machine.home / "moved")
    (machine.home / ".phone").symlink_to("moved")


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (spoil_template, "phone/codecs.ini.j2:1:1: the template fails with ZeroDivisionError"),
        (stand_in_the_way, ".phone/codecs.ini: a folder stands where a file should be (move it away)"),
        (link_the_folder, ".phone: this is a symbolic link"),
    ],
)
def test_a_target_that_fails_keeps_its_last_good_files_and_the_others_go_on(machine: Machine, spoil, what: str):
    machine.refresh("marta", "phone", "other", fullname="old")
    before = {path.name: path.read_bytes() for path in (machine.home / ".phone").iterdir()}
    spoil(machine)
    before.update({path.name: path.read_bytes() for path in (machine.home / ".phone").iterdir() if path.is_file()})
    report = machine.refresh("marta", "phone", "other", fullname="new")
    assert states(report) == {"phone": State.KEPT, "other": State.WRITTEN}
    assert [what in line for line in said(report)] == [True]
    assert not report.healthy
    for path in (machine.home / ".phone").iterdir():
        if path.is_file():
            assert path.read_bytes() == before[path.name]
    assert "display=new" in machine.read(".other/account.ini")


@pytest.mark.parametrize("choice", [TargetChoice("no-such"), TargetChoice("phone", options={"nope": "x"})])
def test_a_target_that_never_worked_is_not_written(machine: Machine, choice: TargetChoice):
    report = machine.refresh("marta", choice, "other")
    assert states(report) == {choice.target: State.NEVER, "other": State.WRITTEN}
    assert machine.files() == OTHER


def test_an_answer_that_makes_no_account_keeps_everything(machine: Machine):
    machine.refresh("marta", "phone", "other")
    report = machine.refresh("marta", "phone", "seeded", md5secret="", secret="")
    assert states(report) == {"phone": State.KEPT, "seeded": State.NEVER}
    assert len(said(report)) == 1
    assert machine.files() == PHONE  # `other` is not chosen any more, whatever the platform says


def test_a_missing_home_is_said_and_nothing_is_made_there(machine: Machine):
    report = machine.refresh("marta", home=machine.folder / "nobody")
    assert states(report) == {"phone": State.NEVER}
    assert said(report) == [
        f"{machine.folder}/nobody: there is no such folder (create it, or correct `home:` or `path:`)"
    ]
    assert not (machine.folder / "nobody").exists()
    assert machine.store.recorded() == ()


def test_a_folder_that_we_may_not_write_keeps_the_files(machine: Machine):
    machine.refresh("marta", "phone")  # whoever may not read Python's own folders imports nothing late

    def scenario(_: int) -> None:
        machine = Machine(Path(work))
        machine.refresh("marta", "phone", "other", fullname="old")
        (machine.home / ".phone").chmod(0o500)
        report = machine.refresh("marta", "phone", "other", fullname="new")
        assert states(report) == {"phone": State.KEPT, "other": State.WRITTEN}
        assert ["permission is denied" in line for line in said(report)] == [True]
        assert "display=old" in machine.read(".phone/account.ini")
        (machine.home / ".phone").chmod(0o700)
        assert states(machine.refresh("marta", "phone", fullname="new")) == {"phone": State.WRITTEN}

    # Not below pytest's own folder, which no other user may enter.
    with TemporaryDirectory() as work:
        as_plain_user(Path(work), scenario)


FULL = """
    import sys
    from pathlib import Path
    from tests.test_cycle import Machine, at, said, states
    folder = Path(sys.argv[1])
    machine = Machine(folder.parents[1])
    machine.refresh("marta", at("phone", "small"), "other", fullname="old")
    (folder / "ballast").write_bytes(b"x" * 20_000)
    try:
        (folder / "more").write_bytes(b"x" * 100_000)
    except OSError:
        pass
    for again in range(2):
        report = machine.refresh("marta", at("phone", "small"), at("seeded", "small/new"), "other", fullname="n" * 300)
        print({target: str(state) for target, state in states(report).items()})
        print(*[line.removeprefix(str(machine.home)) for line in said(report)], sep="\\n")
        assert "display=old" in machine.read("small/account.ini")
        machine.restart()
    # What was moved to a full disk stays where it was.
    report = machine.refresh("marta", at("phone", "small"), at("other", "small/other"), fullname="n" * 300)
    assert "display=nnn" in machine.read(".other/account.ini"), machine.files()
    for name in ("ballast", "more"):
        (folder / name).unlink()
    report = machine.refresh("marta", at("phone", "small"), fullname="n" * 300)
    print({target: str(state) for target, state in states(report).items()})
    print(sorted(machine.files()))
"""


def test_a_full_disk_keeps_the_files_of_that_target_and_the_others_go_on(tmp_path: Path):
    (tmp_path / "home" / "small").mkdir(parents=True)
    full = "the disk is full (make room; the last good files stay)"
    lines = on_small_disk(FULL, tmp_path / "home" / "small").splitlines()
    told = ["{'phone': 'last good files kept', 'seeded': 'not written', 'other': 'written'}",
            f"/small/account.ini: {full}", f"/small/new/rc: {full}"]  # fmt: skip
    assert lines[:3] == told
    assert lines[3:6] == [told[0].replace("'written'", "'unchanged'"), *told[1:]]
    assert lines[6:] == ["{'phone': 'written'}", "['small/account.ini', 'small/codecs.ini']"]


# What is not wanted any more


def test_files_of_targets_that_are_not_chosen_any_more_are_removed(machine: Machine):
    machine.refresh("marta", "phone", "other")
    assert states(machine.refresh("marta", "other")) == {"other": State.UNCHANGED}
    assert machine.files() == OTHER
    machine.refresh("marta", "phone", "other")
    machine.restart()
    machine.refresh("marta", "phone")
    assert machine.files() == PHONE


def test_a_file_that_a_target_does_not_make_any_more_is_removed(machine: Machine):
    machine.refresh()
    add_target(machine.templates, "phone", {"account.ini": ACCOUNT})
    assert states(machine.refresh()) == {"phone": State.UNCHANGED}
    assert machine.files() == {".phone/account.ini"}


def test_a_target_that_moves_takes_its_files_along(machine: Machine):
    machine.refresh("marta", "phone")
    machine.refresh("marta", at("phone", "moved"))
    assert machine.files() == {"moved/account.ini", "moved/codecs.ini"}
    machine.refresh("marta", TargetChoice("phone", "/elsewhere/{login}"))
    assert machine.files() == set()
    assert sorted(os.listdir(machine.folder / "elsewhere" / "marta")) == ["account.ini", "codecs.ini"]


def test_a_target_that_cannot_move_stays(machine: Machine):
    machine.refresh("marta", "phone")
    (machine.home / "blocked").write_text("")
    report = machine.refresh("marta", at("phone", "blocked"))
    assert states(report) == {"phone": State.KEPT}
    assert machine.files() == PHONE | {"blocked"}
    (machine.home / "blocked").unlink()
    machine.refresh("marta", at("phone", "blocked"))
    assert machine.files() == {"blocked/account.ini", "blocked/codecs.ini"}


def test_targets_can_change_places(machine: Machine):
    machine.refresh("marta", at("phone", "one"), at("other", "two"))
    report = machine.refresh("marta", at("phone", "two"), at("other", "one"))
    assert said(report) == []
    assert machine.files() == {"two/account.ini", "two/codecs.ini", "one/account.ini"}
    machine.restart()
    machine.refresh("marta", at("phone", "two"))
    assert machine.files() == {"two/account.ini", "two/codecs.ini"}


def test_what_cannot_be_removed_is_said_until_it_is(machine: Machine):
    machine.refresh("marta", "phone", "other")
    (machine.home / ".other").rename(machine.home / "kept")
    (machine.home / ".other").symlink_to("kept")
    for _ in range(2):
        report = machine.refresh("marta", "phone")
        assert ["/.other: this is a symbolic link" in line for line in said(report)] == [True]
        assert (machine.home / "kept/account.ini").exists()
    (machine.home / ".other").unlink()
    (machine.home / "kept").rename(machine.home / ".other")
    assert said(machine.refresh("marta", "phone")) == []
    assert machine.files() == PHONE


def test_a_ledger_that_could_not_be_read_is_not_taken_for_an_empty_one(machine: Machine):
    machine.refresh("marta", "phone")
    machine.restart()
    with closing(sqlite3.connect(machine.folder / "state" / "state.sqlite")) as other:
        other.execute("ALTER TABLE file RENAME TO elsewhere")
        with pytest.raises(ProvisionerError):
            machine.refresh("marta", "phone")
        other.execute("ALTER TABLE elsewhere RENAME TO file")
    assert said(machine.refresh("marta", "other")) == []
    assert machine.files() == {".other/account.ini"}


def test_an_agent_who_is_gone_leaves_nothing(machine: Machine):
    machine.refresh("marta", "phone", "seeded")
    machine.refresh("juan", at("phone", "juan"))
    (machine.home / ".phone" / staged_name("account.ini")).write_text("left by a crash")
    (machine.home / ".phone" / "history").write_text("the phone's own")
    machine.restart()
    assert machine.cycle.agents() == {"marta", "juan"}
    assert machine.cycle.remove("marta") == ()
    assert machine.files() == {"juan/account.ini", "juan/codecs.ini", ".phone/history"}
    assert machine.cycle.agents() == {"juan"}
    assert machine.cycle.remove("marta") == ()
    assert not machine.cycle.drifted("marta")


def test_a_home_that_is_gone_took_its_files_along(machine: Machine):
    machine.refresh()
    machine.home.rename(machine.folder / "archive")
    assert machine.cycle.remove("marta") == ()
    assert machine.cycle.agents() == frozenset()


# What was there before us


def before(machine: Machine, name: str, content: str = "theirs") -> Path:
    path = machine.home / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    path.chmod(0o644)
    return path


def test_a_file_that_was_there_before_is_kept_once_under_another_name(machine: Machine):
    before(machine, ".phone/account.ini")
    report = machine.refresh()
    assert report.healthy
    assert said(report) == [
        f"{machine.home}/.phone/account.ini: this file was there before and was replaced"
        " (it is kept as account.ini.before-provisioner)"
    ]
    kept = machine.home / ".phone/account.ini.before-provisioner"
    assert (kept.read_text(), stat.S_IMODE(kept.stat().st_mode)) == ("theirs", 0o600)
    (machine.home / ".phone/account.ini").write_text("edited, which is drift")
    assert said(machine.refresh()) == []
    machine.restart()
    machine.refresh(fullname="new")
    machine.cycle.remove("marta")
    assert machine.files() == {".phone/account.ini.before-provisioner"}
    assert kept.read_text() == "theirs"


def test_a_file_that_is_as_it_should_be_is_taken_over(machine: Machine):
    machine.refresh()
    machine.store.forget(machine.store.recorded())
    machine.restart()
    report = machine.refresh()
    assert (states(report), said(report)) == ({"phone": State.UNCHANGED}, [])
    machine.cycle.remove("marta")
    assert machine.files() == set()


def test_a_phones_own_file_that_was_there_before_is_left_alone_for_ever(machine: Machine):
    own = before(machine, ".seeded/rc", "[sip]\nprecious=1\n")
    report = machine.refresh("marta", "seeded")
    assert said(report) == [
        f"{own}: the phone had this file before and it does not hold config-uri: it will not find its settings"
        " (close the phone, move the file away, and it is made anew)"
    ]
    machine.restart()
    machine.refresh("marta", "seeded")
    machine.cycle.remove("marta")
    assert machine.files() == {".seeded/rc"}
    assert own.read_text() == "[sip]\nprecious=1\n"


def test_a_seed_that_we_made_is_the_phones_until_it_is_removed(machine: Machine):
    machine.refresh("marta", "seeded")
    (machine.home / ".seeded/rc").write_text(machine.read(".seeded/rc") + "[sip]\nha1=whatever\n")
    assert machine.cycle.drifted("marta") is False
    machine.restart()
    assert states(machine.refresh("marta", "seeded")) == {"seeded": State.UNCHANGED}
    assert "ha1=whatever" in machine.read(".seeded/rc")
    (machine.home / ".seeded/rc").unlink()
    assert machine.cycle.drifted("marta") is True
    machine.refresh("marta", "seeded")
    assert "config-uri" in machine.read(".seeded/rc")
    machine.cycle.remove("marta")
    assert machine.files() == set()


def test_what_could_not_be_replaced_is_still_theirs(machine: Machine):
    theirs = before(machine, ".phone/account.ini")
    (machine.home / ".phone" / staged_name("codecs.ini")).mkdir()
    report = machine.refresh()
    assert states(report) == {"phone": State.NEVER}
    assert theirs.read_text() == "theirs"
    assert machine.store.recorded() == ()
    machine.cycle.remove("marta")
    assert theirs.read_text() == "theirs"


# Who holds a path


def test_two_targets_cannot_have_one_path_and_the_first_keeps_it(machine: Machine):
    for _ in range(2):
        report = machine.refresh("marta", at("other", "here"), at("phone", "here"))
        assert states(report)["phone"] is State.NEVER
        assert said(report) == [
            f"agent marta, phone: {machine.home}/here/account.ini belongs to the target other of agent marta already"
            " (give one of them another `path` or `home`)"
        ]
        assert machine.files() == {"here/account.ini"}
        machine.restart()


def test_two_agents_cannot_have_one_path_and_the_first_keeps_it(machine: Machine):
    machine.refresh("marta")
    for _ in range(2):
        report = machine.refresh("ana")
        assert states(report) == {"phone": State.NEVER}
        assert said(report) == [
            f"agent ana, phone: {machine.home}/.phone/{name} belongs to the target phone of agent marta already"
            " (give one of them another `path` or `home`)"
            for name in FILES["phone"]
        ]
        assert "display=marta" in machine.read(".phone/account.ini")
        # Whoever logs in first after a restart: the ledger knows.
        machine.restart()
    machine.cycle.remove("ana")
    assert machine.files() == PHONE


def test_one_path_is_one_path_however_it_is_written(machine: Machine):
    machine.refresh("marta", "phone")
    absolute = TargetChoice("phone", "/home/.phone")
    for home in (machine.home, machine.folder / "state"):
        report = machine.refresh("ana", absolute, home=home)
        assert len(said(report)) == 2
    machine.restart()
    assert len(said(machine.refresh("ana", absolute, home=machine.folder / "state"))) == 2


def test_a_path_has_one_entry_however_it_is_written(machine: Machine):
    machine.refresh("marta", "phone")
    report = machine.refresh("marta", TargetChoice("phone", "/home/.phone"), home=machine.folder / "state")
    assert states(report) == {"phone": State.UNCHANGED}
    machine.restart()
    assert machine.files() == PHONE
    machine.cycle.remove("marta")
    machine.restart()
    assert (machine.files(), machine.cycle.agents()) == (set(), frozenset())


def test_whoever_was_refused_is_told_when_the_path_is_free(machine: Machine):
    machine.refresh("marta")
    machine.refresh("ana")
    machine.refresh("juan")
    assert machine.cycle.freed() == frozenset()
    machine.refresh("marta", at("phone", "moved"))
    assert machine.cycle.freed() == {"ana", "juan"}
    assert machine.cycle.freed() == frozenset()
    assert states(machine.refresh("juan")) == {"phone": State.WRITTEN}
    machine.refresh("ana")
    machine.cycle.remove("juan")
    assert machine.cycle.freed() == {"ana"}


def test_a_target_moves_from_one_agent_to_another(machine: Machine):
    machine.refresh("marta", at("phone", "shared"), "other")
    machine.refresh("ana", at("phone", "shared"))  # before marta's turn: refused
    machine.refresh("marta", "other")
    assert "shared/account.ini" not in machine.files()
    machine.refresh("ana", at("phone", "shared"))
    assert "display=ana" in machine.read("shared/account.ini")
    machine.restart()
    machine.cycle.remove("marta")
    assert machine.files() == {"shared/account.ini", "shared/codecs.ini"}


@pytest.mark.parametrize("restarted", [False, True])
def test_an_agent_who_is_renamed_keeps_one_set_of_files(machine: Machine, restarted: bool):
    machine.refresh("marta")
    if restarted:
        machine.restart()
    machine.cycle.remove("marta")
    machine.refresh("marta.new")
    assert "display=marta.new" in machine.read(".phone/account.ini")
    assert machine.cycle.remove("marta") == ()
    assert machine.files() == PHONE


# Cut short


@pytest.mark.slow
def test_the_ledger_names_every_file_wherever_the_process_is_killed(machine: Machine):
    theirs = "theirs, from before"
    kills = 0
    machine.store.close()

    def refresh() -> None:
        machine.start()
        machine.refresh("marta", "phone", "seeded")

    for _ in killed_at_each_call(refresh):
        kills += 1
        machine.start()
        recorded = {str(entry.path) for entry in machine.store.recorded()}
        found = machine.files()
        for name in found - {".phone/account.ini.before-provisioner"}:
            staged = {staged_name(Path(path).name): path for path in recorded}
            real = name if name in recorded else staged.get(Path(name).name, name)
            assert real in recorded or (machine.home / name).read_text() == theirs
        if found & {".phone/account.ini.before-provisioner"}:
            assert machine.read(".phone/account.ini.before-provisioner") == theirs
        assert states(machine.refresh("marta", "phone")).keys() == {"phone"}
        assert machine.files() - {".phone/account.ini.before-provisioner"} == PHONE
        machine.cycle.remove("marta")
        assert machine.files() <= {".phone/account.ini.before-provisioner"}
        machine.store.close()
        for name in machine.files():
            (machine.home / name).unlink()
        before(machine, ".phone/account.ini", theirs)
    machine.start()
    assert kills > 100


def test_no_secret_is_in_a_report(machine: Machine):
    report = machine.refresh("marta", "phone", "seeded", "no-such", secret="sentinel")
    assert HA1 not in repr(report)
    assert "sentinel" not in repr(report)
