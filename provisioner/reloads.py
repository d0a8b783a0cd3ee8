"""Telling phones that their files changed: one task a phone, few commands side by side, until it is done."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from provisioner.core.errand import Ran
from provisioner.core.parcel import State
from provisioner.core.pending import Reload
from provisioner.core.problem import ProvisionerError
from provisioner.core.reload import after, due, is_overdue, put_off, resumed, rolled_back, rolls_back
from provisioner.core.settings import ReloadPolicy
from provisioner.core.told_phones import Told
from provisioner.hands import Hands
from provisioner.reload_memory import Means, ReloadMemory
from provisioner.seat import Seat
from provisioner.waiting import first_of

log = logging.getLogger(__name__)
AT_ONCE = 8
ASK_SECONDS = 5.0  # for a command that only says whether the phone runs, or is in a call


@dataclass
class _Turn:
    """The task of one phone. ``wake`` makes it look again, ``tried`` is set after its first try, or when there is none
    to wait for."""

    wake: asyncio.Event = field(default_factory=asyncio.Event)
    tried: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class _Phone:
    """One phone of a seat, within reach."""

    seat: Seat
    told: Told
    hands: Hands

    @property
    def folder(self) -> str:
        """Where its files are."""
        return self.told.place.absolute

    @property
    def reload(self) -> Reload | None:
        """What it is still to be told."""
        return self.seat.reloads.get(self.folder)


class Reloads:
    """Tells the phones of all seats what ``memory`` has for them."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self.memory = ReloadMemory(means)
        self._turns: dict[tuple[str, str], _Turn] = {}
        # A user whose phones take their time keeps nobody else's waiting.
        self._slots: defaultdict[int | None, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))

    async def take_up(self, seats: Mapping[str, Seat]) -> None:
        """Go on where the last run stopped."""
        kept: list[Reload] = []
        await self._means.keep(lambda store: kept.extend(store.reloads()))
        await self.memory.take_up(seats, kept)
        for seat in seats.values():
            self.wake(seat)

    def wake(self, seat: Seat) -> None:
        """Look at once what the phones of ``seat`` are to be told."""
        for folder, reload in seat.reloads.items():
            if due(reload) is None:
                continue
            turn = self._turns.get((seat.login, folder))
            if turn is None:
                turn = self._turns[seat.login, folder] = _Turn()
                turn.task = self._means.spawn(self._take_turns(seat, folder, turn))
            turn.wake.set()

    async def first_tries(self) -> None:
        """Wait until everybody who is to be told now was told once, or could not be."""
        while waiting := [turn for turn in self._turns.values() if not turn.tried.is_set()]:
            await asyncio.gather(*(turn.tried.wait() for turn in waiting))

    async def remove(self, seat: Seat) -> None:
        """The phones of ``seat`` are told nothing any more."""
        await self._end([key for key in self._turns if key[0] == seat.login])
        await self.memory.forget(seat, seat.reloads)

    async def stop(self) -> None:
        """End what is under way; what is pending stays in the state."""
        await self._end(list(self._turns))

    async def _end(self, keys: Iterable[tuple[str, str]]) -> None:
        turns = [self._turns.pop(key) for key in keys]
        tasks = [turn.task for turn in turns if turn.task and turn.task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for turn in turns:
            turn.tried.set()

    async def _take_turns(self, seat: Seat, folder: str, turn: _Turn) -> None:
        try:
            while phone := self._phone(seat, folder):
                at = due(phone.reload) if phone.reload else None
                if at is None:
                    return
                turn.wake.clear()
                now = self._means.chances.now()
                pause = at - now
                if phone.reload and (waits := resumed(phone.reload, phone.told.policy, now)) != phone.reload:
                    await self.memory.put(seat, waits)  # the clock was set back
                elif pause > 0:
                    turn.tried.set()
                    await first_of(turn.wake, pause)
                else:
                    await self._act(phone, turn)
        except ProvisionerError as error:  # its user's session ended: told when the next one begins
            log.info("agent %s: %s", seat.login, error)
        finally:
            if self._turns.get((seat.login, folder)) is turn:
                del self._turns[seat.login, folder]
            turn.tried.set()

    def _phone(self, seat: Seat, folder: str) -> _Phone | None:
        told, hands = self._means.told(seat).get(folder), self._means.hands(seat)
        return _Phone(seat, told, hands) if told and hands and not seat.gone else None

    async def _act(self, phone: _Phone, turn: _Turn) -> None:
        """What is due for one phone, if it still is when its turn comes."""
        async with self._slots[phone.seat.uid]:
            async with phone.seat.delivering:
                pass  # what is remembered already may be on its way still
            reload = phone.reload
            at = due(reload) if reload else None
            if reload is None or at is None or at > self._means.chances.now():
                return
            if await self._is_put_off(phone, reload):
                turn.tried.set()
            elif reload.held:
                await self.memory.clear(phone.seat, reload)
            else:
                await self._tell(phone, reload)
                turn.tried.set()

    async def _is_put_off(self, phone: _Phone, reload: Reload) -> bool:
        """Is the phone in a call, and not for too long already? Then it is asked again later."""
        policy, now = phone.told.policy, self._means.chances.now()
        if not self._means.busy(phone.seat) and not await _says_busy(phone.hands, policy):
            return False
        waits = put_off(reload, policy, now)
        if is_overdue(waits, policy, now):
            log.warning("agent %s, %s: in a call for longer than is waited for", reload.agent, reload.target)
            return False
        if phone.reload is reload:
            await self.memory.put(phone.seat, waits)
        return True

    async def _tell(self, phone: _Phone, reload: Reload) -> None:
        """Run the command, and see what follows."""
        policy = phone.told.policy
        ran = await _told(phone.hands, policy)
        if phone.reload is None or phone.reload.number != reload.number:
            return  # newer files have come: the phone is told of them
        new = after(phone.reload, ran, policy, now=self._means.chances.now(), chance=self._means.chances.chance())
        await self.memory.put(phone.seat, new)
        if new.since is None and policy.rolls_back:
            await phone.hands.previous(phone.seat.login, phone.told.place, back=False)
        elif rolls_back(new, policy):
            await self._roll_back(phone, new)

    async def _roll_back(self, phone: _Phone, failed: Reload) -> None:
        """Bring the files from before back, unless newer ones came meanwhile or none were kept."""
        seat = phone.seat
        async with seat.delivering:
            if phone.reload != failed or not await phone.hands.previous(seat.login, phone.told.place, back=True):
                return
            await self.memory.put(seat, rolled_back(failed, self._means.chances.now()))
            if seat.report:
                seat.report = seat.report.with_states({phone.folder: State.ROLLED_BACK})


async def _says_busy(hands: Hands, policy: ReloadPolicy) -> bool:
    if not policy.busy_command:
        return False
    asked = await hands.run(policy.busy_command, ASK_SECONDS)
    if asked.code is None:
        log.warning("the busy command %s %s: taken as no call", policy.busy_command[0], asked.cause)
    return asked.code == 0


async def _told(hands: Hands, policy: ReloadPolicy) -> Ran:
    """How telling ended. A phone that does not run reads its files when it starts."""
    if policy.running_command and (await hands.run(policy.running_command, ASK_SECONDS)).code == 1:
        return Ran(0)
    return await hands.run(policy.command, policy.timeout)
