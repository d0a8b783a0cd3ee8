"""The service: start, wait for a reason, act, stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.report import problem_as_json
from provisioner.core.settings import WatchPolicy
from provisioner.core.settle import Burst, due
from provisioner.edge.api import control_socket
from provisioner.edge.courier_socket import Reception, courier_socket
from provisioner.edge.kept_ports import KeptPorts
from provisioner.edge.service import Systemd
from provisioner.edge.suspension import Suspensions
from provisioner.edge.watch import Watch
from provisioner.opening import Here, open_workbench
from provisioner.places import Places
from provisioner.waiting import Spawn, first_of
from provisioner.workstation import Workstation

log = logging.getLogger(__name__)
TOLD_AFTER = 0.1  # seconds


class NoConfigurationError(ProvisionerError):
    """There is nothing to begin with."""


async def serve(places: Places, here: Here, systemd: Systemd, ports: KeptPorts) -> None:
    """Serve this workstation until SIGTERM or SIGINT, with ``ports`` that ``systemd`` keeps.

    Raises ProvisionerError when it cannot begin: no usable configuration or state. Any other exception is a bug and
    ends the process.
    """
    refused: ProvisionerError | None = None
    with open_workbench(places, here.workstation) as bench:
        for remark in bench.store.remarks:
            log.warning("%s", remark)
        async with asyncio.TaskGroup() as group:
            workstation = Workstation(bench, here.chances, group.create_task, ports)
            try:
                await _begin(workstation, places, systemd, group.create_task)
            except ProvisionerError as error:
                refused = error
            # After a restart, their sessions go on: that is no stop for agents.
            await workstation.stop(log_off=False if await asyncio.to_thread(systemd.restarts) else None)
    if refused:
        raise refused


async def _begin(workstation: Workstation, places: Places, systemd: Systemd, spawn: Spawn) -> None:
    daemon = _Daemon(workstation, places.config, systemd)
    daemon.listen()
    problems = await workstation.reload()
    if problems:
        raise NoConfigurationError(problems)
    reception = Reception(workstation.couriers.serve, lambda uid: bool(workstation.seats_of(uid)), spawn)
    control = control_socket(places.socket, daemon.answer, spawn)
    async with control, courier_socket(places.courier_socket, reception):
        await daemon.run()


class _Daemon:
    def __init__(self, workstation: Workstation, config: Path, systemd: Systemd) -> None:
        self._workstation = workstation
        self._systemd = systemd
        self._loop = asyncio.get_running_loop()
        self._watch = Watch(config, self._changed)
        self._burst: Burst | None = None
        self._wake = asyncio.Event()
        self._looked = asyncio.Event()
        self._ending = asyncio.Event()
        self._asked = False

    @property
    def _policy(self) -> WatchPolicy:
        return self._workstation.site.settings.watch

    def listen(self) -> None:
        """Take SIGHUP for what it means here: it would end the process, and for systemd that is no failure."""
        self._loop.add_signal_handler(signal.SIGHUP, self._reload_asked)

    async def run(self) -> None:
        """Everything between the first reload and the stop."""
        for stop in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(stop, self._ending.set)
        self._watch.follow(self._policy.method, self._policy.poll_every)
        self._systemd.ready(self._workstation.summary())
        log.info("serving: %s", self._workstation.summary())
        try:
            await self._until_stop()
        finally:
            self._systemd.stopping()
            self._watch.stop()

    async def _until_stop(self) -> None:
        ending = asyncio.ensure_future(self._ending.wait())
        work = [ending, *map(asyncio.ensure_future, (self._follow(), self._check(), self._report()))]
        done, pending = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            task.result()  # a bug in one of them ends the process

    async def answer(self, question: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the command line asks over the control socket."""
        match question:
            case {"verb": "status"}:
                return {"problems": [], **self._workstation.status()}
            case {"verb": "reload", "wait": False}:
                self._reload_asked()
                return _answered([])
            case {"verb": "reload", "force": bool(force)}:
                return _answered(await self._reload(force=force))
            case {"verb": "refresh", "agent": str(agent)}:
                return _answered(await self._workstation.refresh(agent))
            case {"verb": "log-off", "agent": str(agent)}:
                return _answered(await self._workstation.log_off(agent))
        what = "the service does not understand this question"
        return _answered([Problem(Place("control socket"), what, "restart it: it may be older than the command")])

    def _changed(self, at: float) -> None:
        self._burst = self._burst.went_on(at) if self._burst else Burst(at, at)
        self._wake.set()

    def _reload_asked(self) -> None:
        self._asked = True
        self._wake.set()

    async def _follow(self) -> None:
        """Reload when the files have settled, or at once when somebody asks. What changed is read already while they
        settle: nothing is made of it before."""
        looked: Burst | None = None
        while True:
            if self._asked:
                self._asked = False
                await self._reload(force=False)
            pause, new = self._pause(), self._burst is not looked
            ahead = self._policy.settle / 2 if new else 0.0
            if pause is None or pause > ahead:
                await first_of(self._wake, pause and pause - ahead)
                self._wake.clear()
            elif pause > 0:
                looked = self._burst
                await self._workstation.look_ahead()
            else:
                await self._read_again(look=new)

    def _pause(self) -> float | None:
        """Seconds until the changes seen so far have settled; None when there are none."""
        if self._burst is None:
            return None
        quiet, at_most = self._policy.settle, self._policy.settle_at_most
        return due(self._burst, quiet=quiet, at_most=at_most) - self._loop.time()

    async def _reload(self, *, force: bool) -> tuple[Problem, ...]:
        self._systemd.reloading()
        self._watch.try_again()
        problems = await self._read_again(force=force, asked=True)
        await self._workstation.check()  # who asks may have deleted a file, and wait for it
        self._systemd.ready(self._workstation.summary())
        return problems

    async def _read_again(self, *, force: bool = False, asked: bool = False, look: bool = True) -> tuple[Problem, ...]:
        self._burst = None
        problems = await self._workstation.reload(force=force, asked=asked, look=look)
        _keep_in_memory()
        self._watch.follow(self._policy.method, self._policy.poll_every)
        self._looked.set()
        return problems

    async def _check(self) -> None:
        """The slow look for what nobody told us of."""
        last = self._loop.time()
        while True:
            self._looked.clear()
            pause = last + self._policy.check_every - self._loop.time()
            if pause > 0:
                await first_of(self._looked, pause)  # what was read may have named another time
                continue
            gc.unfreeze()
            await self._read_again()
            await self._workstation.check()
            last = self._loop.time()

    async def _report(self) -> None:
        """Tell the service manager that we live, and how things are when that changed; look whether we slept."""
        # Half of the watchdog's time, as sd_watchdog_enabled(3) recommends.
        pause = self._systemd.watchdog_seconds / 2 if self._systemd.watchdog_seconds else None
        told, suspensions = "", Suspensions()
        while True:
            self._systemd.alive()
            self._watch.look()
            self._workstation.resumed(suspensions.latest())
            summary = self._workstation.summary()
            if summary != told:
                self._systemd.status(summary)
            told = summary
            await first_of(self._workstation.news, pause)
            # What happens together is told together, and after it is done.
            await asyncio.sleep(TOLD_AFTER)
            self._workstation.news.clear()


def _keep_in_memory() -> None:
    """Let the cyclic collector pass over what is in force now: looking through thousands of agents makes edits wait."""
    gc.collect()
    gc.freeze()


def _answered(problems: tuple[Problem, ...] | list[Problem]) -> Mapping[str, Any]:
    return {"problems": [problem_as_json(problem) for problem in problems]}
