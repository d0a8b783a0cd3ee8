"""All agents of this workstation: a new configuration is read in full, judged, and only then switched to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from provisioner.core.plan import brake
from provisioner.core.prepare import Job
from provisioner.core.problem import Problem, ProvisionerError
from provisioner.core.reason import Reason, identity_of, reason
from provisioner.couriers import Couriers
from provisioner.departures import Departures
from provisioner.discovery import Discovery
from provisioner.edge.kept_ports import KeptPorts
from provisioner.edge.store import Store
from provisioner.hands import OwnHands
from provisioner.logins import Chances, Logins
from provisioner.noting import note
from provisioner.overview import Overview
from provisioner.phones import Phones
from provisioner.relays import Relays
from provisioner.reload_memory import Means
from provisioner.reloads import Reloads
from provisioner.seat import Seat, is_served
from provisioner.site import Served, Site
from provisioner.standing import Standing
from provisioner.waiting import Spawn
from provisioner.workbench import Workbench

log = logging.getLogger(__name__)
T = TypeVar("T")


class Workstation:
    """Serves the agents of one workstation. ``spawn`` starts a task that somebody else ends and watches over; ``news``
    is set whenever the status may have changed."""

    def __init__(self, bench: Workbench, chances: Chances, spawn: Spawn, ports: KeptPorts) -> None:
        self._bench = bench
        self._spawn = spawn
        self._now = chances.now
        self.couriers = Couriers(OwnHands(bench.cycle, self._work), self._work, self, spawn)
        self._logins = Logins(chances, self._keep, self._logged_in, self.couriers.present)
        self._departures = Departures(self._logins, self._strike, spawn)
        self._discovery = Discovery(bench.reader, self._keep, chances.now)
        self._reloads = Reloads(
            Means(
                told=lambda seat: self.site.told_phones(seat.served),
                hands=self.couriers.hands,
                keep=self._keep,
                again=lambda seat: self._phones.bring_at_any_rate(seat, self._job),
                spawn=spawn,
                chances=chances,
                key=bench.store.key(),
                busy=lambda seat: self._relays.calls(seat.login) > 0,
            )
        )
        self._phones = Phones(self.couriers.hands, self._work, spawn, self._reloads)
        self._relays = Relays(self._keep, spawn, lambda: self.news.set(), ports)
        self._seats: dict[str, Seat] = {}
        self._site: Site | None = None
        self._standing = Standing(chances.now)
        self._overview = Overview(self._seats, self._standing, self.couriers.present, self._relays.status)
        self._one_at_a_time = asyncio.Lock()
        self.news = asyncio.Event()

    @property
    def site(self) -> Site:
        """The configuration in force."""
        assert self._site is not None
        return self._site

    async def look_ahead(self) -> None:
        """Read settings that still may change, so that there is less to do once they do not."""
        await self._work(self._bench.reader.look_ahead)

    async def reload(self, *, force: bool = False, asked: bool = False, look: bool = True) -> tuple[Problem, ...]:
        """Read the configuration and switch to it; gives the problems for which it was refused, and all stays as it is.

        ``force`` lets a change through that removes many agents; ``asked`` says that a person wants it, so that
        commands which print passwords are run anew. Without ``look`` the settings did not change since ``look_ahead``.
        """
        async with self._one_at_a_time:
            try:
                if asked:
                    await self._work(self._bench.reader.forget)
                site, owners = await self._work(partial(self._read, look=look))
                if site.settings.removal_brake and not force:
                    brake(owners | self._seats.keys(), site.served.keys())
            except ProvisionerError as error:
                return self._standing.refuse(error.problems)
            self._standing.accept(site.remarks, new=self._site is None or not site.is_like(self._site))
            await self._switch(site)
            self._standing.tell(self._bench.store.lost())
            return ()

    async def refresh(self, agent: str) -> tuple[Problem, ...]:
        """Log ``agent`` in again, whatever happened before; gives the problems that this met."""
        seat = self._seats.get(agent)
        if seat is None:
            return (self._overview.unknown(agent),)
        seat.forget_failures()
        seat.renew = True
        await self._strike(partial(Store.drop_attempt, agent=agent), agent)
        await self._reloads.memory.ask_again(seat)
        seat.tried.clear()
        self._log_in(seat)
        await seat.first_try(self._now())
        self._relays.renew(agent)
        return self._overview.why_not(seat)

    async def log_off(self, agent: str) -> tuple[Problem, ...]:
        """Log ``agent`` off, and nobody in before a refresh. The files stay."""
        seat = self._seats.get(agent)
        if seat is None:
            return (self._overview.unknown(agent),)
        problem = await self._logins.log_off(seat, stay_off=True)
        await self._relays.serve(seat.login, self._job(seat))
        return (problem,) if problem else ()

    async def check(self) -> None:
        """Repair what somebody deleted, edited or loosened since it was written."""
        with suppress(ProvisionerError):  # the status and the log have it
            await self._work(self._bench.store.catch_up)
        self._standing.tell(self._bench.store.lost())
        await self._phones.mend([seat for seat in self._seats.values() if seat.rendered is not None], self._job)
        await self._pass_on()
        self._spawn(self._discovery.look_again(list(self._seats.values()), self._logged_in))

    def resumed(self, seconds: float) -> None:
        """The machine was suspended for so long: do what came due meanwhile."""
        for seat in self._seats.values() if seconds >= 1.0 else ():  # less is none
            self._logins.resumed(seat, seconds)
            self._log_in(seat)

    async def first_logins(self) -> None:
        """Wait until every login that can be tried now was tried once; not for those whose time comes later."""
        for seat in list(self._seats.values()):
            await seat.first_try(self._now())
        await self._reloads.first_tries()

    async def stop(self, *, log_off: bool | None = None) -> None:
        """Finish what is under way; log everybody off where the policy (or ``log_off``) says so."""
        self.couriers.stop()
        seats = list(self._seats.values())
        for seat in seats:
            seat.leave()
        await self._relays.stop()
        await asyncio.gather(*(asyncio.wait([seat.task]) for seat in seats if seat.task))
        await self._departures.finished()
        await self._reloads.stop()
        if self._site and (self._site.settings.login.log_off_on_stop if log_off is None else log_off):
            await asyncio.gather(*(self._logins.log_off(seat) for seat in seats))
        await self._logins.close(seats)

    def status(self) -> dict[str, Any]:
        """Everything that there is to tell, without secrets."""
        return self._overview.status((*self._bench.store.lost(), *self._phones.left()))

    def summary(self) -> str:
        """The state in one line, for systemd."""
        return self._overview.summary()

    @property
    def grace(self) -> float:
        """As ``Desk`` says."""
        return self.site.settings.login.session_grace

    def seats_of(self, uid: int) -> list[Seat]:
        """As ``Desk`` says."""
        return [seat for seat in self._seats.values() if seat.uid == uid and not seat.moving]

    async def came(self, seat: Seat) -> None:
        """As ``Desk`` says."""
        self._log_in(seat)
        await self._render(seat)

    async def went(self, seat: Seat) -> None:
        """As ``Desk`` says."""
        if self.site.settings.login.at == "session" and not self.couriers.present(seat):
            await self._logins.log_off(seat)
            await self._relays.serve(seat.login, self._job(seat))

    async def _switch(self, site: Site) -> None:
        old, self._site = self._site, site
        new_policy = old is None or old.settings.login != site.settings.login
        self._logins.use(site.settings.login)
        if old is None:
            await self._take_up(site)
        gone = [self._seats.pop(login) for login in list(self._seats) if login not in site.served]
        for seat in gone:
            seat.leave()  # all before the first wait: whoever stops us then waits for none of them
        for seat in gone:
            await self._phones.remove(seat)
            await self._relays.forget(seat.login)
        await self._departures.leave(gone, site.settings)
        rendered = {login: seat.rendered for login, seat in self._seats.items()}
        changed = [login for login, served in site.served.items() if new_policy or rendered.get(login) is not served]
        await self._change_all(changed, site)
        # What did not change may still lack something; it waits for what somebody edited just now.
        await self._change_all([seat.login for seat in self._seats.values() if not is_served(seat)], site)
        await self._pass_on(self._relays.behind())
        await self._relays.keep_for(served.wanted.agent for served in site.served.values())
        for seat in list(self._seats.values()) if new_policy else ():
            await self.went(seat)

    async def _change_all(self, logins: Sequence[str], site: Site) -> None:
        for login in [login for login in logins if login not in self._seats]:
            self._seats[login] = self._departures.seat_for(site.served[login])
        seats = [self._seats[login] for login in logins]
        leaving = [seat for seat in seats if seat.leaves_for(site.served[seat.login])]
        changed = [seat for seat in seats if not seat.moving and self._change(seat, site.served[seat.login])]
        await self._departures.move(seat for seat in leaving if seat.is_elsewhere(site.served[seat.login]))
        for seat in [seat for seat in leaving if seat.moves(site.served[seat.login])]:
            await self._phones.remove(seat)
        for seat in [*changed, *(seat for seat in leaving if self._change(seat, site.served[seat.login]))]:
            await self._render(seat)

    async def _take_up(self, site: Site) -> None:
        """Go on where the last run stopped: its sessions and failures, and files of agents who are gone since."""
        sessions = await self._work(self._bench.store.sessions)
        attempts = await self._work(self._bench.store.attempts)
        for login, served in site.served.items():
            seat = self._seats[login] = Seat(served, sessions.get(login), attempts.get(login))
            self._logins.resume(seat)
            self._logins.delay(seat)
        await self._reloads.take_up(self._seats)
        self.couriers.expect({seat.uid for seat in self._seats.values() if seat.uid is not None and seat.holds})
        ours = {seat.login for seat in self._seats.values() if seat.uid is None}
        left = await self._work(self._bench.cycle.agents) - ours
        await self._phones.remove_left(left, self.couriers.own)
        gone = [session for login, session in sessions.items() if login not in site.served]
        await self._departures.forget(gone, attempts, site.settings)
        await self._relays.forget_others(site.served)
        await self._discovery.forget_others(site.served.values())

    def _change(self, seat: Seat, served: Served) -> bool:
        """Take over new settings; says whether files are to be made from the session at hand."""
        old, seat.served = seat.served, self._discovery.not_forgotten(seat.served, served)
        seat.moving = False
        if old.wanted.identity != seat.served.wanted.identity:
            self._logins.resume(seat)
        held = identity_of(seat.session) if seat.session else None
        why = reason(held, seat.rendered.wanted if seat.rendered else None, seat.served.wanted)
        # Its own task knows whether there is anything to do: a login now, later, or none.
        self._log_in(seat)
        stays = is_served(seat) and old.home == seat.served.home
        return why is Reason.RENDER or (why is Reason.NOTHING and not stays)

    def _log_in(self, seat: Seat) -> None:
        seat.changed.set()
        if seat.task is None or seat.task.done():
            seat.task = self._spawn(self._logins.keep_logged_in(seat))

    async def _logged_in(self, seat: Seat) -> None:
        await self._discovery.look(seat, self._job_at_hand)
        await self._render(seat)

    def _job(self, seat: Seat) -> Job | None:
        """What the files are made from; None where nothing is to be made, or not yet."""
        return None if seat.looking else self._job_at_hand(seat)

    def _job_at_hand(self, seat: Seat) -> Job | None:
        if seat.session is None or seat.gone or seat.moving:
            return None
        return self._relays.through(self.site.job(seat.served, seat.session.row))

    async def _render(self, seat: Seat) -> None:
        """Bring relay and files of one seat up to date, from the session at hand."""
        if seat.looking or seat.moving or seat.gone:
            return  # it is done when the realm is known, or the new settings are in force, or was undone
        await self._relays.serve(seat.login, self._job(seat))
        await self._phones.bring(seat, self._job)
        await self._pass_on()

    async def _pass_on(self, others: frozenset[str] = frozenset()) -> None:
        """Render whoever waited for a path that somebody has given up, and ``others`` who wait for something."""
        for login in self._phones.freed() | others:
            if login in self._seats:
                await self._render(self._seats[login])

    def _read(self, *, look: bool) -> tuple[Site, frozenset[str]]:
        """What is on the disk now: the site, and who has files."""
        return self._bench.reader.read(look=look), self._bench.cycle.agents()

    async def _strike(self, change: Callable[[Store], None], agent: str) -> None:
        await note(self._keep, change, f"agent {agent}: what is over stays in the state for now")

    async def _keep(self, change: Callable[[Store], T]) -> T:
        return await self._work(lambda: change(self._bench.store))

    async def _work(self, call: Callable[[], T]) -> T:
        result = await asyncio.get_running_loop().run_in_executor(self._bench.worker, call)
        self.news.set()
        return result
