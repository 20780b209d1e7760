"""What tests that wait for another process or thread share."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

from tests.support.paths import ROOT

DEADLINE = 600.0  # seconds, for what takes moments on an idle machine: it only ends tests that would never end
GONE_SECONDS = 30.0  # for killed processes to be gone; Ray's helpers that nobody killed take a minute
IMPORTABLE = str(ROOT)  # PYTHONPATH of programs that import test modules and this code


def wait_for(happened: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Until it happened; the process, if any, that is to bring it about must not end without it."""
    until = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        ended = process is not None and process.poll() is not None
        assert not ended or happened(), process and process.communicate()
        time.sleep(0.02)
