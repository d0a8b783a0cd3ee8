"""Standard input, output and error, whatever whoever started us made of them."""

from __future__ import annotations

import io
import os
import sys


def open_standard_streams() -> None:
    """Put /dev/null where one of the three is closed: the next file that is opened must not be taken for it. What a
    terminal's character set does not have is printed as an escape."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    # Python has none where the descriptor was closed.
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: PTH123, SIM115 - open for as long as the process
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def is_of_output(error: OSError) -> bool:
    """Does ``error`` come from a ``print`` or ``flush`` of a verb, and not from some file?"""
    where = error.__traceback__
    while where and where.tb_next:
        where = where.tb_next
    return where is not None and where.tb_frame.f_globals["__name__"].startswith(__package__) and error.filename is None


def give_up_output() -> None:
    """Print nothing more, not even what is left at the end of the process."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def name_files_in_utf8() -> None:
    """Begin anew where the locale would have file names in another encoding: those of the YAML are UTF-8, and Python
    cannot change it later. What is printed stays in the locale's."""
    if sys.getfilesystemencoding() == "utf-8" or not sys.executable:
        return
    os.environ.setdefault("PYTHONIOENCODING", sys.stdout.encoding)
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - this program itself
