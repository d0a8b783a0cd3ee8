"""Asks the running service over its control socket. Light: the standard library only."""

from __future__ import annotations

import argparse
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provisioner.cli.common import DONE, NOT_RUNNING, REFUSED, complain, places, print_json
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.report import problem_from_json
from provisioner.edge.socket_path import socket_address


class NotRunningError(ProvisionerError):
    """Nobody answers on the socket."""


def ask(path: Path, question: Mapping[str, Any], seconds: float = 120.0) -> dict[str, Any]:
    """The service's answer to ``question``, waited for at most ``seconds``.

    Raises NotRunningError when there is no service, or none that this user may talk to.
    """
    received = b""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(seconds)
            with socket_address(path) as address:
                connection.connect(address)
            connection.sendall(json.dumps(question).encode() + b"\n")
            while piece := connection.recv(65536):
                received += piece
    except PermissionError:
        raise _not_running(path, "this user may not talk to the service", "use sudo") from None
    except TimeoutError:
        raise _not_running(path, f"the service did not answer within {seconds:g} s", "see its journal") from None
    except (BrokenPipeError, ConnectionResetError):
        received = b""
    except OSError:
        fix = "`provisioner check`, then `systemctl start softphone-provisioner`"
        raise _not_running(path, "the service is not running", fix) from None
    if not received.endswith(b"\n"):
        raise _not_running(path, "the service ended before it answered", "see its journal")
    answer: dict[str, Any] = json.loads(received)
    return answer


def command(options: argparse.Namespace, question: Mapping[str, Any]) -> int:
    """Have the service do something and tell what went wrong; gives the exit code."""
    try:
        problems = ask(places(options).socket, question)["problems"]
    except NotRunningError as error:
        complain(error.problems, options.format)
        return NOT_RUNNING
    if options.format == "json":
        print_json({"problems": problems})
    else:
        complain(map(problem_from_json, problems))
    return REFUSED if any(not problem["remark"] for problem in problems) else DONE


def _not_running(path: Path, what: str, fix: str) -> NotRunningError:
    return NotRunningError(Problem(Place(str(path)), what, fix))
