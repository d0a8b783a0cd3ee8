"""Passwords, looked up again only when what holds them changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from provisioner.core.password_source import FromFile, PasswordSource
from provisioner.core.problem import Place
from provisioner.core.secret import Secret
from provisioner.edge.credential import Credentials
from provisioner.edge.signature import Signature, is_settled, signature_of


class Passwords:
    """Asks ``credentials``; a password's file that did not change costs one ``stat``.

    ``root`` is what absolute paths hang under, ``now`` gives Unix seconds.
    """

    def __init__(self, credentials: Credentials, root: Path, now: Callable[[], float] = time.time) -> None:
        self._credentials = credentials
        self._root = str(root).rstrip("/")
        self._now = now
        self._files: dict[str, tuple[Signature, Secret]] = {}

    def forget(self) -> None:
        """Read every file the next time, and run commands anew."""
        self._files.clear()
        self._credentials.forget()

    def fetch(self, sources: Iterable[PasswordSource]) -> None:
        """As ``Credentials.fetch``, and forget what was in files that are none of ``sources``."""
        wanted = tuple(sources)
        paths = {self._path(source) for source in wanted if isinstance(source, FromFile)}
        self._files = {path: known for path, known in self._files.items() if path in paths}
        self._credentials.fetch(wanted)

    def resolve(self, source: PasswordSource, place: Place) -> Secret:
        """The password behind ``source``. Raises ProvisionerError, said of ``place``, when there is none to be had."""
        if not isinstance(source, FromFile):
            return self._credentials.resolve(source, place)
        path = self._path(source)
        seen = signature_of(path)
        known = self._files.pop(path, None)
        if known is None or not seen or known[0] != seen:
            looked_at = self._now()
            known = (seen, self._credentials.resolve(source, place))
            if not seen or not is_settled(seen, looked_at):
                return known[1]
        self._files[path] = known
        return known[1]

    def _path(self, source: FromFile) -> str:
        return f"{self._root}{source.path}"
