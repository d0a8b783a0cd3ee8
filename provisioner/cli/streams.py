"""Standard input, output and error, whatever whoever started us made of them."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO


class _Outlet(io.FileIO):
    """Where output goes, as far as it can. Verbs go on without, so that their exit codes say what they would have said:
    `check | head` is no less a refusal. ``lost`` is why something is missing that somebody waits for."""

    lost: OSError | None = None

    def write(self, piece: Any) -> int:
        try:
            return super().write(piece)
        except BrokenPipeError:
            _put_null(self.fileno())  # nobody reads it any more
        except OSError as error:
            self.lost = error
        return len(piece)


def open_standard_streams() -> None:
    """Put /dev/null where one of the three is closed: the next file that is opened must not be taken for it. What a
    terminal's character set does not have is printed as an escape, and what nobody reads any more is no error."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    # Python has none where the descriptor was closed.
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: PTH123, SIM115 - open for as long as the process
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115
    sys.stdout, sys.stderr = _patient(sys.stdout), _patient(sys.stderr)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _patient(stream: TextIO) -> TextIO:
    """``stream`` with an outlet as above; itself where it is not the process's own."""
    if not isinstance(stream, io.TextIOWrapper) or stream not in (sys.__stdout__, sys.__stderr__):
        return stream
    outlet = io.BufferedWriter(_Outlet(stream.fileno(), "wb", closefd=False))
    lines = stream.line_buffering
    return io.TextIOWrapper(outlet, stream.encoding, stream.errors, line_buffering=lines, write_through=lines)


def _put_null(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, descriptor)
    os.close(null)


def lost_output() -> OSError | None:
    """Why not all of standard output could be written; None when it could."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.lost if isinstance(raw, _Outlet) else None


def name_files_in_utf8() -> None:
    """Begin anew where the locale would have file names in another encoding: those of the YAML are UTF-8, and Python
    cannot change it later. What is printed stays in the locale's."""
    if sys.getfilesystemencoding() == "utf-8" or not sys.executable:
        return
    os.environ.setdefault("PYTHONIOENCODING", sys.stdout.encoding)
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - this program itself
