"""Noting in the state what the service goes on with anyway."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial

from provisioner.core.problem import ProvisionerError
from provisioner.edge.store import Store

log = logging.getLogger(__name__)
# Runs a call on the store, in the thread that the store belongs to.
Keeper = Callable[[Callable[[Store], None]], Awaitable[None]]


async def note(keep: Keeper, change: Callable[[Store], None], otherwise: str) -> None:
    """Make a ``change`` of the state. While the disk does not take it, the log says what is so ``otherwise``, and the
    service goes on with what it holds in memory."""
    try:
        await keep(partial(Store.note, change=change))
    except ProvisionerError as error:
        log.error("%s: %s", otherwise, error)
