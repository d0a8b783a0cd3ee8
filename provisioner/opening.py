"""What verbs begin with: this machine, a reader of its configuration, and for `run` and `apply` the state, locked."""

from __future__ import annotations

import os
import random
import secrets
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from provisioner.cycle import Cycle
from provisioner.edge.catalog import shipped
from provisioner.edge.credential import Credentials
from provisioner.edge.people import own
from provisioner.edge.state_folder import lock_state
from provisioner.edge.store import Store, open_store
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


def reader_of(places: Places, workstation: str, store: Store | None, uid: int | None = None) -> SiteReader:
    """A reader of the configuration in ``places`` as it applies to ``workstation``. ``store`` is the state, None where
    nothing was ever applied; ``uid`` the user that the service runs as (None: our own)."""
    key, realms = (store.key(), store.realms) if store else (secrets.token_bytes(32), dict)
    around = Surroundings(places.root, workstation, Credentials(os.environ, places.root), key, realms, uid)
    return SiteReader(places.config, [shipped(), places.site_templates], around)


@contextmanager
def open_workbench(places: Places, workstation: str) -> Iterator[Workbench]:
    """Lock and open the state. Raises ProvisionerError when another process has it, or it cannot be used."""
    with ExitStack() as stack:
        stack.enter_context(lock_state(places.state))
        store = open_store(places.state)
        stack.callback(store.close)
        worker = stack.enter_context(ThreadPoolExecutor(1, "worker"))
        reader = reader_of(places, workstation, store)
        yield Workbench(reader, store, Cycle(store, own()), worker)
