"""Passwords from everywhere, and what is said when there is none."""

from __future__ import annotations

import os
import stat
import time
from itertools import accumulate
from pathlib import Path

import pytest

from provisioner.core.password_source import FromCommand, FromCredential, FromEnv, FromFile, Inline, PasswordSource
from provisioner.core.problem import Place, ProvisionerError
from provisioner.core.secret import Secret
from provisioner.edge.credential import Credentials

PLACE = Place("agents.d/marta.yaml", 4, 13)
SENTINEL = "S3ntinel-ñ€"


def resolve(source: PasswordSource, root: Path = Path("/"), **environment: str) -> str:
    return Credentials(environment, root).resolve(source, PLACE).reveal()


def refused(source: PasswordSource, root: Path = Path("/"), **environment: str) -> str:
    """What is said; none of it is the secret."""
    with pytest.raises(ProvisionerError) as caught:
        resolve(source, root, **environment)
    assert caught.value.__cause__ is None
    assert SENTINEL not in repr(caught.value) + str(caught.value)
    (problem,) = caught.value.problems
    assert problem.where == PLACE
    assert problem.fix
    return problem.what


def secret_file(root: Path, content: bytes, mode: int = 0o600) -> FromFile:
    (root / "secrets").mkdir(exist_ok=True)
    (root / "secrets" / "marta").write_bytes(content)
    (root / "secrets" / "marta").chmod(mode)
    return FromFile("/secrets/marta")


def test_a_password_may_stand_in_the_yaml():
    assert resolve(Inline(Secret(SENTINEL))) == SENTINEL


@pytest.mark.parametrize(
    ("content", "password"),
    [
        ("plain", "plain"),
        ("line\n", "line"),
        ("windows\r\n", "windows"),
        ("\ufeffwith BOM\n", "with BOM"),
        (" blanks stay ", " blanks stay "),
        (f"{SENTINEL}\n", SENTINEL),
        ("'quotes' \"too\" #;%", "'quotes' \"too\" #;%"),
    ],
)
def test_a_file_holds_a_password_and_perhaps_a_line_end(tmp_path: Path, content: str, password: str):
    assert resolve(secret_file(tmp_path, content.encode()), tmp_path) == password


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"\r\n", b"two\nlines\n", b"two\n\n", b"nul\0", b"tab\t", b"\xff\xfe", b"latin \xf1", b"\xed\xa0\x80"],
)
def test_what_is_no_line_of_text_is_no_password(tmp_path: Path, content: bytes):
    source = secret_file(tmp_path, content + SENTINEL.encode() if b"\n" in content[:-1] else content)
    assert refused(source, tmp_path) == f"{tmp_path}/secrets/marta holds no password"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o777])
def test_a_file_that_others_can_open_is_refused(tmp_path: Path, mode: int):
    source = secret_file(tmp_path, SENTINEL.encode(), mode)
    assert refused(source, tmp_path) == f"others can read the password's file {tmp_path}/secrets/marta"


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_for_its_owner_only_is_read(tmp_path: Path, mode: int):
    assert resolve(secret_file(tmp_path, b"pw", mode), tmp_path) == "pw"


def test_a_link_is_the_administrators_and_followed(tmp_path: Path):
    secret_file(tmp_path, b"pw")
    (tmp_path / "link").symlink_to("secrets/marta")
    assert resolve(FromFile("/link"), tmp_path) == "pw"


def test_a_large_file_is_no_password(tmp_path: Path):
    with (tmp_path / "huge").open("wb") as huge:
        huge.truncate(1 << 40)
    (tmp_path / "huge").chmod(0o600)
    assert refused(FromFile("/huge"), tmp_path) == f"{tmp_path}/huge is not a file with a password"
    assert resolve(secret_file(tmp_path, b"x" * 64 * 1024), tmp_path) == "x" * 64 * 1024
    assert "is not a file with a password" in refused(secret_file(tmp_path, b"x" * (64 * 1024 + 1)), tmp_path)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, make):
    make(tmp_path / "it", 0o700)
    started = time.monotonic()
    assert refused(FromFile("/it"), tmp_path) == f"{tmp_path}/it is not a file with a password"
    assert time.monotonic() - started < 20


def test_a_file_that_is_not_there_is_said(tmp_path: Path):
    assert (
        refused(FromFile("/it"), tmp_path)
        == f"the password's file {tmp_path}/it cannot be read: No such file or directory"
    )
    assert "cannot be read: an argument holds a character" in refused(FromFile("/a\0b"), tmp_path)
    assert "Too many levels of symbolic links" in refused(FromFile("/loop"), looped(tmp_path))


def looped(root: Path) -> Path:
    (root / "loop").symlink_to("loop")
    return root


def test_the_environment_holds_passwords():
    assert resolve(FromEnv("MARTA"), MARTA=SENTINEL) == SENTINEL
    assert refused(FromEnv("MARTA")) == "the environment variable MARTA of the service is empty"
    assert refused(FromEnv("MARTA"), MARTA="") == "the environment variable MARTA of the service is empty"
    text = os.fsdecode(b"\xff") + SENTINEL
    assert refused(FromEnv("MARTA"), MARTA=text) == "the environment variable MARTA holds no password"
    assert refused(FromEnv("MARTA"), MARTA=f"two\n{SENTINEL}") == "the environment variable MARTA holds no password"


def test_systemd_hands_credentials_over(tmp_path: Path):
    (tmp_path / "marta").write_bytes(b"pw\n")
    (tmp_path / "marta").chmod(0o440)  # as systemd leaves them, with an ACL
    folder = str(tmp_path)
    assert resolve(FromCredential("marta"), Path("/other/root"), CREDENTIALS_DIRECTORY=folder) == "pw"
    none = "systemd gives the service no credential `nobody` now"
    assert refused(FromCredential("nobody"), tmp_path) == none
    assert refused(FromCredential("nobody"), CREDENTIALS_DIRECTORY=folder) == none
    assert "is not a file" in refused(FromCredential(".."), CREDENTIALS_DIRECTORY=folder)


def test_root_finds_by_hand_what_systemd_gives_the_service(tmp_path: Path):
    folder = tmp_path / "run/credentials/softphone-provisioner.service"
    folder.mkdir(parents=True)
    (folder / "marta").write_bytes(b"pw\n")
    assert resolve(FromCredential("marta"), tmp_path) == "pw"


def command(script: str, seconds: float = 10.0) -> FromCommand:
    return FromCommand(("/bin/sh", "-c", script), seconds)


def test_a_command_prints_passwords():
    assert resolve(command(f"echo '{SENTINEL}'; echo noise >&2")) == SENTINEL
    assert resolve(FromCommand(("printf", "%s", "a b"), 5.0)) == "a b"


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("true", "the output of /bin/sh holds no password"),
        ("echo one; echo $S", "the output of /bin/sh holds no password"),
        ("echo $S; echo $S >&2; exit 3", "the password's command /bin/sh failed with exit code 3"),
        ("echo $S; kill -9 $$", "the password's command /bin/sh failed with exit code -9"),
        ("echo $S; sleep 60", "the password's command /bin/sh took longer than 0.3 s"),
        ("echo $S; cat /dev/zero", "the password's command /bin/sh prints more than a password"),
    ],
)
def test_what_a_command_does_wrong_is_said_without_what_it_printed(script: str, what: str):
    assert refused(command(f"S={SENTINEL}; {script}", 0.3 if "sleep" in script else 10.0)) == what


def test_a_command_that_cannot_be_started_is_said():
    assert refused(FromCommand(("/nowhere",), 1.0)) == (
        "the password's command /nowhere cannot be started: No such file or directory"
    )
    assert "cannot be started" in refused(FromCommand(("echo", "\0"), 1.0))


def test_a_command_is_run_once_until_it_is_forgotten(tmp_path: Path):
    source = command(f"echo x >> {tmp_path}/runs; wc -l < {tmp_path}/runs | tr -d ' '")
    credentials = Credentials({})
    assert [credentials.resolve(source, PLACE).reveal() for _ in range(3)] == ["1", "1", "1"]
    credentials.forget()
    assert credentials.resolve(source, PLACE).reveal() == "2"


def test_a_command_that_failed_is_run_again(tmp_path: Path):
    source = command(f"cat {tmp_path}/vault")
    credentials = Credentials({})
    with pytest.raises(ProvisionerError):
        credentials.resolve(source, PLACE)
    (tmp_path / "vault").write_text("pw\n")
    assert credentials.resolve(source, PLACE).reveal() == "pw"


def test_what_was_fetched_is_not_run_again_before_the_next_time(tmp_path: Path):
    source = command(f"echo x >> {tmp_path}/runs; cat {tmp_path}/vault")
    credentials = Credentials({})
    credentials.fetch([source])
    for _ in range(2):
        with pytest.raises(ProvisionerError) as caught:
            credentials.resolve(source, PLACE)
        assert [problem.where for problem in caught.value.problems] == [PLACE]
    assert (tmp_path / "runs").read_text() == "x\n"
    (tmp_path / "vault").write_text("pw\n")
    credentials.fetch([source])
    credentials.fetch([source])
    assert credentials.resolve(source, PLACE).reveal() == "pw"
    assert (tmp_path / "runs").read_text() == "x\nx\n"


def test_sixteen_commands_run_at_once_and_no_more(tmp_path: Path):
    log, credentials = tmp_path / "log", Credentials({})
    begin_together = f"until [ $(grep -c + {log}) -ge 16 ]; do sleep 0.01; done"
    sources = [command(f"echo + >> {log}; {begin_together}; echo - >> {log}; echo {number}") for number in range(40)]
    credentials.fetch(sources)
    assert [credentials.resolve(source, PLACE).reveal() for source in sources] == [str(number) for number in range(40)]
    running = list(accumulate(1 if line == "+" else -1 for line in log.read_text().split()))
    assert (max(running), running[-1]) == (16, 0)


def test_no_password_is_in_the_arguments_of_a_process(tmp_path: Path):
    listing, secret = tmp_path / "listing", f"own-{os.getpid()}"  # tests beside this one have theirs in arguments
    secret_file(tmp_path, secret.encode())
    credentials = Credentials({"MARTA": secret}, tmp_path)
    for source in (FromFile("/secrets/marta"), FromEnv("MARTA")):
        credentials.resolve(source, PLACE)
    # Of the others some end while they are listed.
    script = f"cat /proc/[0-9]*/cmdline >{listing} 2>/dev/null; cat {tmp_path}/secrets/marta"
    assert credentials.resolve(command(script), PLACE).reveal() == secret
    seen = listing.read_bytes()
    assert b"/bin/sh" in seen and secret.encode() not in seen


def test_what_was_resolved_does_not_print_itself(tmp_path: Path):
    credentials = Credentials({"MARTA": SENTINEL})
    assert SENTINEL not in f"{credentials!r} {credentials.resolve(FromEnv('MARTA'), PLACE)!r}"
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
