"""What tests that wait for another process or thread share."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

DEADLINE = 600.0  # seconds, for what takes moments on an idle machine: it only ends tests that would never end
GONE_SECONDS = 30.0  # for killed processes to be gone; Ray's helpers that nobody killed take a minute
TESTS = Path(__file__).parent
IMPORTABLE = f"{TESTS}{os.pathsep}{TESTS.parent}"  # PYTHONPATH of programs that import test modules and this code


def wait_for(happened: Callable[[], object], lives: Callable[[], object] = lambda: True) -> None:
    """Until it happened. lives: asked meanwhile; fails once that is over without it."""
    until = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        assert lives() or happened(), "what was to make it happen has ended"
        time.sleep(0.02)
