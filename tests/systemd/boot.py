"""Boots a folder as a machine with a systemd of its own, and runs commands in it.

systemd-nspawn boots an overlay of the folder, so the folder stays as it is. The machine has no network but loopback.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.machine import Done

PATIENCE = 40.0
LOOK_AGAIN = 0.02
# Mounts are the machine's alone and vanish with it, whatever becomes of these tests.
_START = """
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2,workdir=$3" "$4"
echo $$ >"$5/cgroup.procs"
shift 5
exec systemd-nspawn "$@"
"""
_ENTER = 'echo $$ >"$1/cgroup.procs"; shift; exec nsenter "$@"'
_NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd")
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", "TERM": "dumb"}
# What systemd needs for IPAddressDeny=; nspawn gives neither by itself.
_BPF = ("--capability=CAP_BPF,CAP_NET_ADMIN", "--system-call-filter=bpf")


@dataclass(frozen=True)
class Booted:
    """A machine that runs. ``leader`` is its first process, as seen from here; ``cgroup`` where that one is."""

    leader: int
    cgroup: Path

    @property
    def root(self) -> Path:
        """The machine's files, its own mounts included."""
        return Path(f"/proc/{self.leader}/root")

    def run(self, *command: str, user: str = "root", stdin: str = "", patience: float = PATIENCE) -> Done:
        """Run a command in it, to its end, which comes within ``patience`` seconds."""
        with suppress(subprocess.TimeoutExpired):
            done = subprocess.run(
                self.entering(command, user), input=stdin, capture_output=True, text=True, timeout=patience,
                env=_ENVIRONMENT,
            )  # fmt: skip
            return Done(done.returncode, done.stdout, done.stderr)
        raise AssertionError(f"{' '.join(command)} takes longer than {patience:g} s\n{self.journal()}")

    def do(self, *command: str, user: str = "root", stdin: str = "", patience: float = PATIENCE) -> str:
        """Run a command that must succeed; gives what it printed."""
        done = self.run(*command, user=user, stdin=stdin, patience=patience)
        assert done.code == 0, f"{' '.join(command)}: {done.code}\n{done.out}{done.err}"
        return done.out

    def start(self, *command: str, user: str = "root") -> subprocess.Popen[str]:
        """Start a command in it; whoever does ends it."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self.entering(command, user), stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=_ENVIRONMENT
        )

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of root's, as an administrator with an editor does: beside it, then in its place. Its group is
        that of the folder where the folder says so."""
        place = self.root / path.lstrip("/")
        if not place.parent.is_dir():
            self.do("mkdir", "--parents", os.path.dirname(path))
        self.do("sh", "-ec", 'cat >"$1~"; chmod "$2" "$1~"; mv "$1~" "$1"', "sh", path, f"{mode:o}", stdin=text)

    def read(self, path: str) -> str:
        """The text of a file."""
        return self.do("cat", path)

    def unit(self, name: str, *properties: str) -> dict[str, str]:
        """What systemd knows of a unit."""
        told = self.do("systemctl", "show", f"--property={','.join(properties)}", name)
        return dict(line.split("=", 1) for line in told.splitlines())

    def journal(self, unit: str = "") -> str:
        """The journal of this boot, or of one unit of it."""
        return self.do(
            "journalctl", "--boot", "--no-pager", "--output=short-monotonic", *(["-u", unit] if unit else [])
        )

    def until(self, true: Callable[[], bool], what: str, *, pause: float = LOOK_AGAIN) -> float:
        """Look again and again, ``pause`` seconds apart, until ``true`` holds; gives the seconds that it took."""
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < PATIENCE, f"waited in vain: {what}\n{self.journal()}"
            time.sleep(pause)
        return time.monotonic() - began

    def entering(self, command: Sequence[str], user: str = "root") -> list[str]:
        """The command, from here, that runs ``command`` in it."""
        become = [] if user == "root" else ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"]
        inside = [f"--target={self.leader}", *_NAMESPACES, "--", *become, *command]
        return ["sh", "-ec", _ENTER, "sh", str(self.cgroup), *inside]


@contextmanager
def booted(lower: Sequence[Path], layer: Path) -> Iterator[Booted]:
    """Boot ``lower`` (the topmost folder first); what the machine changes stays in ``layer``, from where it can be
    booted again, or which can be a lower folder of another machine (its ``upper``)."""
    for name in ("upper", "work", "root"):
        (layer / name).mkdir(parents=True, exist_ok=True)
    with (
        _cgroup() as cgroup,
        tempfile.TemporaryDirectory() as run,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify,
        open(f"{run}/console", "w+b") as console,
    ):
        notify.bind(f"{run}/notify")
        notify.settimeout(PATIENCE)
        machine = subprocess.Popen(
            _starting(lower, layer, cgroup), stdin=subprocess.DEVNULL, stdout=console, stderr=console,
            env={**_ENVIRONMENT, "NOTIFY_SOCKET": f"{run}/notify", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
        )  # fmt: skip
        try:
            leader = _leader(notify, machine, Path(f"{run}/console"))
            notify.close()  # its first process tells of each reload, and would wait for us once the queue is full
            yield Booted(leader, cgroup / "payload" / "init.scope")
        finally:
            machine.terminate()  # an orderly shutdown
            try:
                machine.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                machine.kill()
                machine.wait()


def _starting(lower: Sequence[Path], layer: Path, cgroup: Path) -> list[str]:
    overlay = [":".join(map(str, lower)), f"{layer}/upper", f"{layer}/work", f"{layer}/root"]
    options = [
        "--quiet", "--boot", "--register=no", "--keep-unit", "--notify-ready=yes", "--private-network",
        "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe", *_BPF,
        f"--machine={cgroup.name}", "--hostname=ws-17", f"--directory={layer}/root",
    ]  # fmt: skip
    apart = ["setpriv", "--pdeathsig=TERM", "--", "unshare", "--mount", "--propagation=private", "--"]
    return [*apart, "sh", "-ec", _START, "sh", *overlay, str(cgroup), *options]


def _leader(notify: socket.socket, machine: subprocess.Popen[bytes], console: Path) -> int:
    """Wait until the machine is up; gives its first process."""
    told = ""
    while not re.search(r"^READY=1$", told, re.MULTILINE):
        try:
            told += notify.recv(4096).decode() + "\n"
        except TimeoutError:
            break
        if machine.poll() is not None:
            break
    found = re.search(r"^X_NSPAWN_LEADER_PID=([0-9]+)$", told, re.MULTILINE)
    assert found and "READY=1" in told, f"the machine does not start: {told}\n{console.read_text(errors='replace')}"
    return int(found[1])


@contextmanager
def _cgroup() -> Iterator[Path]:
    """A cgroup of the machine's own, or two machines would share one."""
    hybrid = Path("/sys/fs/cgroup/unified")
    path = (hybrid if hybrid.is_dir() else hybrid.parent) / f"provisioner-{secrets.token_hex(4)}"
    path.mkdir()
    try:
        yield path
    finally:
        for top in (path, Path("/sys/fs/cgroup/systemd") / path.name):
            for folder, _, _ in os.walk(top, topdown=False):
                with suppress(OSError):
                    os.rmdir(folder)
