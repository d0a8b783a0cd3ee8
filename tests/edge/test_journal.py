"""Log lines as the journal and as people read them."""

from __future__ import annotations

import os
import re
import subprocess
import sys

CODE = """
import logging, os
from provisioner.edge.journal import set_up_logging
set_up_logging(os.environ)
log = logging.getLogger("x")
log.debug("hidden")
log.info("good news")
log.warning("agent %s: odd", "ana\\nnow a line of my own")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("a bug")
"""


def lines(more: str = "", **environment: str) -> list[str]:
    clean = {key: value for key, value in os.environ.items() if key != "JOURNAL_STREAM"}
    command = [sys.executable, "-c", CODE + more]
    return subprocess.run(command, env={**clean, **environment}, capture_output=True, text=True).stderr.splitlines()


def test_the_journal_gets_a_priority_before_each_line():
    found = lines(JOURNAL_STREAM="8:1")
    assert found[0] == "<6>good news"
    assert found[1] == r"<4>agent ana\nnow a line of my own: odd"
    assert found[2] == "<3>a bug"
    assert "ZeroDivisionError: division by zero" in found


def test_a_terminal_gets_time_and_level():
    assert re.fullmatch(r"\d\d:\d\d:\d\d INFO    good news", lines()[0])


def test_what_watchdog_tells_of_itself_is_nobodys_news():
    told = """
import warnings
logging.getLogger("watchdog.observers.inotify").error("queue_events() called when the thread is inactive")
warnings.warn_explicit("Callback already exists", RuntimeWarning, "x", 1, "watchdog.observers.inotify")
warnings.warn_explicit("ours", RuntimeWarning, "x", 1, "provisioner.edge.watch")
"""
    assert lines(told)[-1] == "x:1: RuntimeWarning: ours"
    assert not any("queue_events" in line or "Callback" in line for line in lines(told))
