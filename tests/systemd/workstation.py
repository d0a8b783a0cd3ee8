"""A booted workstation with our package, and a platform that is simulated in it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.systemd.boot import Booted

SOURCE = Path(__file__).parents[2]
ETC = "/etc/softphone-provisioner"
DAEMON = "softphone-provisioner.service"
COURIER = "softphone-provisioner-session.service"
URL = "http://127.0.0.1:8008"
KIOSK = "/srv/kiosk"
_PLATFORM = """
from aiohttp import web
from provisioner.demo.platform import SimulatedAgent, SimulatedPlatform

names = ["ana", "beto", "carla", "dora", "elsa", "fabio", "gina"]
platform = SimulatedPlatform(SimulatedAgent(name, f"pw-{name}", str(1001 + at), MORE) for at, name in enumerate(names))
app = platform.app()

async def seen(_):
    return web.json_response({"logins": platform.logins, "log_offs": [one.login for one in platform.log_offs]})

app.router.add_get("/seen", seen)
web.run_app(app, host="127.0.0.1", port=8008, print=None)
"""
_ASK = f"import urllib.request; print(urllib.request.urlopen('{URL}/seen').read().decode())"
_MAIN = "platform: {url: '%s'}\nlogin: {splay: 0s, first_retry: 1s, %s}\nwatch: {settle: 50ms}\n"


@dataclass(frozen=True)
class Seen:
    """Who came to the platform, in order."""

    logins: list[str]
    log_offs: list[str]


def built(folder: Path) -> Path:
    """Build the package in ``folder``."""
    subprocess.run([SOURCE / "systemd/build-deb", SOURCE, folder], check=True)
    (package,) = folder.glob("*.deb")
    return package


def newer(package: Path, folder: Path) -> Path:
    """The same package with a higher version, in ``folder``."""
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace("\nVersion: ", "\nVersion: 99."))
    (folder / "newer.deb").unlink(missing_ok=True)
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, folder / "newer.deb"], check=True)
    return folder / "newer.deb"


def put(machine: Booted, file: Path, path: str) -> None:
    """Copy a file from here into the machine."""
    with file.open("rb") as content:
        inside = machine.start("sh", "-c", f"cat >{path}")
        inside.stdin.buffer.write(content.read())  # type: ignore[union-attr]
        inside.communicate()


def install(machine: Booted, package: Path) -> str:
    """Install a package with apt, without network; gives what apt printed."""
    put(machine, package, "/opt/it.deb")
    command = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--no-install-recommends")
    return machine.do(*command, "/opt/it.deb", patience=240)


def simulate_platform(machine: Booted, more: str = "") -> None:
    """Let a platform answer in the machine that knows ana, beto and five more; ``more`` is said of each of them."""
    machine.write("/opt/simulated.py", _PLATFORM.replace("MORE", more))
    machine.do("systemd-run", "--quiet", "--unit=platform", "--collect", "python3", "/opt/simulated.py")
    machine.until(lambda: machine.run("python3", "-c", _ASK).code == 0, "the platform")


def seen(machine: Booted) -> Seen:
    """Who came to the platform until now."""
    return Seen(**json.loads(machine.do("python3", "-c", _ASK)))


def configure(machine: Booted, *agents: str, login: str = "") -> None:
    """Write the YAML; each of ``agents`` is one in flow style, ``login`` more of that section."""
    machine.write(f"{ETC}/provisioner.yaml", _MAIN % (URL, login))
    machine.write(f"{ETC}/agents.d/a.yaml", "agents:\n" + "".join(f"- {one}\n" for one in agents), 0o640)


def drop_in(machine: Booted, *lines: str, name: str = "test") -> None:
    """Change the daemon's unit as an administrator does."""
    machine.write(f"/etc/systemd/system/{DAEMON}.d/{name}.conf", "\n".join(["[Service]", *lines, ""]))
    machine.do("systemctl", "daemon-reload")


def kiosk(machine: Booted) -> str:
    """A folder that is nobody's home, and an agent in it, in YAML."""
    machine.do("install", "-d", "-o", "softphone-provisioner", "-m", "0700", KIOSK)
    drop_in(machine, f"ReadWritePaths={KIOSK}", name="kiosk")
    return f"{{login: ana, password: pw-ana, home: {KIOSK}, targets: [json]}}"


def kiosk_file(machine: Booted) -> dict[str, Any]:
    """What was written for that agent."""
    account: dict[str, Any] = json.loads(machine.read(f"{KIOSK}/.config/softphone-provisioner/json/account.json"))
    return account


def status(machine: Booted) -> dict[str, Any]:
    """What the service says of itself."""
    asked = machine.run("provisioner", "status", "--format", "json")
    assert asked.code in (0, 4), asked.err
    told: dict[str, Any] = asked.json
    return told


def logged_in(machine: Booted, *logins: str) -> None:
    """Wait until these agents are logged in and have their files, or reasons why not; their users are here."""

    def is_done(agent: dict[str, Any]) -> bool:
        states = {target["state"] for target in agent["targets"]}
        return agent["login"]["state"] == "logged in" and bool(states - {"waits for the session"})

    def done() -> bool:
        asked = machine.run("provisioner", "status", "--format", "json")
        agents = json.loads(asked.out).get("agents", []) if asked.out else []
        return {one["agent"] for one in agents if is_done(one)} >= {*logins}

    machine.until(done, f"logins of {', '.join(logins)}", pause=0.2)


def pid(machine: Booted, unit: str = DAEMON) -> int:
    """The unit's main process, as the machine numbers it."""
    return int(machine.unit(unit, "MainPID")["MainPID"])


def layers(*uppers: Path, root: Path) -> Sequence[Path]:
    """Folders to boot: what machines changed, the newest first, on top of a root."""
    return [*(layer / "upper" for layer in uppers), root]
