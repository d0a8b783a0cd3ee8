"""What the same work costs when it is done in the plainest way."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from pathlib import Path

from jinja2 import Environment
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers.inotify import InotifyObserver


def plain_loop(folder: Path, agents: int, files: int) -> float:
    """Seconds to render and write ``files`` files for each of ``agents``, with fsync and rename."""
    template = Environment(autoescape=False).from_string('{"name": "{{ name }}", "ha1": "{{ ha1 }}"}' + "\n" * 20)
    began = time.perf_counter()
    for agent in range(agents):
        home = folder / f"agent{agent}"
        home.mkdir(parents=True)
        for number in range(files):
            new, place = home / f".{number}.new", home / f"{number}.json"
            with new.open("w") as file:
                file.write(template.render(name=f"agent{agent}", ha1="0" * 32))
                file.flush()
                os.fsync(file.fileno())
            new.rename(place)
        descriptor = os.open(home, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    return time.perf_counter() - began


class _Noticed(FileSystemEventHandler):
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.event = asyncio.Event()

    def on_modified(self, event: FileSystemEvent) -> None:
        if not event.is_directory:
            self._loop.call_soon_threadsafe(self.event.set)


async def watchdog_alone(folder: Path, times: int) -> float:
    """Median milliseconds from a write in ``folder``, which exists, to the event in the loop, by watchdog alone."""
    noticed = _Noticed(asyncio.get_running_loop())
    observer = InotifyObserver()
    observer.schedule(noticed, str(folder))
    observer.start()
    taken = []
    for number in range(times):
        noticed.event.clear()
        began = time.perf_counter()
        (folder / "x.yaml").write_text(f"n: {number}\n")
        await noticed.event.wait()
        taken.append((time.perf_counter() - began) * 1000)
    observer.stop()
    observer.join()
    return statistics.median(taken)
