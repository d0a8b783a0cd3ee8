"""Reading what another process sent: a value is exactly what it should be, or the message is a FrameError.

Everything but ``reading`` raises ValueError or TypeError; ``reading`` is what turns these into the one error.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any, TypeVar

from provisioner.core.frame import FrameError
from provisioner.core.problem import ProvisionerError

T = TypeVar("T")


def reading(make: Callable[[], T]) -> T:
    """What ``make`` makes of a message. Raises FrameError when it cannot."""
    try:
        return make()
    except (KeyError, TypeError, ValueError, ProvisionerError):
        raise FrameError("a message does not say what it should") from None


def exactly(kind: type[T], value: object) -> T:
    """``value``, if it is of that very kind: JSON's true is no number."""
    if type(value) is not kind:
        raise TypeError
    return value


def number(value: object, least: float, most: float) -> float:
    """A number between ``least`` and ``most``."""
    if type(value) not in (int, float) or not least <= value <= most:  # type: ignore[operator]
        raise ValueError
    return float(value)  # type: ignore[arg-type]


def whole(value: object, least: int, most: int) -> int:
    """A whole number between ``least`` and ``most``."""
    if not least <= (found := exactly(int, value)) <= most:
        raise ValueError
    return found


def listed(value: object) -> list[Any]:
    """A list."""
    return exactly(list, value)


def texts(value: object) -> tuple[str, ...]:
    """A list of texts."""
    return tuple(exactly(str, text) for text in listed(value))


def path(value: object) -> PurePosixPath:
    """A relative path that leads down."""
    found = PurePosixPath(exactly(str, value))
    if found.is_absolute() or ".." in found.parts or "\0" in str(found):
        raise ValueError
    return found
