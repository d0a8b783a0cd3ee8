"""The verb that talks to a running baresip: against a phone of this test's that speaks its netstrings."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.session import ANA, root_only

SECRET = "auth_pass=s3cret"
ACCOUNTS = f'# made\n"Ana" <sip:1001@a.example>;{SECRET}\n<sip:1002@a.example>;{SECRET}\n'


@dataclass
class Phone:
    """A phone with user agents, calls, and all that it was asked."""

    folder: Path
    listening: socket.socket
    agents: list[str] = field(default_factory=lambda: ["sip:1001@a.example", "sip:9@old.example"])
    calls: int = 0
    refuses: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)

    def serve(self) -> None:
        """Answer one conversation after the other until the socket is closed."""
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection:
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        received = b""
        while piece := connection.recv(65536):
            received += piece
            while b":" in received:
                length, _, rest = received.partition(b":")
                if len(rest) <= int(length):
                    break
                question = json.loads(rest[: int(length)])
                received = rest[int(length) + 1 :]
                connection.sendall(self._answer(question["command"], question["params"]))

    def _answer(self, command: str, parameters: str) -> bytes:
        self.asked.append((command, parameters))
        ok, text = True, ""
        match command:
            case "reginfo":
                text = "--- User Agents ---\n" + "".join(f"> {agent}   OK\n" for agent in self.agents)
            case "listcalls":
                text = f"\n--- Active calls ({self.calls}) ---\n"
            case "uadel":
                self.agents.remove(parameters)
            case "uanew":
                ok = not self.refuses or self.refuses not in parameters
        body = json.dumps({"response": True, "ok": ok, "data": text}).encode()
        return b"%d:%b," % (len(body), body)


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Phone]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        (tmp_path / "config").write_text(f"module ctrl_tcp.so\nctrl_tcp_listen 127.0.0.1:{port}\n")
        (tmp_path / "accounts").write_text(ACCOUNTS)
        made = Phone(tmp_path, listening)
        serving = threading.Thread(target=made.serve, daemon=True)
        serving.start()
        yield made
        listening.shutdown(socket.SHUT_RDWR)
        serving.join(10)


def verb(what: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "provisioner", "baresip", what, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_its_accounts_become_those_of_the_file(phone: Phone):
    done = verb("tell", phone.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert phone.agents == []
    told = [parameters for command, parameters in phone.asked if command == "uanew"]
    assert told == [line for line in ACCOUNTS.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize(("calls", "code"), [(0, 1), (1, 0), (3, 0)])
def test_busy_is_yes_while_a_call_is_up(phone: Phone, calls: int, code: int):
    phone.calls = calls
    assert verb("busy", phone.folder).returncode == code


def test_running_is_no_where_nobody_listens(phone: Phone):
    assert verb("running", phone.folder).returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    (phone.folder / "config").write_text(f"ctrl_tcp_listen 127.0.0.1:{port}\n")
    for what in ("tell", "running", "busy"):
        assert verb(what, phone.folder).returncode == 1


def test_a_phone_without_a_control_port_is_said(phone: Phone):
    (phone.folder / "config").write_text("module stdio.so\n")
    done = verb("running", phone.folder)
    assert done.returncode == 2 and "opens no control port (set the option `control` to `yes`)" in done.stderr


def test_a_file_that_cannot_be_told_is_said_with_what_to_do(phone: Phone):
    accounts = phone.folder / "accounts"
    accounts.write_bytes(ACCOUNTS.encode() + b"\xff")
    done = verb("tell", phone.folder)
    assert done.returncode == 3
    assert f"{accounts}: this is not UTF-8 (let nobody but the service write it)" in done.stderr
    accounts.unlink()
    done = verb("tell", phone.folder)
    assert done.returncode == 3
    assert f"{accounts}: this cannot be read: No such file or directory (name the phone's folder)" in done.stderr
    assert phone.agents == ["sip:1001@a.example", "sip:9@old.example"]


def test_what_is_no_baresip_is_said_with_what_to_do(phone: Phone):
    with socket.create_server(("127.0.0.1", 0)) as other:
        (phone.folder / "config").write_text(f"ctrl_tcp_listen 127.0.0.1:{other.getsockname()[1]}\n")
        answering = threading.Thread(target=lambda: other.accept()[0].sendall(b"220 mail.example ESMTP\r\n"))
        answering.start()
        done = verb("tell", phone.folder)
        answering.join(10)
    assert done.returncode == 3
    assert f"{phone.folder}: something else than baresip listens at its control port (" in done.stderr
    assert "choose another `control_port`" in done.stderr


def test_an_account_that_it_does_not_take_is_said_without_its_password(phone: Phone):
    phone.refuses = "1002"
    done = verb("tell", phone.folder)
    assert done.returncode == 3 and "did not take an account" in done.stderr
    assert "s3cret" not in done.stdout + done.stderr


@root_only
def test_nothing_secret_is_said_to_another_users_program(phone: Phone):
    """The listening program is root's; the one who asks is somebody else."""
    os.chmod(phone.folder, 0o755)
    for name in ("config", "accounts"):
        (phone.folder / name).chmod(0o644)
    for parent in phone.folder.parents:
        if parent != Path("/") and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o001)
    code = (
        "import encodings.idna, os, sys\nfrom provisioner.cli import make_parser, baresip\n"
        f"options = make_parser('baresip').parse_args(['baresip', 'tell', {str(phone.folder)!r}])\n"
        f"os.setgroups([]); os.setresgid({ANA.pw_gid}, {ANA.pw_gid}, {ANA.pw_gid})\n"
        f"os.setresuid({ANA.pw_uid}, {ANA.pw_uid}, {ANA.pw_uid})\nsys.exit(options.run(options))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "another user listens" in done.stderr
    assert [command for command, _ in phone.asked] == ["reginfo"]
    assert "s3cret" not in repr(phone.asked)
