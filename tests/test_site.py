"""What this workstation is to serve: read again and again, cheaply, and never half."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import trustme

from provisioner.core.problem import ProvisionerError
from provisioner.core.reason import Reason, reason
from provisioner.core.report import problem_as_json, problems_as_text
from provisioner.core.secret import Secret
from provisioner.edge.credential import Credentials
from provisioner.site import Site, SiteReader, Surroundings
from tests.faults import calls_of, run_python

SENTINEL = "S3NT1NEL"
MANIFEST = """\
title: Pocket
folder: .pocket
credential: [ha1]
transports: {wss: wss}
codecs: {pcma: PCMA}
dtmf: {rfc4733: rtp}
media_encryption: {dtls: dtls}
files:
- {name: pocket.json, template: pocket.j2, format: json}
"""


class Ground:
    """A folder with a configuration and one target, and a reader of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / "etc"
        self.realms: dict[str, str] = {}
        self.environment: dict[str, str] = {}
        self.write("etc/provisioner.yaml", "platform: {url: https://acme.example}\n")
        self.target("pocket")
        self.reader = self.reader_of("ws-1")

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
        return path

    def target(self, name: str, manifest: str = MANIFEST) -> None:
        self.write(f"templates/{name}/manifest.yaml", manifest)
        self.write(f"templates/{name}/pocket.j2", '{"name": {{ name }}}\n')

    def agents(self, *lines: str) -> None:
        self.write("etc/agents.d/a.yaml", "agents:\n" + "".join(f"- {{{line}}}\n" for line in lines))

    def reader_of(self, workstation: str | None) -> SiteReader:
        credentials = Credentials(self.environment, self.root)
        around = Surroundings(self.root, workstation, credentials, b"key", lambda: dict(self.realms))
        return SiteReader(self.config, [self.root / "templates"], around)

    def read(self) -> Site:
        return self.reader.read()


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def passwords(site: Site) -> Mapping[str, str | None]:
    return {login: (served.secrets.password or Secret("")).reveal() for login, served in site.served.items()}


def cost(before: Site, after: Site, login: str = "ana") -> Reason:
    old, new = before.served[login].wanted, after.served[login].wanted
    return reason(old.identity, old, new)


def test_each_workstation_serves_its_own_agents(ground):
    ground.agents("login: ana, workstations: [ws-1]", "login: bob, workstations: [ws-2]", "login: eva")
    assert list(ground.read().served) == ["ana", "eva"]
    assert list(ground.read().settings.agents) == ["ana", "bob", "eva"]
    assert list(ground.reader_of(None).read().served) == ["ana", "bob", "eva"]
    ground.agents("login: ana, workstations: [ws-2]", "login: bob, workstations: [ws-1]", "login: eva")
    assert list(ground.read().served) == ["bob", "eva"]


def test_authorities_that_cannot_be_used_are_not_switched_to(ground):
    ground.agents("login: ana, password: x")
    before = ground.read()
    main = ground.write("etc/provisioner.yaml", f"platform: {{url: https://acme.example, ca_file: {ground.root}/ca}}\n")
    for _ in range(2):
        with pytest.raises(ProvisionerError, match="cannot be read: No such file") as caught:
            ground.read()
    (problem,) = caught.value.problems
    assert (problem.where.subject, problem.where.line, problem.where.column) == (str(main), 1, 48)
    trustme.CA().cert_pem.write_to_path(str(ground.root / "ca"))
    assert ground.read().settings.platform.ca_file != before.settings.platform.ca_file
    # What was in force keeps its reasons to try again.
    (ground.root / "ca").unlink()
    ground.agents("login: ana, password: y")
    assert passwords(ground.read()) == {"ana": "y"}
    assert passwords(ground.reader_of("ws-1").read()) == {"ana": "y"}


def test_an_agent_who_did_not_change_is_the_same_object(ground):
    ground.agents("login: ana, password: x", "login: bob, password: y")
    before = ground.read()
    ground.agents("login: ana, password: x", "login: bob, password: z")
    after = ground.read()
    assert after.served["ana"] is before.served["ana"]
    assert after.served["bob"] is not before.served["bob"]
    assert ground.read().served["bob"] is after.served["bob"]
    ground.reader.forget()
    assert ground.read().served["ana"] is before.served["ana"]


def test_a_misspelt_target_refuses_the_whole_and_says_where(ground):
    ground.agents("login: ana, targets: [pocket]", "login: bob, targets: [pocket]")
    before = ground.read()
    ground.agents("login: ana, targets: [pockte]", "login: bob, targets: [{target: nothing}]")
    with pytest.raises(ProvisionerError) as refused:
        ground.read()
    assert [str(problem) for problem in refused.value.problems] == [
        f"{ground.config}/agents.d/a.yaml:2:26: there is no target `pockte` (did you mean `pocket`?)",
        f"{ground.config}/agents.d/a.yaml:3:35: there is no target `nothing` (there are: pocket)",
    ]
    ground.agents("login: ana, targets: [pocket]", "login: bob, targets: [pocket]")
    assert ground.read().served["ana"] is before.served["ana"]


def test_a_target_that_breaks_on_disk_goes_on_as_it_was(ground):
    ground.agents("login: ana, password: x, targets: [pocket]")
    before = ground.read()
    ground.target("pocket", "title: [")
    after = ground.read()
    assert after.catalog["pocket"] is before.catalog["pocket"] and after.broken == {}
    assert after.served["ana"] is before.served["ana"]
    assert any("manifest.yaml" in str(remark) for remark in after.remarks)


def test_a_target_that_was_broken_from_the_start_is_the_matter_of_its_users(ground):
    ground.target("desk", "title: [")
    ground.agents("login: ana, password: x, targets: [desk]", "login: bob, password: x, targets: [pocket]")
    site = ground.read()
    assert list(site.broken) == ["desk"]
    assert site.served["ana"].wanted.targets == {"desk": None}
    assert site.served["bob"].wanted.targets == {"pocket": site.catalog["pocket"]}
    ground.target("desk")
    assert ground.read().served["ana"].wanted.targets["desk"] is not None


def test_a_folder_of_targets_that_cannot_be_read_is_said_and_its_targets_go_on(ground):
    ground.agents("login: ana, password: x, targets: [pocket]")
    before = ground.read()
    folder = ground.root / "templates"
    away = folder.rename(ground.root / "away")
    folder.symlink_to(folder)
    after = ground.read()
    assert after.served["ana"] is before.served["ana"]
    assert any(remark.where.subject == str(folder) for remark in after.remarks)
    with pytest.raises(ProvisionerError) as refused:  # who starts now knows of no such target
        ground.reader_of("ws-1").read()
    unknown, cause = map(str, refused.value.problems)
    assert "there is no target `pocket`" in unknown and str(folder) not in unknown
    assert cause.startswith(f"{folder}: this cannot be read: ")
    folder.unlink()
    away.rename(folder)
    assert ground.read().remarks == ()


def test_a_changed_template_renders_for_its_users_only(ground):
    ground.target("desk")
    ground.agents("login: ana, password: x, targets: [desk]", "login: bob, password: x, targets: [pocket]")
    before = ground.read()
    ground.write("templates/desk/pocket.j2", '{"desk": {{ name }}}\n')
    after = ground.read()
    assert cost(before, after) is Reason.RENDER
    assert after.served["bob"] is before.served["bob"]


def test_a_password_file_that_changes_is_noticed_at_the_next_reading(ground):
    file = ground.write("secrets/ana", "one\n")
    ground.agents("login: ana, password: {file: /secrets/ana}")
    before = ground.read()
    assert passwords(before) == {"ana": "one"}
    assert ground.read().served["ana"] is before.served["ana"]
    file.write_text("two\n")
    after = ground.read()
    assert passwords(after) == {"ana": "two"} and cost(before, after) is Reason.LOG_IN
    file.unlink()
    gone = ground.read()
    (problem,) = gone.served["ana"].problems
    assert str(problem.where).endswith("a.yaml:2:3") and problem.where.source.startswith("- {login: ana, password: ***")
    file.write_text("two\n")
    file.chmod(0o600)
    assert passwords(ground.read()) == {"ana": "two"}


def test_a_password_file_that_others_may_read_is_noticed(ground):
    file = ground.write("secrets/ana", "one\n")
    ground.agents("login: ana, password: {file: /secrets/ana}")
    ground.read()
    file.chmod(0o644)
    (problem,) = ground.read().served["ana"].problems
    assert "others can read" in problem.what


def test_a_settled_password_file_is_not_read_again(ground):
    file = ground.write("secrets/ana", "one\n")
    os.utime(file, (1e9, 1e9))
    ground.agents("login: ana, password: {file: /secrets/ana}")
    ground.read()
    # Same size and times of modification: only the time of change tells, and it must be looked at.
    file.write_text("two\n")
    os.utime(file, (1e9, 1e9))
    assert passwords(ground.read()) == {"ana": "two"}


def test_a_passwords_command_runs_once_until_it_is_to_be_forgotten(ground):
    counter = ground.write("count", "")
    ground.write(
        "count.py", f"file = open({str(counter)!r}, 'a+')\nfile.write('i')\nfile.seek(0)\nprint(file.read())\n"
    )
    ground.agents(f"login: ana, password: {{command: [{sys.executable}, {ground.root}/count.py]}}")
    first = ground.read()
    ground.write("etc/agents.d/b.yaml", "agents: [{login: bob, password: x}]\n")
    assert passwords(first)["ana"] == passwords(ground.read())["ana"] == "i"
    ground.reader.forget()
    again = ground.read()
    assert passwords(again)["ana"] == "ii" and cost(first, again) is Reason.LOG_IN


def test_commands_of_several_agents_run_side_by_side_and_those_of_other_machines_do_not(ground):
    here = (
        f"until [ -e {ground.root}/ana -a -e {ground.root}/bob ]; do touch {ground.root}/$0; sleep 0.01; done; echo $0"
    )
    script = ground.write("meet.sh", here)
    ground.agents(
        f"login: ana, password: {{command: [sh, -c, '. {script}', ana], timeout: 20s}}",
        f"login: bob, password: {{command: [sh, -c, '. {script}', bob], timeout: 20s}}",
        f"login: eva, workstations: [elsewhere], password: {{command: [sh, -c, '. {script}', eva], timeout: 20s}}",
    )
    assert passwords(ground.read()) == {"ana": "ana", "bob": "bob"}
    assert not (ground.root / "eva").exists()


def test_to_look_ahead_runs_no_command_and_what_was_looked_at_is_not_looked_at_again(ground):
    counter = ground.write("count", "")
    ground.write("count.py", f"open({str(counter)!r}, 'a').write('i')\nprint('secret')\n")
    counted = f"login: ana, password: {{command: [{sys.executable}, {ground.root}/count.py]}}"
    ground.agents("login: bob, password: x")
    ground.read()
    ground.agents(counted)
    ground.reader.look_ahead()
    assert counter.read_text() == ""
    ground.agents("login: eva, password: x")
    assert ground.reader.read(look=False).served.keys() == {"ana"} and counter.read_text() == "i"
    assert ground.read().served.keys() == {"eva"}


def test_a_mistake_that_was_seen_ahead_is_told_when_it_is_read(ground):
    ground.read()
    ground.agents("login: ana, colour: red")
    ground.reader.look_ahead()
    with pytest.raises(ProvisionerError, match="colour"):
        ground.reader.read(look=False)
    (ground.config / "provisioner.yaml").unlink()
    ground.reader.look_ahead()
    with pytest.raises(ProvisionerError, match="there is no such file"):
        ground.reader.read(look=False)


def test_an_environment_variable_is_looked_at_each_time(ground):
    ground.agents("login: ana, password: {env: PW}")
    assert ground.read().served["ana"].problems
    ground.environment["PW"] = "one"
    ok = ground.read()
    assert passwords(ok) == {"ana": "one"} and ok.served["ana"].problems == ()


def test_what_is_missing_is_said_for_each_agent_with_place_and_line(ground):
    ground.agents("login: ana", "login: bob, password: x, user: nobody-of-that-name")
    served = ground.read().served
    (password,), (user,) = served["ana"].problems, served["bob"].problems
    assert str(password).endswith("a.yaml:2:3: agent `ana` has no password (add `password:`)")
    assert password.where.source == "- {login: ana}"
    assert "no user `nobody-of-that-name`" in user.what and str(user.where).endswith("a.yaml:3:3")
    assert served["bob"].home is None and ground.read().job(served["bob"], Secret("{}")) is None


def test_moving_a_password_costs_nothing(ground):
    ground.agents("login: ana, password: same")
    before = ground.read()
    ground.write("secrets/ana", "same\n")
    ground.agents("login: ana, password: {file: /secrets/ana}")
    after = ground.read()
    assert passwords(after) == {"ana": "same"} and cost(before, after) is Reason.NOTHING


@pytest.mark.parametrize(
    ("change", "cost_of_it"),
    [
        ("platform: {url: https://acme.example, timeout: 9s}\n", Reason.NOTHING),
        ("platform: {url: https://acme.example}\nlogin: {splay: 1s}\nwatch: {settle: 1s}\n", Reason.NOTHING),
        ("# a comment\nplatform: {url: https://acme.example/}\n", Reason.NOTHING),
        ("platform: {url: https://acme.example, realm: x}\n", Reason.RENDER),
        ("platform: {url: https://acme.example}\ndefaults: {account: {dtmf: info}}\n", Reason.RENDER),
        ("platform: {url: https://other.example}\n", Reason.LOG_IN),
    ],
)
def test_a_change_of_the_platform_reaches_the_agents(ground, change, cost_of_it):
    ground.agents("login: ana, password: x")
    before = ground.read()
    ground.write("etc/provisioner.yaml", change)
    after = ground.read()
    assert cost(before, after) is cost_of_it
    assert after.served["ana"].wanted.platform == after.settings.platform


def test_a_turn_password_that_changes_renders(ground):
    file = ground.write("secrets/turn", "one\n")
    turn = "turn: [{server: t.example, user: u, password: {file: /secrets/turn}}]"
    ground.write("etc/provisioner.yaml", f"platform: {{url: https://acme.example, {turn}}}\n")
    ground.agents("login: ana, password: x")
    before = ground.read()
    assert ground.read().served["ana"] is before.served["ana"]
    file.write_text("two\n")
    after = ground.read()
    assert cost(before, after) is Reason.RENDER
    assert [secret.reveal() for secret in after.served["ana"].secrets.turn] == ["two"]
    file.unlink()
    for _ in range(2):
        gone = ground.read()
        assert gone.served["ana"].problems and cost(after, gone) is Reason.NOTHING
    file.write_text("two\n")
    file.chmod(0o600)
    assert not ground.read().served["ana"].problems


def test_a_realm_that_a_server_was_seen_to_ask_for_renders(ground):
    ground.write("etc/provisioner.yaml", "platform: {url: https://acme.example, discover_realm: true}\n")
    ground.agents("login: ana, password: x", "login: bob, password: x")
    before = ground.read()
    ground.realms["ana at https://acme.example"] = "seen"
    after = ground.read()
    assert cost(before, after) is Reason.RENDER and after.served["ana"].secrets.seen_realm == "seen"
    assert after.served["bob"] is before.served["bob"]


def test_nothing_that_is_said_of_a_site_shows_a_password(ground):
    ground.write("secrets/ana", f"{SENTINEL}\n").chmod(0o644)
    ground.write("secrets/eva", f"{SENTINEL}\n")
    turn = f"turn: [{{server: t.example, user: u, password: {SENTINEL}}}]"
    ground.write("etc/provisioner.yaml", f"platform: {{url: https://acme.example, {turn}}}\n")
    ground.agents(
        "login: ana, password: {file: /secrets/ana}",
        "login: eva, password: {file: /secrets/eva}",
        f"login: bob, user: nobody-of-that-name, password: {SENTINEL}",
        f"login: leo, password: {{command: [/bin/false, {SENTINEL}]}}",
        f"login: mia, password: {{command: [{sys.executable}, -c, 'print(chr(10) + \"{SENTINEL}\" * 2)']}}",
    )
    site = ground.read()
    problems = [problem for served in site.served.values() for problem in served.problems]
    assert len(problems) >= 4
    said = f"{problems_as_text(problems)}{[problem_as_json(problem) for problem in problems]}{site!r}{site.settings}"
    # Arguments of a command are the administrator's own; a password does not belong there, and they are not printed.
    assert SENTINEL not in said.replace(f"'/bin/false', '{SENTINEL}'", "").replace(f'"{SENTINEL}" * 2', "")


def test_a_mistake_leaves_the_last_site_usable(ground):
    ground.agents("login: ana, password: x, targets: [pocket]")
    before = ground.read()
    for broken in ("agents: [", "", "agents: [{login: ana, x: y}]\n"):
        ground.write("etc/agents.d/a.yaml", broken)
        with pytest.raises(ProvisionerError):
            ground.read()
    assert before.job(before.served["ana"], Secret("{}")) is not None
    ground.agents("login: ana, password: x, targets: [pocket]")
    assert ground.read().served["ana"] is before.served["ana"]


def test_of_a_thousand_files_only_the_changed_one_is_read(ground):
    for number in range(1000):
        ground.write(
            f"etc/agents.d/{number:04}.yaml", f"agents: [{{login: a{number}, password: x, targets: [pocket]}}]\n"
        )
    assert len(ground.read().served) == 1000
    # Until some time has gone by, a change may not show in the files' times, and every one of them is read.
    while calls_of(ground.read).count("read"):
        pass
    before = ground.read()
    ground.write("etc/agents.d/0000.yaml", "agents: [{login: a0, password: x, user: other, targets: [pocket]}]\n")
    assert 0 < calls_of(ground.read).count("read") < 10
    after = ground.read()
    assert [login for login in after.served if after.served[login] is not before.served[login]] == ["a0"]


WHO_MAY_READ = """
import sys, time
from pathlib import Path
from tests.test_site import Ground
from provisioner.core.problem import ProvisionerError

ground = Ground(Path(sys.argv[1]))
of_group = Path(sys.argv[2])
file = ground.write("secrets/ana", "one\\n")
file.chmod(0o640)
ground.agents("login: ana, password: {file: /secrets/ana}", "login: bob, password: x")
(ground.config / "agents.d" / "a.yaml").chmod(0o640)
written = time.time()

def refused():
    try:
        return [problem.what for served in ground.read().served.values() for problem in served.problems]
    except ProvisionerError as error:
        return [problem.what for problem in error.problems]

while time.time() < written + 0.5:  # until no look at the files would show that they are others
    found = refused()
print(found)
for members in ("", "eve", ""):
    of_group.write_text(f"root:x:0:{members}\\n")
    ground.reader.forget()
    print(refused())
"""


def test_who_may_read_files_is_looked_up_anew_though_they_did_not_change(tmp_path: Path):
    service, group = tmp_path / "passwd", tmp_path / "group"
    service.write_text("root:x:0:0::/root:/bin/sh\nsoftphone-provisioner:x:7:0::/:/bin/false\n")
    group.write_text("root:x:0:eve\n")
    mount = 'mount --bind "$0" /etc/passwd && mount --bind "$1" /etc/group && shift 1 && exec "$@"'
    wrapper = ("unshare", "-rm", "sh", "-c", mount, str(service), str(group))
    said = run_python(WHO_MAY_READ, tmp_path / "ground", group, wrapper=wrapper)
    first, open_again, closed, open_once_more = said.splitlines()
    assert "others can read" in first and "others can read" in closed
    assert open_again == open_once_more == "[]"
