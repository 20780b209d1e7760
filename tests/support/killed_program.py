"""Starts and ends `program.py`, for tests that send it signals or kill its Ray."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tal_search.execution import interrupts
from tal_search.trial.folder import TrialFolder
from tests.support.paths import SUPPORT
from tests.support.small_trials import history, make_spec
from tests.support.waiting import DEADLINE, GONE_SECONDS, IMPORTABLE, wait_for

SHORT = {"epochs": 1000, "seconds": 0.05}
ENDLESS = {"epochs": 3, "endless": 2}


@contextmanager
def program(
    backend: str, runs: Path, behaviour: dict[str, int | float], grace: float = interrupts.GRACE_SECONDS
) -> Iterator[subprocess.Popen[str]]:
    """`program.py` in a process group of its own, once all trials that it runs at once are well under way."""
    command = [sys.executable, str(SUPPORT / "program.py"), backend, str(runs), json.dumps(behaviour), str(grace)]
    environment = {**os.environ, "PYTHONPATH": IMPORTABLE}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0, env=environment
    ) as process:
        try:
            line = "endless" if "endless" in behaviour else "epoch 3"
            folders = [TrialFolder.of(runs, make_spec(seed, **behaviour).key) for seed in running(backend)]
            wait_for(lambda: all(line in history(folder) for folder in folders), process)
            yield process
        finally:
            process.kill()


def running(backend: str) -> range:
    """Seeds of the trials that run at once."""
    return range(1 if backend == "inline" else 2)


def end(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Output and errors of the program until its end, which comes before an endless epoch's; no process is left."""
    descendants = psutil.Process(process.pid).children(recursive=True)
    out, error = process.communicate(timeout=DEADLINE)
    assert not psutil.wait_procs(descendants, timeout=GONE_SECONDS)[1]
    return out, error
