"""Bring the running service's files into this user's home, for as long as the session lasts.

The service knows who is there from this: it logs the user's agents in and off where `login: {at: session}` says so.
Started by the user unit softphone-provisioner-session.service; needs no rights but the user's own.
"""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from provisioner.cli.common import DONE, REFUSED, add_places, places
from provisioner.core.problem import ProvisionerError
from provisioner.courier import OtherProtocolError, serve
from provisioner.cycle import Cycle
from provisioner.edge.daemon_line import DaemonLine, call
from provisioner.edge.journal import set_up_logging
from provisioner.edge.people import own
from provisioner.edge.service import Systemd, forbid_core_dumps
from provisioner.edge.state_folder import lock_state
from provisioner.edge.store import open_store
from provisioner.places import NAME

log = logging.getLogger(__name__)
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 5.0  # seconds


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``session``."""
    add_places(parser)


def run(options: argparse.Namespace) -> int:
    """Serve the session; gives the exit code."""
    set_up_logging(os.environ)
    forbid_core_dumps()
    kept = _own_state()
    try:
        with lock_state(kept):
            store = open_store(kept)
            for remark in store.remarks:
                log.warning("%s", remark)
            _serve(places(options).courier_socket, Cycle(store, own()))
    except OtherProtocolError:
        log.warning("the service was upgraded: this courier has to start anew")
    except ProvisionerError as error:
        for problem in error.problems:
            log.error("%s", problem)
        return REFUSED
    return DONE


def _own_state() -> Path:
    """Where this user's ledger is (XDG Base Directory Specification)."""
    named = os.environ.get("XDG_STATE_HOME", "")
    return (Path(named) if named.startswith("/") else Path.home() / ".local/state") / NAME


def _serve(path: Path, cycle: Cycle) -> None:
    systemd = Systemd(os.environ)
    for line in _lines(path, systemd):
        systemd.ready("connected to the service")
        log.info("connected to the service")
        serve(line, cycle)
        line.close()


def _lines(path: Path, systemd: Systemd) -> Iterator[DaemonLine]:
    """Lines to the daemon, one after the other; while there is none, tried less and less often."""
    pause, told = FIRST_PAUSE, ""
    while True:
        try:
            line = call(path)
        except OSError as error:
            status = f"waits for the service: {error.strerror}"
            systemd.ready(status)
            if status != told:
                log.info("%s: %s", path, status)
            told = status
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            continue
        since, told = time.monotonic(), ""
        yield line
        # A service that hangs up at once is not to be asked again at once.
        pause = FIRST_PAUSE if time.monotonic() - since > LONGEST_PAUSE else min(2 * pause, LONGEST_PAUSE)
        time.sleep(pause)
