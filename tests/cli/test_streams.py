"""Standard streams that are closed, full, or that nobody reads any more."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest

PROVISIONER = f"{sys.executable} -m provisioner"


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["/bin/bash", "-c", command], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("verb", ["schema", "targets jssip"], ids=["long", "short"])
def test_a_full_disk_is_told_and_is_no_success(verb: str):
    done = shell(f"{PROVISIONER} {verb} > /dev/full")
    assert (done.returncode, done.stderr) == (1, "standard output: this cannot be written: No space left on device\n")


def test_a_full_disk_changes_no_exit_code_of_a_refusal(tmp_path):
    done = shell(f"{PROVISIONER} check --root {tmp_path} 2> /dev/full")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_a_reader_who_has_enough_is_no_mistake():
    done = shell(f"{PROVISIONER} schema | head -n 1; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "{\n", "")


def test_who_reads_no_further_gets_the_exit_code_all_the_same(tmp_path):
    mistakes = "".join(f"- {{login: a{number}, colour: red}}\n" for number in range(2000))
    (tmp_path / "a.yaml").write_text(f"agents:\n{mistakes}")
    for form in ("text", "json"):
        command = f"{PROVISIONER} check --format {form} {tmp_path}/a.yaml 2>&1 | head -n 1; exit ${{PIPESTATUS[0]}}"
        done = shell(command)
        assert (done.returncode, done.stdout.count("\n"), done.stderr) == (1, 1, "")


def test_who_reads_no_help_is_no_mistake():
    done = shell(f"{PROVISIONER} --help | head -c 1; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "u", "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("verb", ["targets jssip", "schema"])
def test_closed_streams_harm_nobody(verb: str, closed: str):
    done = shell(f"{PROVISIONER} {verb} {closed}")
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) == (">&-" not in closed.replace("2>&-", ""))


@pytest.mark.parametrize("verb", ["check", "run", "apply", "status"])
def test_what_is_wrong_does_not_go_where_results_go(verb: str, tmp_path):
    done = shell(f"{PROVISIONER} {verb} --root {tmp_path} 2>&-")
    assert done.returncode in (1, 3, 78) and done.stdout == ""


def test_a_caret_stands_under_its_word_on_a_narrow_terminal(tmp_path):
    (tmp_path / "a.yaml").write_text(f"agents: [{{login: {'x' * 70}, targets: [jssip], relay: onn}}]\n")
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    command = [sys.executable, "-m", "provisioner", "check", str(tmp_path / "a.yaml")]
    done = subprocess.run(command, stderr=end, env=os.environ | {"NO_COLOR": "1"}, timeout=60)
    os.close(end)
    _, line, caret = os.read(terminal, 4096).decode().splitlines()
    os.close(terminal)
    assert done.returncode == 1 and len(line) < 60 and line[caret.index("^") :] == "onn}]"


def test_what_a_terminal_cannot_show_is_an_escape(tmp_path):
    (tmp_path / "ñ").mkdir()
    init = shell(f"PYTHONUTF8=0 PYTHONIOENCODING=ascii {PROVISIONER} init --config {tmp_path}/ñ/conf")
    assert init.returncode == 0 and "\\xf1/conf/provisioner.yaml" in init.stdout
    done = shell(f"PYTHONUTF8=0 PYTHONIOENCODING=ascii {PROVISIONER} check --format json {tmp_path}/ñ/none")
    assert done.returncode == 1
    assert json.loads(done.stdout)["problems"][0]["where"] == f"{tmp_path}/ñ/none"


# As Latin-1 is, for characters that it does not have.
ASCII_LOCALE = "LC_ALL=C PYTHONCOERCECLOCALE=0 PYTHONUTF8=0"


def test_file_names_are_utf_8_whatever_the_locale_is(tmp_path):
    done = shell(f"{ASCII_LOCALE} {PROVISIONER} init --config {tmp_path}/ñ€")
    assert done.returncode == 0 and "/\\xf1\\u20ac/provisioner.yaml" in done.stdout
    assert (tmp_path / "ñ€/provisioner.yaml").exists()


def test_a_command_whose_locale_lacks_a_character_prints_no_escape_for_a_password(tmp_path):
    (tmp_path / "agents.d").mkdir()
    (tmp_path / "provisioner.yaml").write_text("platform: {url: 'https://acme.example'}\n")
    command = f"[{sys.executable}, -c, print(chr(8364))]"
    (tmp_path / "agents.d/a.yaml").write_text(f"agents: [{{login: ana, password: {{command: {command}}}}}]\n")
    done = shell(f"{ASCII_LOCALE} {PROVISIONER} check --config {tmp_path}")
    assert done.returncode == 1 and "failed with exit code 1" in done.stderr
