"""The courier: runs as the agent, in the agent's own session, and does there what the daemon asks.

It makes no decision and holds no secret but for the moment of a delivery. Everything here is blocking and light: it
runs on every desktop.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from provisioner import __version__
from provisioner.core.answer import (
    back_as_json,
    brought_as_json,
    folders_as_json,
    problems_as_json,
    ran_as_json,
    touched_as_json,
)
from provisioner.core.errand import (
    PROTOCOL,
    Bring,
    Errand,
    Hello,
    KeepOnly,
    Look,
    Peek,
    Previous,
    Remove,
    Run,
    errand_from_json,
    hello_as_json,
)
from provisioner.core.frame import FrameError
from provisioner.core.parcel import Brought
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.cycle import Cycle
from provisioner.edge import command
from provisioner.edge.daemon_line import DaemonLine

log = logging.getLogger(__name__)


class OtherProtocolError(Exception):
    """The daemon speaks another version of the protocol: one of the two was upgraded, and this one is to start anew."""


def serve(line: DaemonLine, cycle: Cycle) -> None:
    """Do what the daemon at the other end of ``line`` asks, until it hangs up.

    Raises OtherProtocolError.
    """
    try:
        line.say(hello_as_json(Hello(PROTOCOL, __version__)))
        for message in line.messages():
            if "refused" in message:
                raise OtherProtocolError
            _do(line, cycle, message)
    except (FrameError, OSError) as error:
        log.warning("the service hung up: %s", error)


def _do(line: DaemonLine, cycle: Cycle, message: Mapping[str, Any]) -> None:
    errand, number = errand_from_json(message), message.get("id")
    if isinstance(errand, Run):
        # It may take its time, and files are not to wait for it.
        threading.Thread(target=_run, args=(line, errand, number), daemon=True).start()
    else:
        _say(line, number, _answer(cycle, errand))


def _say(line: DaemonLine, number: object, answer: Mapping[str, Any]) -> None:
    try:
        line.say({"id": number, **answer})
    except FrameError as error:
        failed = problems_as_json([Problem(Place("answer"), str(error))])
        line.say({"id": number, "failed": failed})


def _run(line: DaemonLine, errand: Run, number: object) -> None:
    ran = command.run(errand.argv, errand.seconds)
    with suppress(OSError):  # who asked is gone, and asks again
        line.say({"id": number, **ran_as_json(ran)})


def _answer(cycle: Cycle, errand: Errand) -> dict[str, Any]:
    try:
        match errand:
            case Bring(agent, parcels):
                brought = cycle.bring(agent, parcels)
                return brought_as_json(Brought(brought.targets, brought.problems, cycle.freed()))
            case Peek(parcels):
                return folders_as_json(cycle.would_renew(parcels))
            case Previous(agent, place, back):
                return back_as_json(cycle.previous(agent, place, back=back))
            case Remove(agent):
                return brought_as_json(Brought((), cycle.remove(agent), cycle.freed()))
            case KeepOnly(agents):
                return brought_as_json(Brought((), cycle.keep(agents), cycle.freed()))
            case Look(agents):
                return touched_as_json(agent for agent in agents if cycle.drifted(agent))
            case Run():
                raise AssertionError
    except ProvisionerError as error:
        return {"failed": problems_as_json(error.problems)}
