"""The folder that IT edits: what is read, what is refused, and what that costs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.problem import Problem, ProvisionerError
from provisioner.core.report import problem_as_json, problems_as_text
from provisioner.edge.configuration import Configuration, Loaded
from tests.edge.mistakes import MAIN, MISTAKES, SENTINEL
from tests.edge.opened import opened

TARGETS = {"pocket", "desk"}
LATER = 1e12


def write(folder: Path, name: str, content: str | bytes, *, mode: int = 0o600) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "provisioner.yaml", MAIN)
    return tmp_path


def problems(folder: Path) -> tuple[Problem, ...]:
    with pytest.raises(ProvisionerError) as refused:
        Configuration(folder).load(TARGETS)
    return refused.value.problems


def logins(loaded: Loaded) -> list[str]:
    return list(loaded.settings.agents)


def everything(found: tuple[Problem, ...]) -> str:
    return f"{problems_as_text(found)}{problems_as_text(found, colour=True)}{[problem_as_json(one) for one in found]}"


def test_what_is_held_of_a_file_shows_no_password_in_a_repr(folder: Path):
    write(folder, "provisioner.yaml", f"{MAIN}defaults: {{password: {SENTINEL}}}\n")
    write(folder, "agents.d/a.yaml", "agents: [{login: ana}]\n")
    configuration = Configuration(folder)
    assert configuration.load(TARGETS).settings.agents["ana"].password
    assert SENTINEL not in repr(configuration._files)


@pytest.mark.parametrize(
    ("file", "text", "where", "says", "cure"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES]
)
def test_a_mistake_has_its_place_its_words_and_its_cure(folder, file, text, where, says, cure):
    write(folder, file, text)
    (problem,) = problems(folder)
    assert str(problem.where) == f"{folder}/{file}:{where}"
    assert says in problem.what
    assert cure in problem.fix
    assert SENTINEL not in everything((problem,))
    printed = problems_as_text([problem]).split("\n")
    assert len(printed) in (1, 3) and all(len(line) < 130 for line in printed[1:])


@pytest.mark.parametrize(
    ("name", "content", "where", "says", "cure"),
    [
        ("Latin-1", "agents:\n- login: ana\n  user: Pérez\n".encode("latin-1"), ":3:10", "not UTF-8", "as UTF-8"),
        (
            "a Mac's Latin-1",
            "agents:\r- login: ana\r  user: Pérez\r".encode("latin-1"),
            ":3:10",
            "not UTF-8",
            "as UTF-8",
        ),
        ("UTF-16", "agents: []\n".encode("utf-16"), ":1:1", "UTF-16", "save it as UTF-8"),
        ("UTF-32", "agents: []\n".encode("utf-32"), ":1:1", "UTF-32", "save it as UTF-8"),
        ("half a file", "agents:\n- login: ana\n  password: {fi", ":3:13", "not closed", "`}` behind"),
    ],
)
def test_bytes_that_are_no_yaml_have_a_place_too(folder, name, content, where, says, cure):
    write(folder, "agents.d/a.yaml", content)
    (problem,) = problems(folder)
    assert str(problem.where) == f"{folder}/agents.d/a.yaml{where}"
    assert says in problem.what and cure in problem.fix


def test_a_dash_without_blank_says_so(folder):
    write(folder, "agents.d/a.yaml", "agents:\n-login: ana\n")
    assert "a blank is missing behind the dash" in problems(folder)[-1].fix


def test_aliases_that_multiply_are_one_mistake(folder):
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 30))
    write(folder, "agents.d/a.yaml", f"l0: &l0 [x]\n{levels}agents: *l29\n")
    assert sum("without end" in problem.what for problem in problems(folder)) == 1


def test_every_mistake_of_every_file_is_told_at_once_in_order(folder):
    write(folder, "provisioner.yaml", "watch: {settle: 1}\nplatform: {url: http://acme.example, tls: 1}\n")
    write(
        folder,
        "agents.d/b.yaml",
        "agents:\n- {login: eva, targets: [nope], password: S3NT1NEL}\n- {logn: x}\n",
        mode=0o644,
    )
    write(folder, "agents.d/a.yaml", "agents: [{login: eva, colour: x, password: {file: x}}]\n")
    write(folder, "agents.d/c.yaml", "agents: [\n")
    found = problems(folder)
    assert [str(problem.where).removeprefix(f"{folder}/") for problem in found] == [
        "provisioner.yaml:1:17", "provisioner.yaml:2:17", "provisioner.yaml:2:38",
        "agents.d/a.yaml:1:23", "agents.d/a.yaml:1:51",
        "agents.d/b.yaml:2:11", "agents.d/b.yaml:2:26", "agents.d/b.yaml:2:43", "agents.d/b.yaml:3:4",
        "agents.d/c.yaml:2:1",
    ]  # fmt: skip
    assert f"first at {folder}/agents.d/a.yaml:1:18" in found[5].what
    assert SENTINEL not in everything(found)


@pytest.mark.parametrize("file", ["provisioner.yaml", "agents.d/a.yaml"])
@pytest.mark.parametrize("holder", ["defaults: {password: S3NT1NEL}\n", "agents: [{login: a, password: S3NT1NEL}]\n"])
@pytest.mark.parametrize(("mode", "refused"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_a_password_stands_only_in_a_file_that_its_owner_alone_can_read(folder, file, holder, mode, refused):
    write(
        folder,
        file,
        (MAIN if file == "provisioner.yaml" else "agents: []\n" * ("agents" not in holder)) + holder,
        mode=mode,
    )
    if not refused:
        Configuration(folder).load()
        return
    (problem,) = problems(folder)
    assert "others can read this file" in problem.what and f"chmod 600 {folder}/{file}" in problem.fix
    assert SENTINEL not in everything((problem,))


def test_a_turn_password_is_guarded_too(folder):
    turn = "  turn: [{server: t.example, user: u, password: S3NT1NEL}]\n"
    write(folder, "provisioner.yaml", MAIN + turn, mode=0o644)
    (problem,) = problems(folder)
    assert "others can read" in problem.what and SENTINEL not in everything((problem,))
    write(folder, "provisioner.yaml", MAIN + turn, mode=0o600)
    assert len(Configuration(folder).load().settings.platform.turn) == 1


def test_loosening_the_mode_is_noticed(folder):
    file = write(folder, "agents.d/a.yaml", "agents: [{login: a, password: x}]\n")
    configuration = Configuration(folder, now=lambda: LATER)
    configuration.load()
    file.chmod(0o644)
    with pytest.raises(ProvisionerError, match="others can read"):
        configuration.load()
    file.chmod(0o600)
    assert logins(configuration.load()) == ["a"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.mkdir(), "a folder, not a file"),
        (lambda path: os.mkfifo(path), "not a file of settings"),
        (lambda path: path.symlink_to("nowhere"), "leads to no file"),
        (lambda path: path.symlink_to(path), "cannot be read"),
        (lambda path: path.symlink_to("/dev/zero"), "not a file of settings"),
    ],
)
def test_what_is_no_file_is_said_so(folder, make, says):
    path = folder / "agents.d" / "x.yaml"
    path.parent.mkdir()
    make(path)
    (problem,) = problems(folder)
    assert problem.where.subject == str(path) and says in problem.what


@pytest.mark.parametrize(
    "name", [".x.yaml.swp", ".x.yaml", "x.yaml~", "#x.yaml#", "#x.yaml", "4913", ".#x.yaml", "x.yaml.bak", "x.yaml.tmp"]
)
def test_what_editors_leave_about_is_not_read(folder, name):
    write(folder, f"agents.d/{name}", "this: [is not read")
    assert Configuration(folder).load() == Loaded(Configuration(folder).load().settings)


@pytest.mark.parametrize("name", ["ana.yml", "ana.YML", "ana.YAML", "ana.Yaml"])
def test_a_file_of_another_ending_is_remarked_on(folder, name):
    write(folder, f"agents.d/{name}", "agents: [{login: ana}]\n")
    loaded = Configuration(folder).load()
    assert logins(loaded) == []
    (remark,) = loaded.remarks
    assert remark.remark and remark.fix == "rename it to ana.yaml"
    write(folder, "agents.d/ana.yaml", "agents: [{login: eva, targets: [json]}]\n")
    (remark,) = Configuration(folder).load().remarks
    assert remark.fix == "put it into ana.yaml, which is there too"


@pytest.mark.parametrize(
    ("name", "remarked"),
    [("team/ana.yaml", True), ("team/ana.YML", True), ("team/.ana.yaml", False), ("team/notes", False),
     (".git/ana.yaml", False)],
)  # fmt: skip
def test_a_folder_with_settings_in_it_is_remarked_on(folder, name, remarked):
    write(folder, f"agents.d/{name}", "agents: [{login: ana}]\n")
    loaded = Configuration(folder).load()
    assert logins(loaded) == []
    assert [(one.where.subject, one.what, one.fix) for one in loaded.remarks] == (
        [(f"{folder}/agents.d/team", "what is in this folder is not read", f"move its files to {folder}/agents.d")]
        if remarked
        else []
    )


def test_a_main_file_that_is_not_there_says_what_to_do(tmp_path):
    (problem,) = problems(tmp_path)
    assert "no such file" in problem.what and "provisioner init" in problem.fix
    write(tmp_path, "provisioner.yml", MAIN)
    (problem,) = problems(tmp_path)
    assert problem.fix == f"rename {tmp_path}/provisioner.yml"


def test_a_file_where_the_folder_should_be_named_is_said_so_once(folder):
    (problem,) = problems(folder / "provisioner.yaml")
    assert str(problem).startswith(f"{folder}/provisioner.yaml: this is a file") and "the folder" in problem.fix


def test_agents_d_may_be_missing_and_may_appear_later(folder):
    configuration = Configuration(folder)
    assert logins(configuration.load()) == []
    write(folder, "agents.d/a.yaml", "agents: [{login: ana}]\n")
    assert logins(configuration.load()) == ["ana"]
    (folder / "agents.d/a.yaml").unlink()
    (folder / "agents.d").rmdir()
    assert logins(configuration.load()) == []
    write(folder, "agents.d", "")
    with pytest.raises(ProvisionerError, match="not a folder"):
        configuration.load()


def test_an_agent_without_target_is_remarked_on(folder):
    write(folder, "agents.d/a.yaml", "agents:\n- login: ana\n")
    (remark,) = Configuration(folder).load().remarks
    assert remark.remark and str(remark.where).endswith("a.yaml:2:3") and "targets:" in remark.fix


def test_files_are_read_in_the_order_of_their_names(folder):
    for name in ("20", "10", "100"):
        write(folder, f"agents.d/{name}.yaml", f"agents: [{{login: a{name}, targets: [desk]}}]\n")
    write(folder, "provisioner.yaml", MAIN + "agents: [{login: first}]\n")
    assert logins(Configuration(folder).load()) == ["first", "a10", "a100", "a20"]


def test_links_to_files_are_followed_and_their_swap_is_noticed(folder):
    write(folder, "v1/a.yaml", "agents: [{login: one}]\n")
    write(folder, "v2/a.yaml", "agents: [{login: two}]\n")
    (folder / "agents.d").mkdir()
    (folder / "current").symlink_to("v1")
    (folder / "agents.d/a.yaml").symlink_to("../current/a.yaml")
    configuration = Configuration(folder, now=lambda: LATER)
    assert logins(configuration.load()) == ["one"]
    (folder / "new").symlink_to("v2")
    (folder / "new").rename(folder / "current")
    assert logins(configuration.load()) == ["two"]


def test_what_did_not_change_is_the_same_object(folder):
    write(folder, "agents.d/a.yaml", "agents: [{login: ana}]\n")
    changed = write(folder, "agents.d/b.yaml", "agents: [{login: bob}]\n")
    configuration = Configuration(folder, now=lambda: LATER)
    before, documents = configuration.load().settings, configuration.documents()
    changed.write_text("agents: [{login: bob, user: bob}]\n")
    after, again = configuration.load().settings, configuration.documents()
    assert [old is new for old, new in zip(documents, again, strict=True)] == [True, True, False]
    assert after.agents["ana"] is before.agents["ana"] and after.agents["bob"] != before.agents["bob"]
    assert after.platform is before.platform


_NAMES = ["provisioner.yaml", "agents.d/a.yaml", "agents.d/b.yaml", "agents.d/c.yaml", "agents.d/d.yml"]
_TEXTS = [
    MAIN,
    MAIN + "defaults: {targets: [desk]}\n",
    MAIN + "defaults: {targets: [gone]}\nagents: [{login: eva}]\n",
    "agents: [{login: ana, targets: [pocket]}]\n",
    "agents: [{login: bob}, {login: eva}]\n",
    "agents: [{login: ana, targets: []}]\n",
    "agents: [{login: 12, colour: red}]\n",
    "agents: [{login: ana",
    None,
]


def outcome(configuration: Configuration) -> object:
    try:
        loaded = configuration.load(TARGETS)
    except ProvisionerError as error:
        return [problem_as_json(problem) for problem in error.problems]
    return loaded, list(loaded.settings.agents), [document.text for document in configuration.documents()]


@given(st.lists(st.tuples(st.sampled_from(_NAMES), st.sampled_from(_TEXTS)), max_size=12))
def test_reading_again_and_again_says_the_same_as_reading_anew(edits):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, "provisioner.yaml", MAIN)
        again = Configuration(folder)
        for file, text in edits:
            (folder / file).unlink(missing_ok=True) if text is None else write(folder, file, text)
            assert outcome(again) == outcome(Configuration(folder))


def test_a_settled_file_is_not_opened_again(folder):
    file = write(folder, "agents.d/a.yaml", "agents: [{login: ana}]\n")
    configuration = Configuration(folder, now=lambda: LATER)
    with opened(folder) as first:
        configuration.load()
    with opened(folder) as second:
        configuration.load()
    assert (list(first), list(second)) == ([f"{folder}/provisioner.yaml", str(file)], [])
    file.write_text("agents: [{login: bob}]\n")
    with opened(folder) as third:
        configuration.load()
    assert list(third) == [str(file)]


def test_a_change_that_the_clock_cannot_tell_is_noticed(folder):
    file = write(folder, "agents.d/a.yaml", "agents: [{login: ana}]\n")
    for _ in range(50):
        configuration = Configuration(folder)
        file.write_text("agents: [{login: ana}]\n")
        assert logins(configuration.load()) == ["ana"]
        file.write_text("agents: [{login: bob}]\n")
        assert logins(configuration.load()) == ["bob"]


def test_old_times_do_not_hide_a_new_content(folder):
    """As `cp -p` and `rsync -t` make it: same size, same old time of modification."""
    file = write(folder, "agents.d/a.yaml", "agents: [{login: ana}]\n")
    os.utime(file, (1e9, 1e9))
    configuration = Configuration(folder)
    configuration.load()
    file.write_text("agents: [{login: bob}]\n")
    os.utime(file, (1e9, 1e9))
    assert logins(configuration.load()) == ["bob"]


def test_a_mistake_does_no_harm_to_what_was_read_before(folder):
    file = write(folder, "agents.d/a.yaml", "agents: [{login: ana}]\n")
    write(folder, "agents.d/b.yaml", "agents: [{login: bob}]\n")
    configuration = Configuration(folder, now=lambda: LATER)
    before = configuration.load().settings
    for broken in ("agents: [{login: a", "", "agents: [{login: bob}]\n"):
        file.write_text(broken)
        with pytest.raises(ProvisionerError):
            configuration.load()
    write(folder, "provisioner.yaml", "platform: {")
    with pytest.raises(ProvisionerError):
        configuration.load()
    write(folder, "provisioner.yaml", MAIN)
    file.write_text("agents: [{login: ana}]\n")
    after = configuration.load().settings
    assert after == before and after.agents["bob"] is before.agents["bob"]


@pytest.mark.parametrize(
    "defaults",
    [
        "{targets: 5}",
        "{targets: [[desk]]}",
        "{targets: [{target: desk, options: [x]}]}",
        "{targets: [{target: desk, reload: {timeout: 5}}]}",
        "{workstations: 5}",
        "{password: {command: [pass], timeout: 5}}",
        "{account: [realm]}",
        "{account: {transport: TLS}}",
        "{account: {nat: yes}}",
        "{relay: {mode: on}}",
    ],
)
def test_a_mistake_in_the_shared_defaults_is_told_beside_those_of_other_files(folder, defaults):
    write(folder, "agents.d/a.yaml", "agents: [{login: ana}]\n")
    write(folder, "agents.d/b.yaml", "agents: [{login: bob, colour: red}]\n")
    configuration = Configuration(folder, now=lambda: LATER)
    for before in ("", "defaults: {user: x}\n"):
        write(folder, "provisioner.yaml", MAIN + before)
        with pytest.raises(ProvisionerError):
            configuration.load()
        write(folder, "provisioner.yaml", f"{MAIN}defaults: {defaults}\n")
        with pytest.raises(ProvisionerError) as refused:
            configuration.load()
        main, other = refused.value.problems
        assert str(main.where).startswith(f"{folder}/provisioner.yaml:3:") and "colour" in other.what
    write(folder, "agents.d/b.yaml", "agents: []\n")
    write(folder, "provisioner.yaml", f"{MAIN}defaults: {{user: y}}\n")
    assert configuration.load().settings.agents["ana"].user == "y"


def test_defaults_go_under_a_files_own_and_these_under_an_agents(folder):
    write(
        folder, "provisioner.yaml", MAIN + "defaults: {user: x, home: /m, account: {dtmf: info, port: 1, realm: m}}\n"
    )
    defaults = "defaults: {user: y, account: {port: 2, realm: f}}\n"
    write(
        folder,
        "agents.d/a.yaml",
        f"{defaults}agents: [{{login: a, account: {{realm: own}}}}, {{login: b, account: }}]\n",
    )
    configuration = Configuration(folder, now=lambda: LATER)
    agents = configuration.load().settings.agents
    over = agents["a"].overrides
    assert (agents["a"].user, agents["a"].home, over.dtmf, over.port, over.realm) == ("y", "/m", "info", 2, "own")
    assert (agents["b"].overrides.port, agents["b"].overrides.realm) == (2, "f")
    write(folder, "provisioner.yaml", MAIN + "defaults: {home: /new}\n")
    assert configuration.load().settings.agents["a"].home == "/new"


def test_sections_with_every_line_commented_out_are_as_absent_ones(folder):
    bare = Configuration(folder).load().settings
    sections = "  websocket:\n  ports:\nlogin:\nwatch:\nremoval:\ndefaults:\n  account:\n"
    write(folder, "provisioner.yaml", MAIN + sections)
    assert Configuration(folder).load().settings == bare


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080",
        "http://localhost",
        "http://[::1]:1/",
        "https://[2001:db8::1]:8443",
        "https://acme.example/",
    ],
)
def test_https_goes_everywhere_and_http_to_this_machine(folder, url):
    write(folder, "provisioner.yaml", f"platform:\n  url: '{url}'\n")
    assert Configuration(folder).load().settings.platform.url == url.rstrip("/")


@pytest.mark.slow
@pytest.mark.parametrize("files", [1, 100])
def test_ten_thousand_agents_are_read(folder, files):
    lines = (
        "  password: pw\n  workstations: [ws-*]\n  targets: [desk]\n  account: {display_name: Ana, codecs: [opus]}\n"
    )
    for file in range(files):
        agents = "".join(f"- login: a{file}.{n}\n{lines}" for n in range(10_000 // files))
        write(folder, f"agents.d/{file}.yaml", f"agents:\n{agents}")
    agents = Configuration(folder).load(TARGETS).settings.agents
    assert len(agents) == 10_000
