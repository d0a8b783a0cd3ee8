"""What phones are still to be told: in the seats and in the state, and decided on before files are brought.

It is remembered before the files are there, so that neither a crash nor a restart loses it: a phone may be told twice,
never not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from provisioner.core.mark import content_mark
from provisioner.core.parcel import Parcel, State, TargetReport
from provisioner.core.pending import Reload
from provisioner.core.reload import Decision, Wish, asked, free, judged, problem_of, renewed, resumed
from provisioner.core.told_phones import Told
from provisioner.edge.store import Store
from provisioner.hands import Hands
from provisioner.logins import Chances
from provisioner.noting import Keeper, note
from provisioner.seat import Seat
from provisioner.waiting import Spawn

log = logging.getLogger(__name__)
_STAYS = {Decision.HOLD: State.PENDING, Decision.REFUSED: State.ROLLED_BACK}


def _never_busy(_seat: Seat) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Means:
    """What telling needs of the rest.

    ``told`` gives the phones of a seat that are told, by the folder of their files; ``hands`` are those that reach them
    now; ``keep`` runs a call on the store; ``again`` brings a seat's files. ``busy`` says that a seat is in a call, for
    whoever knows that without a ``busy_command``. ``key`` makes marks of content.
    """

    told: Callable[[Seat], Mapping[str, Told]]
    hands: Callable[[Seat], Hands | None]
    keep: Keeper
    again: Callable[[Seat], Awaitable[None]]
    spawn: Spawn
    chances: Chances
    key: bytes = field(repr=False)
    busy: Callable[[Seat], bool] = _never_busy


@dataclass(frozen=True, slots=True)
class Decided:
    """What is brought now. ``held`` are the folders whose files stay as they are, and how that is called; ``before`` is
    what was remembered of those that get new content."""

    parcels: tuple[Parcel, ...]
    held: Mapping[str, State] = field(default_factory=dict)
    before: Mapping[str, Reload] = field(default_factory=dict)


class ReloadMemory:
    """What the phones of all seats are still to be told."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._cleared: set[tuple[str, str]] = set()

    async def put(self, seat: Seat, reload: Reload) -> None:
        """Remember ``reload``, or forget it when there is nothing more to do. What is new for people is logged."""
        before = seat.reloads.get(reload.folder)
        if reload.worth_keeping:
            seat.reloads[reload.folder] = reload
        else:
            seat.reloads.pop(reload.folder, None)
        if reload != before and (before or reload.worth_keeping):
            _log(before, reload)
            await self._write(reload)

    async def forget(self, seat: Seat, folders: Iterable[str]) -> None:
        """The phones of these ``folders`` are told no longer."""
        for folder in list(folders):
            if reload := seat.reloads.pop(folder, None):
                await self._write(_done(reload))

    async def take_up(self, seats: Mapping[str, Seat], kept: Iterable[Reload]) -> None:
        """Go on with what the last run kept."""
        for reload in kept:
            seat = seats.get(reload.agent)
            told = self._means.told(seat).get(reload.folder) if seat else None
            if seat and told:
                seat.reloads[reload.folder] = resumed(reload, told.policy, self._means.chances.now())
            else:
                await self._write(_done(reload))

    async def ask_again(self, seat: Seat) -> None:
        """Somebody wants what was given up or rolled back to be tried once more."""
        for reload in list(seat.reloads.values()):
            await self.put(seat, asked(reload, self._means.chances.now()))

    async def clear(self, seat: Seat, reload: Reload) -> None:
        """Bring what was held: the phone is in no call, or has been in one for long enough."""
        key = seat.login, reload.folder
        self._cleared.add(key)
        try:
            await self._means.again(seat)
        finally:
            self._cleared.discard(key)
        if seat.reloads.get(reload.folder) is reload:  # nothing could be brought, and its report says why
            await self.put(seat, free(reload))

    async def decide(self, seat: Seat, hands: Hands, parcels: Sequence[Parcel]) -> Decided:
        """What of ``parcels`` is brought now; that their phones are to be told is remembered from here on.

        Raises ProvisionerError where the files cannot be looked at.
        """
        told = self._means.told(seat)
        await self.forget(seat, seat.reloads.keys() - told.keys())
        known = [parcel for parcel in parcels if parcel.files and parcel.folder in told]
        if not known:
            return Decided(tuple(parcels))
        changing = await hands.peek(known)
        made: list[Parcel] = []
        held: dict[str, State] = {}
        before: dict[str, Reload] = {}
        for parcel in parcels:
            folder = parcel.folder
            if parcel not in known:
                made.append(parcel)
                continue
            old = seat.reloads.get(folder, Reload(seat.login, folder, parcel.target))
            wish = self._wish(seat, told[folder], parcel, changes=folder in changing)
            decision, new = judged(old, told[folder].policy, wish, self._means.chances.now())
            await self.put(seat, new)
            if decision is Decision.BRING:
                before[folder] = old
                parcel = replace(parcel, keeps=told[folder].policy.rolls_back and old.since is None)
            elif decision in _STAYS:
                held[folder] = _STAYS[decision]
                parcel = replace(parcel, files=())
            made.append(parcel)
        return Decided(tuple(made), held, before)

    async def delivered(self, seat: Seat, decided: Decided, targets: Iterable[TargetReport]) -> None:
        """Take note of what was brought: nobody is told of files that did not come."""
        told = self._means.told(seat)
        for target in targets:
            before = decided.before.get(target.folder)
            if before and not target.renewed:
                await self.put(seat, free(before))
            elif not before and target.renewed and target.folder in told:
                old = seat.reloads.get(target.folder, Reload(seat.login, target.folder, target.target))
                await self.put(seat, renewed(old, self._means.chances.now(), content=""))

    def _wish(self, seat: Seat, told: Told, parcel: Parcel, *, changes: bool) -> Wish:
        """What ``parcel`` brings to a phone: whether that ``changes`` anything, and whether it is asked first."""
        mark = content_mark(self._means.key, parcel.files) if told.policy.rolls_back else ""
        may_be_busy = bool(told.policy.busy_command) or self._means.busy(seat)
        return Wish(mark, changes, may_be_busy and (seat.login, parcel.folder) not in self._cleared)

    async def _write(self, reload: Reload) -> None:
        if reload.worth_keeping:
            change = partial(Store.put_reload, reload=reload)
        else:
            change = partial(Store.drop_reload, agent=reload.agent, folder=reload.folder)
        await note(self._means.keep, change, f"agent {reload.agent}: what {reload.target} is to be told is not kept")


def _done(reload: Reload) -> Reload:
    return Reload(reload.agent, reload.folder, reload.target)


def _log(before: Reload | None, reload: Reload) -> None:
    problem = problem_of(reload)
    if problem and (before is None or problem != problem_of(before)):
        log.log(logging.INFO if problem.remark else logging.WARNING, "%s", problem)
    elif before and before.count and reload.since is None:
        log.info("agent %s, %s: told after %d failures", reload.agent, reload.target, before.count)
