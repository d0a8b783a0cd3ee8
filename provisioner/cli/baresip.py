"""Tell a running baresip that its accounts changed, or ask it something, over its control port at 127.0.0.1.

`tell` takes away all its accounts and gives it those of the file; `running` ends with 1 where none runs; `busy` ends
with 0 while a call is up. FOLDER is where its files are. This is what `reload: shipped` runs, where the target's option
`control` is `yes`. The port must belong to a program of the same user: nobody else is told anything.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from provisioner.cli.common import DONE, complain
from provisioner.core.baresip_control import ControlError, accounts, calls, control_port, user_agents
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.edge.baresip_control import Baresip, StrangerError, baresip

NO, CANNOT, FAILED = 1, 2, 3


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``baresip``."""
    parser.add_argument("what", choices=["tell", "running", "busy"], help="what to do")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="the phone's folder")


def run(options: argparse.Namespace) -> int:
    """Do it; gives the exit code: 1 no, 2 it cannot be reached as it is set up, 3 it did not take an account."""
    try:
        port = control_port(_read(options.folder / "config"))
        if port is None:
            what = "its `config` opens no control port"
            return _failed(options.folder, what, "set the option `control` to `yes`", CANNOT)
        with baresip(port) as phone:
            return _done(options.what, phone, options.folder)
    except ConnectionRefusedError:
        return NO
    except StrangerError as error:
        return _failed(options.folder, str(error), "choose another `control_port`", CANNOT)
    except ControlError as error:
        return _failed(options.folder, str(error), "restart it, or choose another `control_port`", FAILED)
    except OSError:
        return _failed(options.folder, "it does not answer at its control port", "restart it", FAILED)
    except ProvisionerError as error:
        complain(error.problems)
        return FAILED


def _done(what: str, phone: Baresip, folder: Path) -> int:
    match what:
        case "tell":
            return _tell(phone, folder)
        case "busy":
            return DONE if calls(phone.ask("listcalls").text) else NO
    return DONE


def _tell(phone: Baresip, folder: Path) -> int:
    lines = accounts(_read(folder / "accounts"))
    for address in user_agents(phone.ask("reginfo").text):
        phone.ask("uadel", address)
    taken = [phone.ask("uanew", line).ok for line in lines]
    if not all(taken):
        return _failed(folder, "it did not take an account", "restart it", FAILED)
    return DONE


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise ProvisionerError(
            Problem(Place(f"{path}"), "this is not UTF-8", "let nobody but the service write it")
        ) from None
    except OSError as error:
        what = f"this cannot be read: {error.strerror}"
        raise ProvisionerError(Problem(Place(f"{path}"), what, "name the phone's folder")) from None


def _failed(folder: Path, what: str, fix: str, code: int) -> int:
    complain([Problem(Place(f"{folder}"), what, fix)])
    return code
