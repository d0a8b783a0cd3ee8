"""Where the synchronous work of the service is done."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from provisioner.cycle import Cycle
from provisioner.edge.store import Store
from provisioner.site import SiteReader


@dataclass(frozen=True, slots=True)
class Workbench:
    """``reader``, ``store`` and ``cycle`` are used in the one thread of ``worker`` only."""

    reader: SiteReader
    store: Store
    cycle: Cycle
    worker: ThreadPoolExecutor
