"""Waiting for another process or thread, with a deadline."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

from tests.support.paths import ROOT

DEADLINE = 600.0  # seconds; only ends tests that would hang, as the waits are short on an idle machine
GONE_SECONDS = 30.0  # until killed processes have ended; Ray's helpers, which are not killed, take a minute
IMPORTABLE = str(ROOT)  # PYTHONPATH of programs that import test modules and this code


def wait_for(happened: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Wait until `happened()` is true; fails if the process that causes it ends first."""
    until = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        ended = process is not None and process.poll() is not None
        assert not ended or happened(), process and process.communicate()
        time.sleep(0.02)
