"""What there is to tell of all seats together; nothing of it is secret."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from provisioner.core.problem import Place, Problem
from provisioner.seat import Seat, is_served, seat_as_json, why_not
from provisioner.standing import Standing


class Overview:
    """Looks at ``seats``; ``present`` says whether a seat's user has a session now, ``relay`` how an agent's relay is,
    None where there is none."""

    def __init__(
        self,
        seats: Mapping[str, Seat],
        standing: Standing,
        present: Callable[[Seat], bool],
        relay: Callable[[str], dict[str, Any] | None],
    ) -> None:
        self._seats = seats
        self._standing = standing
        self._present = present
        self._relay = relay

    def status(self, problems: Iterable[Problem]) -> dict[str, Any]:
        """Everything; ``problems`` are nobody's and not the configuration's."""
        seats = self._seats.values()
        return {
            "configuration": self._standing.as_json(problems),
            "agents": [self._seat(seat) for seat in seats],
            "everybody_served": all(is_served(seat) or self._is_away(seat) for seat in seats),
        }

    def summary(self) -> str:
        """The state in one line, for systemd."""
        seats = self._seats.values()
        away = sum(map(self._is_away, seats))
        line = f"{sum(map(is_served, seats))} of {len(seats)} agents served" + (f", {away} away" if away else "")
        return line + ("; the configuration on disk is refused" if self._standing.refused else "")

    def unknown(self, agent: str) -> Problem:
        """Nobody of this name is served here."""
        known = ", ".join(sorted(self._seats)[:10]) or "nobody"
        return Problem(Place(f"agent {agent}"), "this workstation does not serve this agent", f"it serves: {known}")

    def why_not(self, seat: Seat) -> tuple[Problem, ...]:
        """What keeps this agent from being served; nothing when they are."""
        if is_served(seat) and seat.attempt is None:
            return ()
        if self._is_away(seat):
            what, fix = "the agent's user has no session on this machine now", "it happens when the session begins"
            return (Problem(Place(f"agent {seat.login}"), what, fix),)
        return why_not(seat)

    def _seat(self, seat: Seat) -> dict[str, Any]:
        return {**seat_as_json(seat, present=self._present(seat)), "relay": self._relay(seat.login)}

    def _is_away(self, seat: Seat) -> bool:
        """Does nothing but a session of the agent's user lack?"""
        return not self._present(seat) and not seat.served.problems and seat.attempt is None
