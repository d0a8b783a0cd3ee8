"""What verbs begin with: this machine, a reader of its configuration, and for `run` and `apply` the state, locked."""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from provisioner.cycle import Cycle
from provisioner.edge.catalog import shipped
from provisioner.edge.credential import Credentials
from provisioner.edge.people import own
from provisioner.edge.state_folder import lock_state
from provisioner.edge.store import open_store
from provisioner.logins import Chances
from provisioner.places import Places
from provisioner.site import SiteReader, Surroundings
from provisioner.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Here:
    """This machine and the real world's clock and dice."""

    workstation: str
    chances: Chances


def here(workstation: str | None = None) -> Here:
    """This machine; ``workstation`` stands for its host name."""
    return Here(workstation or socket.gethostname(), Chances(time.time, random.random))


def reader_of(
    places: Places,
    workstation: str,
    *,
    key: bytes,
    seen_realms: Callable[[], Mapping[str, str]] = dict,
    uid: int | None = None,
) -> SiteReader:
    """A reader of the configuration in ``places`` as it applies to ``workstation``. ``key`` makes marks of passwords,
    ``seen_realms`` gives realms that servers were seen to ask for, by ``Identity.at_platform``, ``uid`` is the
    user that the service runs as (None: our own)."""
    around = Surroundings(places.root, workstation, Credentials(os.environ, places.root), key, seen_realms, uid)
    return SiteReader(places.config, [shipped(), places.site_templates], around)


@contextmanager
def open_workbench(places: Places, workstation: str) -> Iterator[Workbench]:
    """Lock and open the state. Raises ProvisionerError when another process has it, or it cannot be used."""
    with ExitStack() as stack:
        stack.enter_context(lock_state(places.state))
        store = open_store(places.state)
        stack.callback(store.close)
        worker = stack.enter_context(ThreadPoolExecutor(1, "worker"))
        reader = reader_of(places, workstation, key=store.key(), seen_realms=store.realms)
        yield Workbench(reader, store, Cycle(store, own()), worker)
