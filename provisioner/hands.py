"""Whose hands touch an agent's files: our own, or those of a courier in the agent's session."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from provisioner.core.answer import (
    back_from_json,
    brought_from_json,
    folders_from_json,
    problems_from_json,
    ran_from_json,
    touched_from_json,
)
from provisioner.core.errand import Bring, Errand, KeepOnly, Look, Peek, Previous, Ran, Remove, Run, errand_as_json
from provisioner.core.frame import FrameError
from provisioner.core.parcel import Brought, Layout, Parcel
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.cycle import Cycle
from provisioner.edge.awaited_command import run_command
from provisioner.edge.courier_connection import Connection, LostError

T = TypeVar("T")
SECONDS = 30.0


class Work(Protocol):
    """Runs a call in the thread where state, ledger and files are worked on."""

    def __call__(self, call: Callable[[], T], /) -> Awaitable[T]: ...


class Hands(Protocol):
    """What can be done for agents in the place where their phones are. Everything raises ProvisionerError where the
    place cannot be reached or its ledger cannot be written."""

    async def bring(self, agent: str, parcels: Sequence[Parcel]) -> Brought:
        """Make the agent's files what ``parcels`` say; gives also the agents that wait for a path which is free now."""

    async def peek(self, parcels: Sequence[Parcel]) -> frozenset[str]:
        """The folders of those parcels that would bring new content; nothing is written."""

    async def previous(self, agent: str, place: Layout, *, back: bool) -> bool:
        """Bring ``back`` what the files of a parcel that ``keeps`` held before, or forget it; says whether anything
        came back."""

    async def remove(self, agent: str) -> tuple[tuple[Problem, ...], frozenset[str]]:
        """Remove all files of an agent; gives what could not be removed, and who waits for a path that is free now."""

    async def touched(self, agents: Iterable[str]) -> frozenset[str]:
        """Those of ``agents`` whose files somebody touched."""

    async def run(self, argv: Sequence[str], seconds: float) -> Ran:
        """Run a command of the administrator for at most ``seconds``."""


class OwnHands:
    """This process writes. ``work`` runs a call in the thread in which ``cycle`` is used."""

    def __init__(self, cycle: Cycle, work: Work) -> None:
        self._cycle = cycle
        self._work = work

    async def bring(self, agent: str, parcels: Sequence[Parcel]) -> Brought:
        """As ``Hands`` says."""
        return await self._work(lambda: replace(self._cycle.bring(agent, parcels), freed=self._cycle.freed()))

    async def peek(self, parcels: Sequence[Parcel]) -> frozenset[str]:
        """As ``Hands`` says."""
        return await self._work(lambda: self._cycle.would_renew(parcels))

    async def previous(self, agent: str, place: Layout, *, back: bool) -> bool:
        """As ``Hands`` says."""
        return await self._work(lambda: self._cycle.previous(agent, place, back=back))

    async def remove(self, agent: str) -> tuple[tuple[Problem, ...], frozenset[str]]:
        """As ``Hands`` says."""
        return await self._work(lambda: (self._cycle.remove(agent), self._cycle.freed()))

    async def touched(self, agents: Iterable[str]) -> frozenset[str]:
        """As ``Hands`` says."""
        return await self._work(lambda: frozenset(filter(self._cycle.drifted, agents)))

    async def run(self, argv: Sequence[str], seconds: float) -> Ran:
        """As ``Hands`` says."""
        return await run_command(argv, seconds)


class CourierHands:
    """A courier writes, as the user that it runs as. ``agents`` gives those whose files are that user's."""

    def __init__(self, connection: Connection, work: Work, agents: Callable[[], Collection[str]]) -> None:
        self._connection = connection
        self._work = work
        self._agents = agents
        # It does one thing after the other, and has its time for each.
        self._turn = asyncio.Lock()

    async def bring(self, agent: str, parcels: Sequence[Parcel]) -> Brought:
        """As ``Hands`` says."""
        asked = tuple(parcels)
        return await self._brought(Bring(agent, asked), asked)

    async def peek(self, parcels: Sequence[Parcel]) -> frozenset[str]:
        """As ``Hands`` says."""
        asked = tuple(parcels)
        answer = await self._ask_in_turn(Peek(asked))
        return self._read(lambda: folders_from_json(answer, asked))

    async def previous(self, agent: str, place: Layout, *, back: bool) -> bool:
        """As ``Hands`` says."""
        answer = await self._ask_in_turn(Previous(agent, place, back))
        return self._read(lambda: back_from_json(answer))

    async def remove(self, agent: str) -> tuple[tuple[Problem, ...], frozenset[str]]:
        """As ``Hands`` says."""
        brought = await self._brought(Remove(agent))
        return brought.problems, brought.freed

    async def keep(self, agents: Iterable[str]) -> tuple[Problem, ...]:
        """Remove all files of everybody but ``agents``; gives what could not be removed."""
        return (await self._brought(KeepOnly(tuple(agents)))).problems

    async def touched(self, agents: Iterable[str]) -> frozenset[str]:
        """As ``Hands`` says."""
        asked = tuple(agents)
        answer = await self._ask_in_turn(Look(asked))
        return self._read(lambda: touched_from_json(answer, asked))

    async def run(self, argv: Sequence[str], seconds: float) -> Ran:
        """As ``Hands`` says."""
        answer = await self._ask(Run(tuple(argv), seconds), seconds + SECONDS)
        return self._read(lambda: ran_from_json(answer))

    async def _brought(self, errand: Errand, parcels: tuple[Parcel, ...] = ()) -> Brought:
        answer = await self._ask_in_turn(errand)
        brought = self._read(lambda: brought_from_json(answer, parcels))
        targets = tuple(replace(one, problems=self._said_by_it(one.problems)) for one in brought.targets)
        return Brought(targets, self._said_by_it(brought.problems), brought.freed.intersection(self._agents()))

    async def _ask_in_turn(self, errand: Errand) -> dict[str, Any]:
        async with self._turn:
            return await self._ask(errand, SECONDS)

    async def _ask(self, errand: Errand, seconds: float) -> dict[str, Any]:
        try:
            answer = await self._connection.ask(errand_as_json(errand), seconds)
        except (LostError, FrameError) as error:
            raise ProvisionerError(self._problem(str(error))) from None
        if "failed" in answer:
            raise ProvisionerError(self._said_by_it(self._read(lambda: problems_from_json(answer["failed"]))))
        return answer

    def _read(self, read: Callable[[], T]) -> T:
        """What ``read`` makes of an answer. A courier that answers nonsense is one no longer."""
        try:
            return read()
        except FrameError as error:
            self._connection.end(str(error))
            raise ProvisionerError(self._problem(str(error))) from None

    def _said_by_it(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        """What a user says is never taken for what this process says."""
        where = f"courier of user {self._connection.uid}"
        return tuple(replace(one, where=Place(f"{where}, {one.where.subject}")) for one in problems)

    def _problem(self, what: str) -> Problem:
        return Problem(Place(f"courier of user {self._connection.uid}"), what, "it connects again by itself")
