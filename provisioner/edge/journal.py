"""Log lines for the journal, with their priority (sd-daemon(3)), or for a person at a terminal."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Mapping

from provisioner.core.report import printable

_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class _Lines(logging.Formatter):
    """One line a message, whatever an agent's name or an error holds; a traceback keeps its lines."""

    def __init__(self, *, journal: bool) -> None:
        super().__init__("%(message)s" if journal else "%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
        self._journal = journal

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        record.message = printable(record.message)
        line = super().formatMessage(record)
        return f"<{_PRIORITIES.get(record.levelno, 6)}>{line}" if self._journal else line


def set_up_logging(environment: Mapping[str, str], level: int = logging.INFO) -> None:
    """Log to standard error from now on what has at least this ``level``."""
    out = logging.StreamHandler(sys.stderr)
    out.setFormatter(_Lines(journal="JOURNAL_STREAM" in environment))
    logging.basicConfig(level=level, handlers=[out], force=True)
    # One line for each request or selector is nobody's news.
    for chatty in ("asyncio", "aiohttp.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # What watchdog loses count of, where folders are renamed or its queue runs over, is found by reading all the same.
    logging.getLogger("watchdog").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"watchdog\.")
