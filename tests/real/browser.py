"""Chromium without a window, with a page that includes the script that the program wrote."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from tests.real import scripts
from tests.real.desk import Desk
from tests.real.devtools import Tab, tab

_OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required",
    # Or it has no address to offer for audio.
    "--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--remote-debugging-port=0",
)  # fmt: skip
_PAGE = """<!DOCTYPE html><html><head><meta charset="utf-8"><title>phone</title></head>
<body><script src="written.js"></script><script src="phone.js"></script></body></html>"""


@dataclass(frozen=True)
class Page:
    """The phone in its page."""

    tab: Tab

    async def call(self, number: str) -> None:
        """Call ``number`` at the agent's own domain."""
        await self.tab.run(f"phone.call('{number}')")

    async def answer(self) -> None:
        """It answers by itself."""

    async def press(self, digits: str) -> None:
        """Press digits once the call is connected."""
        await self.tab.run(f"phone.press('{digits}')")

    async def hang_up(self) -> None:
        """End the call."""
        await self.tab.run("phone.hangUp()")

    async def reload(self) -> None:
        """Load the page again, with the script that is there now."""
        await self.tab.ask("Page.reload", ignoreCache=True)


@asynccontextmanager
async def browser(desk: Desk, login: str, phone: str) -> AsyncIterator[Page]:
    """The page, loaded; ``phone`` is the target's name, whose folder it reads from."""
    home = desk.home(login)
    _trust(home, desk.server.certificates.authority)
    profile = home / "browser"
    arguments = ["chromium", *_OPTIONS, f"--user-data-dir=/home/{login}/browser", "about:blank"]
    name = "provision.js" if phone == "browser-phone" else "account.js"
    written = home / ".config/softphone-provisioner" / phone / name
    async with (
        _served({"/": _PAGE, "/written.js": written, "/phone.js": scripts.folder() / f"{phone}.js"}) as url,
        desk.phone(login, *arguments) as process,
    ):
        told = profile / "DevToolsActivePort"
        await process.until(lambda: told.exists() and told.read_text().count("\n") == 1)
        async with tab(int(told.read_text().splitlines()[0]), url) as opened:
            yield Page(opened)


@asynccontextmanager
async def _served(pages: dict[str, str | Path]) -> AsyncIterator[str]:
    """Texts and files (as they are when they are asked for) on a free port of 127.0.0.1; gives the address."""

    async def answer(request: web.Request) -> web.Response:
        page = pages.get(request.path)
        if page is None:
            return web.Response(status=404)
        kind = "text/html" if request.path == "/" else "text/javascript"
        text = page if isinstance(page, str) else page.read_text()
        return web.Response(text=text, content_type=kind, charset="utf-8")

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://localhost:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def _trust(home: Path, authority: Path) -> None:
    """Let the browsers of this home trust an authority, as who sets up a workstation does."""
    store = home / ".pki/nssdb"
    store.mkdir(parents=True)
    for options in (["-N", "--empty-password"], ["-A", "-n", "tests", "-t", "C,,", "-i", str(authority)]):
        subprocess.run(["certutil", "-d", f"sql:{store}", *options], check=True, stdin=subprocess.DEVNULL)
