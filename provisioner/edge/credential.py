"""Passwords, from where the YAML says that they are: file, environment, systemd credential, command."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from provisioner.core.password_source import (
    FromCommand,
    FromCredential,
    FromEnv,
    FromFile,
    Inline,
    PasswordSource,
    closing,
)
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.secret import Secret
from provisioner.edge.command import TooLateError, TooMuchError, print_of, why
from provisioner.edge.privacy import is_private
from provisioner.places import NAME

LARGEST = 64 * 1024
# Commands that run side by side: they wait for vaults more than they work.
_AT_ONCE = 16
# Who has a command is known when its password is wanted; several may have the same.
_NOBODY = Place("")
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


class Credentials:
    """Looks passwords up. What a command printed is remembered until ``forget``, so that an edit of the YAML does not
    run a hundred of them.

    ``environment`` is that of the process; ``root`` is what absolute paths hang under.
    """

    def __init__(self, environment: Mapping[str, str], root: Path = Path("/")) -> None:
        self._environment = environment
        self._root = root
        self._printed: dict[FromCommand, Secret] = {}
        self._failed: dict[FromCommand, ProvisionerError] = {}

    def fetch(self, sources: Iterable[PasswordSource]) -> None:
        """Run the commands among ``sources`` that printed nothing yet, side by side, and forget what others printed.
        Until the next time `resolve` has what they gave, or why there was nothing."""
        self._failed.clear()
        commands = {source for source in sources if isinstance(source, FromCommand)}
        self._printed = {source: printed for source, printed in self._printed.items() if source in commands}
        commands -= self._printed.keys()
        if not commands:
            return
        pool = ThreadPoolExecutor(_AT_ONCE, "password")
        try:
            list(pool.map(self._fetch, commands))
        finally:
            pool.shutdown(cancel_futures=True)

    def resolve(self, source: PasswordSource, place: Place) -> Secret:
        """The password behind ``source``. Raises ProvisionerError, said of ``place``, when there is none to be had."""
        match source:
            case Inline(secret):
                return secret
            case FromFile(path):
                return _from_file(self._root / path.lstrip("/"), place, private=True)
            case FromEnv(name):
                return self._from_environment(name, place)
            case FromCredential(name):
                return self._from_credential(name, place)
            case FromCommand():
                return self._from_command(source, place)

    def forget(self) -> None:
        """Run commands anew the next time."""
        self._printed.clear()

    def _fetch(self, source: FromCommand) -> None:
        try:
            self._printed[source] = _from_command(source, _NOBODY)
        except ProvisionerError as error:
            self._failed[source] = error

    def _from_command(self, source: FromCommand, place: Place) -> Secret:
        if source in self._failed:
            raise ProvisionerError(replace(problem, where=place) for problem in self._failed[source].problems)
        if source not in self._printed:
            self._printed[source] = _from_command(source, place)
        return self._printed[source]

    def _from_environment(self, name: str, place: Place) -> Secret:
        text = self._environment.get(name, "")
        if not text:
            raise _wrong(place, f"the environment variable {name} of the service is empty", "set it in the unit")
        return _one_line(text, place, f"the environment variable {name}")

    def _from_credential(self, name: str, place: Place) -> Secret:
        # Root who looks by hand finds them where systemd gives them to the service, while it runs.
        folder = self._environment.get("CREDENTIALS_DIRECTORY") or self._root / f"run/credentials/{NAME}.service"
        path = Path(folder) / name
        if not os.path.lexists(path):
            fix = f"`LoadCredential={name}:/path` in the unit, and restart it"
            raise _wrong(place, f"systemd gives the service no credential `{name}` now", fix)
        return _from_file(path, place, private=False)


def _from_file(path: Path, place: Place, *, private: bool) -> Secret:
    try:
        descriptor = os.open(path, _READ)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
                raise _wrong(place, f"{path} is not a file with a password", "name a file that holds nothing else")
            if private and not is_private(status):
                raise _wrong(place, f"others can read the password's file {path}", closing(str(path)))
            return _text(os.read(descriptor, LARGEST), place, str(path))
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        what = f"the password's file {path} cannot be read: {why(error)}"
        raise _wrong(place, what, "check path and mode") from None


def _from_command(source: FromCommand, place: Place) -> Secret:
    name = source.argv[0]
    try:
        printed = print_of(source.argv, source.timeout, LARGEST)
    except TooLateError:
        what = f"the password's command {name} took longer than {source.timeout:g} s"
        raise _wrong(place, what, "raise `timeout:`, or see what it waits for") from None
    except TooMuchError:
        raise _wrong(place, f"the password's command {name} prints more than a password", "see what it does") from None
    except (OSError, ValueError) as error:
        raise _wrong(place, f"the password's command {name} cannot be started: {why(error)}", "correct it") from None
    if printed.code:
        what = f"the password's command {name} failed with exit code {printed.code}"
        raise _wrong(place, what, "run it by hand")
    return _text(printed.output, place, f"the output of {name}")


def _text(raw: bytes, place: Place, source: str) -> Secret:
    try:
        return _one_line(raw.decode("utf-8-sig"), place, source)
    except UnicodeDecodeError:
        raise _no_password(place, source) from None


def _one_line(text: str, place: Place, source: str) -> Secret:
    """The text without the line end that editors and commands put behind it."""
    line = text.removesuffix("\n").removesuffix("\r")
    if not line or any(ord(char) < 32 or 0xD800 <= ord(char) < 0xE000 for char in line):
        raise _no_password(place, source)
    return Secret(line)


def _no_password(place: Place, source: str) -> ProvisionerError:
    return _wrong(place, f"{source} holds no password", "one line of UTF-8 text is expected")


def _wrong(place: Place, what: str, fix: str) -> ProvisionerError:
    return ProvisionerError(Problem(place, what, fix))
