"""The demonstration: what happens at a workstation, told while it really happens."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import textwrap
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from provisioner.cli.ask import NotRunningError, ask
from provisioner.cli.common import colourful
from provisioner.cli.show import status_as_text
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.report import BOLD, END
from provisioner.demo.platform import BUSY, SimulatedAgent, SimulatedPlatform, serve
from provisioner.places import Places, places_of

MARKER = ".softphone-provisioner-demo"
PATIENCE = 30.0

AGENTS = (
    SimulatedAgent("ana", "t4ngo-Ana", "1001", row={"fullname": "Ana Núñez", "allow": "opus;alaw;ulaw"}),
    SimulatedAgent("beto", "s4mba-Beto", "1002", "older", row={"fullname": "Beto Souza"}),
    SimulatedAgent("carla", "the-new-password", "1003"),
)
MAIN = """\
platform:
  url: {url}        # the simulated platform; yours is https://NAME.ucontactcloud.com
  stun: [stun.contact-centre.example]
login:
  splay: 0s         # nobody else arrives at 08:00 here
  first_retry: 1s
"""
FLOOR = """\
defaults:
  targets: [jssip, twinkle]
agents:
- login: ana
  password: t4ngo-Ana
  home: /home/ana
- login: beto
  password: s4mba-Beto
  home: /home/beto
  targets: [linphone]
- login: carla
  password: the-old-password     # changed at the platform, not here
  home: /home/carla
"""


async def tell(folder: Path, *, stay: bool) -> None:
    """Run the whole in ``folder``. Raises ProvisionerError when the folder is somebody else's, or cannot be made."""
    try:
        places = _prepare(folder)
    except OSError as error:
        what = f"this folder cannot be used: {error.strerror}"
        raise ProvisionerError(Problem(Place(str(folder)), what, "name another with --dir")) from None
    platform = SimulatedPlatform(AGENTS)
    platform.answer_next("beto", BUSY)
    async with serve(platform) as url:
        _say(1, f"A simulated platform answers at {url}. It knows ana, beto and carla.")
        _write_settings(places, url)
        async with _service(places) as log:
            story = _Story(places, platform, log)
            await story.begin()
            await story.edit()
            await story.mistake()
            if stay:
                await story.stay()
    _say(5, f"Stopped. The files stay in {folder} for you to look at.")


class _Story:
    def __init__(self, places: Places, platform: SimulatedPlatform, log: Path) -> None:
        self._places = places
        self._platform = platform
        self._log = log
        self._floor = places.config / "agents.d" / "floor-2.yaml"

    async def begin(self) -> None:
        _say(2, f"IT wrote the YAML in {self._places.config}, and the service starts.")
        status = await self._until(_is_settled)
        print(_indented(status_as_text(status, now=time.time(), colour=colourful(sys.stdout))))
        print()
        _explain(
            "beto's first login met a busy platform (503) and was tried again; carla's password is wrong, and a"
            " refusal is final until IT changes something. The accounts speak WebSocket only: with twinkle no call"
            " would work there, and a dead file would be worse than none; linphone goes through the relay, and its"
            " files hold no secret. The files, readable by their owner only:"
        )
        print()
        for path in sorted(path for path in (self._places.root / "home").rglob("*") if path.is_file()):
            print(f"     {path.stat().st_mode & 0o777:04o}  {path}")

    async def edit(self) -> None:
        account = self._places.root / "home/ana/.config/softphone-provisioner/jssip/account.json"
        before, logins, began = account.read_text(), list(self._platform.logins), time.monotonic()
        text = self._floor.read_text()
        changed = "- login: ana\n  account: {display_name: Ana Núñez (Ventas), codecs: [pcma, opus]}\n"
        self._floor.write_text(text.replace("- login: ana\n", changed))
        _say(3, f"IT edits {self._floor.name}: another display name and codec order for ana.")
        await _until(lambda: account.read_text() != before, "the file to change")
        print(f"   {time.monotonic() - began:.2f} s later (0.20 s wait for the editor to finish), in {account.name}:\n")
        _show_changes(before, account.read_text())
        counts = ", ".join(f"{login} {count}" for login, count in sorted(Counter(self._platform.logins).items()))
        print(f"\n   Logins at the platform so far: {counts}.")
        print(
            "   Nobody was logged in again." if self._platform.logins == logins else "   SOMEBODY WAS LOGGED IN AGAIN."
        )

    async def mistake(self) -> None:
        good = self._floor.read_text()
        self._floor.write_text(good.replace("targets: [jssip, twinkle]", "target: [jssip, twinkle]"))
        _say(4, "IT makes a mistake. What was in force stays in force, and the status says where the mistake is:")
        status = await self._until(lambda status: status["configuration"]["refused_at"] is not None)
        text = status_as_text(status, now=time.time(), colour=colourful(sys.stdout))
        print(_indented("\n".join(text.splitlines()[:3])))
        self._floor.write_text(good)
        await self._until(lambda status: status["configuration"]["refused_at"] is None)
        print("\n   It is mended, and all is well.")

    async def stay(self) -> None:
        root = f"--root {self._places.root}"
        called = sys.argv[0] if Path(sys.argv[0]).name == "provisioner" else "python -m provisioner"
        print("\n   Everything runs until Ctrl-C. In another terminal, for example:\n")
        for words in ("status", "plan", "refresh carla"):
            print(f"     {called} {words} {root}")
        print(f"     $EDITOR {self._floor}\n     tail -f {self._log}\n", flush=True)
        ending = asyncio.Event()
        for stop in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(stop, ending.set)
        await ending.wait()

    async def _until(self, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first status of which ``true`` holds."""
        found: dict[str, Any] = {}

        def holds() -> bool:
            try:
                found.update(ask(self._places.socket, {"verb": "status"}, seconds=5.0))
            except NotRunningError:
                return False
            return true(found)

        await _until(holds, "the service")
        return found


def _is_settled(status: dict[str, Any]) -> bool:
    *working, last = status["agents"]
    return last["login"]["state"] == "refused" and all(agent["targets"] for agent in working)


async def _until(true: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + PATIENCE
    while not await asyncio.to_thread(true):
        if time.monotonic() > ends:
            raise ProvisionerError(Problem(Place("demo"), f"waited {PATIENCE:.0f} s in vain for {what}", "see the log"))
        await asyncio.sleep(0.01)


@asynccontextmanager
async def _service(places: Places) -> AsyncIterator[Path]:
    """The real service, as a process of its own; gives its log."""
    log = places.root / "journal.log"
    command = (sys.executable, "-m", "provisioner", "run", "--root", str(places.root))
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(*command, stderr=out, start_new_session=True)
    try:
        yield log
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _prepare(folder: Path) -> Places:
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
        what = "there is something in this folder that no demonstration made"
        raise ProvisionerError(Problem(Place(str(folder)), what, "name another with --dir"))
    shutil.rmtree(folder, ignore_errors=True)
    places = places_of(folder, None, None)
    for needed in (places.config / "agents.d", *(folder / "home" / agent.login for agent in AGENTS)):
        needed.mkdir(parents=True)
    (folder / MARKER).touch()
    return places


def _write_settings(places: Places, url: str) -> None:
    (places.config / "provisioner.yaml").write_text(MAIN.format(url=url))
    floor = places.config / "agents.d" / "floor-2.yaml"
    floor.touch(mode=0o600)
    floor.write_text(FLOOR)


def _say(number: int, text: str) -> None:
    bold, end = (BOLD, END) if colourful(sys.stdout) else ("", "")
    print(f"\n{bold}{_filled(text, first=f'{number}  ')}{end}\n", flush=True)


def _explain(text: str) -> None:
    print(_filled(text, first="   "))


def _filled(text: str, *, first: str) -> str:
    """``text`` in lines that the terminal has room for; a path stays in one piece."""
    width = max(40, min(100, shutil.get_terminal_size().columns))
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent="   ", break_long_words=False, break_on_hyphens=False
    )


def _indented(text: str) -> str:
    return "\n".join(f"   {line}".rstrip() for line in text.splitlines())


def _show_changes(before: str, after: str) -> None:
    """The lines that differ and hold no secret: the credential did not change."""
    old, new = before.splitlines(), after.splitlines()
    for sign, lines, others in (("-", old, new), ("+", new, old)):
        for line in lines:
            if line not in others and not any(word in line for word in ("ha1", "password")):
                print(f"     {sign} {line.strip()}")
