"""One file of settings, read from disk only when it changed."""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from provisioner.core.document import Document, read_document
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.core.schema import SETTINGS
from provisioner.core.syntax import end_of
from provisioner.edge.privacy import is_private
from provisioner.edge.signature import Signature, is_settled, signature

LARGEST = 64 * 1024 * 1024
_MORE = 4096
# In this order: the mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


@dataclass(frozen=True)
class SettingsFile:
    """A file as it was read. ``settled`` says that the ``signature`` would show any later change."""

    signature: Signature
    settled: bool
    raw: bytes = field(repr=False)
    document: Document

    def shows(self, seen: Signature) -> bool:
        """Is this what a file with the signature ``seen`` holds?"""
        return self.settled and self.signature == seen


def reread(path: str, known: SettingsFile | None, now: Callable[[], float]) -> SettingsFile:
    """The file at ``path``, read again; ``known``, the same object, when nothing changed since.

    Raises OSError when it cannot be read, and ProvisionerError when it is not a file or too large. ``now`` gives Unix
    seconds.
    """
    looked_at = now()
    raw, status = _content(path)
    seen = signature(status)
    fresh = (seen, is_settled(seen, looked_at))
    if known and known.raw == raw and known.document.private == is_private(status):
        if known.settled == fresh[1] and known.signature == fresh[0]:
            return known
        return replace(known, signature=fresh[0], settled=fresh[1])
    return SettingsFile(*fresh, raw, parse(path, raw, private=is_private(status)))


def parse(path: str, raw: bytes, *, private: bool) -> Document:
    """The bytes of a file as a document; ``private`` says that nobody but the service may read it."""
    for mark, name in _MARKS:
        if raw.startswith(mark):
            problem = Problem(Place(path, 1, 1), f"this file is saved as {name}", "save it as UTF-8")
            return Document(path, "", private, problems=(problem,))
    text = raw.decode("utf-8-sig", "replace")
    try:
        raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        blank = Document(path, text, private)
        place = blank.at(*end_of(raw[: error.start].decode("utf-8-sig", "replace")))
        problem = Problem(place, "there are bytes here that are not UTF-8", "save the file as UTF-8")
        return replace(blank, problems=(problem,))
    return read_document(path, text, SETTINGS, private=private)


def unreadable(path: str, error: OSError) -> Problem:
    """What ``error`` says of ``path``."""
    if isinstance(error, NotADirectoryError):
        return Problem(Place(path), "this is not a folder", "make it one")
    fix = "check its owner, group and mode" if isinstance(error, PermissionError) else "check the path"
    return Problem(Place(path), f"this cannot be read: {error.strerror}", fix)


def _content(path: str) -> tuple[bytes, os.stat_result]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            what = "a folder, not a file" if stat.S_ISDIR(status.st_mode) else "not a file"
            raise ProvisionerError(Problem(Place(path), f"this is {what} of settings", "move it away"))
        raw = b""
        while len(raw) <= LARGEST and (piece := os.read(descriptor, status.st_size + _MORE)):
            raw += piece
        return raw, status
    finally:
        os.close(descriptor)
