"""How a study's command ends: 1 with the failed trials and their logs, 130 or 143 on a signal, and goes on again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tal_search.cli.main import main
from tal_search.trial.checkpoint import load_progress

ONE_CELL = ["study=quickstart", "~search.axes", "search.repeats.seeds=[0]", "backend=inline", "tracking.mlflow=false"]


def test_a_failed_trial_ends_with_1_and_its_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = [*ONE_CELL, f"runs={tmp_path}", "search.axes={learning_rate: [1e30]}", "hyperparameters.epochs=1"]
    assert main(["run", *settings]) == 1
    out = capsys.readouterr().out
    (line,) = [line for line in out.splitlines() if line.startswith("Failed: learning_rate=1e+30 seed=0 annotator=A1")]
    assert "diverged at epoch 1: the loss " in line
    assert "; lower hyperparameters.learning_rate, now 1e+30" in line
    log = Path(line.rsplit("log: ", 1)[1])
    assert "TalSearchError" in log.read_text()
    assert "mAP@0.5" in out  # the cell that finished has its table


@pytest.mark.parametrize(
    ("backend", "number", "code"),
    [("inline", signal.SIGINT, 130), ("inline", signal.SIGTERM, 143), ("ray", signal.SIGINT, 130)],
)
def test_a_signal_saves_and_the_same_command_goes_on(backend: str, number: int, code: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tal_search.run", *ONE_CELL, f"backend={backend}", f"runs={tmp_path}"]
    command += ["resources.checkpoint_every_seconds=1e6", "hyperparameters.epochs=40", "protocol.evaluate_every=40"]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        until = time.monotonic() + 60
        while not any(tmp_path.glob("trials/*/spec.json")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(number)
        out, error = process.communicate(timeout=60)
    assert process.returncode == code, (out, error)
    assert "The same command continues" in out
    assert "Traceback" not in error
    (folder,) = tmp_path.glob("trials/*")
    state, _ = load_progress(folder)
    assert state is not None
    assert 0 < len(state["reports"]) < 40
    if number == signal.SIGTERM:
        return  # what follows is the same
    done = subprocess.run(command, text=True, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert (folder / "result.json").exists()


def test_a_spent_time_budget_is_said_and_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = [*ONE_CELL, f"runs={tmp_path}", "hyperparameters.epochs=5000", "budget.minutes=0.02"]
    assert main(["run", *settings]) == 0
    out = capsys.readouterr().out
    assert "The time budget of 0.02 minutes is spent; checkpoints are written. The same command continues." in out
    (folder,) = tmp_path.glob("trials/*")
    state, _ = load_progress(folder)
    assert state is not None
    first = len(state["reports"])
    assert 0 < first < 5000
    assert main(["run", *settings]) == 0
    state, _ = load_progress(folder)
    assert state is not None
    assert len(state["reports"]) > first
