"""SIGINT and SIGTERM on real processes: running trials save, or after a grace their last checkpoint has to do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tal_search.errors import Interrupted, TalSearchError
from tal_search.execution import interrupts
from tal_search.execution.interrupts import DeferredInterrupt
from tal_search.trial.folder import TrialFolder
from tests.support.paths import SUPPORT
from tests.support.small_trials import history, make_spec
from tests.support.waiting import DEADLINE, GONE_SECONDS, IMPORTABLE, wait_for

SHORT = {"epochs": 1000, "seconds": 0.05}
ENDLESS = {"epochs": 3, "endless": 2}
LONG = 2 * DEADLINE  # a grace that no test waits for


@contextmanager
def program(
    backend: str, runs: Path, behaviour: dict[str, Any], grace: float = interrupts.GRACE_SECONDS
) -> Iterator[subprocess.Popen[str]]:
    """`program.py`, once all the trials it runs at once are well under way; in a process group of its own."""
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
    return range(1 if backend == "inline" else 2)


def end(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What the program said until its end, which comes before an endless epoch's; it leaves no process behind."""
    descendants = psutil.Process(process.pid).children(recursive=True)
    out, error = process.communicate(timeout=DEADLINE)
    assert not psutil.wait_procs(descendants, timeout=GONE_SECONDS)[1]
    return out, error


@pytest.mark.parametrize("backend", ["inline", "ray"])
def test_ctrl_c_in_a_terminal_saves_running_trials(backend: str, tmp_path: Path) -> None:
    with program(backend, tmp_path, SHORT, LONG) as process:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the driver and all it started
        out, error = end(process)
    assert process.returncode == 130, (out, error)
    assert out.splitlines()[-1] == "Interrupted handlers restored"
    assert error == ""
    for seed in running(backend):
        folder = TrialFolder.of(tmp_path, make_spec(seed, **SHORT).key)
        assert history(folder)[-1] == "saved"
        saved = json.loads((folder.path / "count.json").read_text())["epoch"]
        assert saved == len(history(folder, "epoch")) > 0


@pytest.mark.parametrize("backend", ["inline", "ray"])
def test_sigterm_to_the_driver_alone_leaves_an_epoch_that_does_not_end(backend: str, tmp_path: Path) -> None:
    with program(backend, tmp_path, ENDLESS) as process:
        process.send_signal(signal.SIGTERM)
        out, error = end(process)
    assert process.returncode == 143, (out, error)
    assert out.splitlines()[-1] == "Interrupted handlers restored"
    assert error == ""
    assert history(TrialFolder.of(tmp_path, make_spec(0, **ENDLESS).key)) == ["epoch 1", "endless"]


@pytest.mark.parametrize("backend", ["inline", "ray"])
def test_a_second_sigint_ends_at_once(backend: str, tmp_path: Path) -> None:
    with program(backend, tmp_path, ENDLESS, LONG) as process:
        process.send_signal(signal.SIGINT)
        wait_for((tmp_path / "heard").exists, process)
        process.send_signal(signal.SIGINT)
        out, error = end(process)
    assert process.returncode == 130, (out, error)
    assert "Interrupted" not in out
    assert error == ""


def test_a_signal_to_all_of_a_group_is_what_ended_ray() -> None:
    with DeferredInterrupt() as interrupt:
        interrupt.request(signal.SIGTERM)
        interrupt.fail(TalSearchError("Ray stopped"))
        with pytest.raises(Interrupted) as raised:
            interrupt.check()
    assert raised.value.exit_code == 143
