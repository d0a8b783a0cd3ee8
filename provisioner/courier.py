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
from provisioner.core.errand import (
    PROTOCOL,
    Bring,
    Errand,
    Hello,
    Look,
    Remove,
    Run,
    brought_as_json,
    errand_from_json,
    hello_as_json,
    ran_as_json,
)
from provisioner.core.frame import FrameError
from provisioner.core.parcel import Brought
from provisioner.core.problem import ProvisionerError
from provisioner.core.report import problem_as_json
from provisioner.cycle import Cycle
from provisioner.edge import command
from provisioner.edge.daemon_line import Line

log = logging.getLogger(__name__)


class OtherProtocolError(Exception):
    """The daemon speaks another version of the protocol: one of the two was upgraded, and this one is to start anew."""


def serve(line: Line, cycle: Cycle) -> None:
    """Do what the daemon at the other end of ``line`` asks, until it hangs up.

    Raises OtherProtocolError.
    """
    try:
        line.say(hello_as_json(Hello(PROTOCOL, __version__, tuple(sorted(cycle.agents())))))
        for message in line.messages():
            if "refused" in message:
                raise OtherProtocolError
            _do(line, cycle, message)
    except (FrameError, OSError) as error:
        log.warning("the service hung up: %s", error)


def _do(line: Line, cycle: Cycle, message: Mapping[str, Any]) -> None:
    errand, number = errand_from_json(message), message.get("id")
    if isinstance(errand, Run):
        # It may take its time, and files are not to wait for it.
        threading.Thread(target=_run, args=(line, errand, number), daemon=True).start()
    else:
        line.say({"id": number, **_answer(cycle, errand)})


def _run(line: Line, errand: Run, number: object) -> None:
    ran = command.run(errand.argv, errand.seconds)
    with suppress(OSError):  # who asked is gone, and asks again
        line.say({"id": number, **ran_as_json(ran)})


def _answer(cycle: Cycle, errand: Errand) -> dict[str, Any]:
    try:
        match errand:
            case Bring(agent, parcels):
                brought = cycle.bring(agent, parcels)
                return brought_as_json(Brought(brought.targets, brought.problems, cycle.freed()))
            case Remove(agent):
                return brought_as_json(Brought((), cycle.remove(agent), cycle.freed()))
            case Look(agents):
                return {"agents": [agent for agent in agents if cycle.drifted(agent)]}
            case Run():
                raise AssertionError
    except ProvisionerError as error:
        return {"failed": [problem_as_json(problem) for problem in error.problems]}
