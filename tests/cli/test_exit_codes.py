"""How a study's command ends: 1 with the failed trials and their logs, 130 or 143 on a signal, and goes on again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tal_search.cli.commands import list_studies
from tal_search.cli.main import main
from tal_search.cli.status_line import AT_ONCE
from tal_search.proposers import deadline
from tal_search.trial.checkpoint import load_progress
from tal_search.trial.loop import Fit
from tests.support import held_training
from tests.support.waiting import DEADLINE, IMPORTABLE, wait_for

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
    [("inline", signal.SIGINT, 130), ("ray", signal.SIGTERM, 143)],
)
def test_a_signal_saves_and_the_same_command_goes_on(backend: str, number: int, code: int, tmp_path: Path) -> None:
    """The signal comes in the middle of the third epoch, which is trained to its end and saved."""
    arguments = [*ONE_CELL, f"backend={backend}", f"runs={tmp_path}", "resources.checkpoint_every_seconds=1e6"]
    arguments += ["hyperparameters.epochs=6", "protocol.evaluate_every=6"]
    command = [sys.executable, held_training.__file__, *arguments]
    environment = {**os.environ, "PYTHONPATH": IMPORTABLE}
    said = tmp_path / "said"
    with (
        said.open("w") as file,
        subprocess.Popen(command, env=environment, text=True, stdout=file, stderr=subprocess.PIPE) as process,
    ):
        wait_for(lambda: any(tmp_path.glob("trials/*/waits")), process)
        (folder,) = tmp_path.glob("trials/*")
        process.send_signal(number)
        wait_for(lambda: "Stopping … running trials save their checkpoints" in said.read_text(), process)
        (folder / "goes_on").touch()  # only now, so it was said while the epoch went on
        _, error = process.communicate(timeout=DEADLINE)
    out = said.read_text()
    assert process.returncode == code, (out, error)
    assert "The same command continues" in out
    assert ("Ctrl-C again" in out) is (number == signal.SIGINT)
    assert "Traceback" not in error
    state, _ = load_progress(folder)
    assert state is not None
    assert len(state["reports"]) == held_training.EPOCH
    assert main(["run", *arguments, "backend=inline"]) == 0
    assert (folder / "result.json").exists()


def test_a_second_ctrl_c_ends_at_once_and_says_so(tmp_path: Path) -> None:
    command = [sys.executable, held_training.__file__, *ONE_CELL, f"runs={tmp_path}", "hyperparameters.epochs=6"]
    environment, said = {**os.environ, "PYTHONPATH": IMPORTABLE}, tmp_path / "said"
    with said.open("w") as file, subprocess.Popen(command, env=environment, stdout=file) as process:
        wait_for(lambda: any(tmp_path.glob("trials/*/waits")), process)
        process.send_signal(signal.SIGINT)
        wait_for(lambda: "Ctrl-C again stops at once" in said.read_text(), process)
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 130
    assert said.read_text().endswith(f"{AT_ONCE}\n")


def test_a_spent_time_budget_is_said_and_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that an epoch takes a minute on."""
    epochs, plain = list[int](), Fit.epoch
    monkeypatch.setattr(Fit, "epoch", lambda fit, number: (epochs.append(number), plain(fit, number))[1])
    monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=lambda: 60.0 * len(epochs)))
    settings = [*ONE_CELL, f"runs={tmp_path}", "hyperparameters.epochs=5000", "budget.minutes=2"]
    for reports in (2, 4):
        assert main(["run", *settings]) == 0
        out = capsys.readouterr().out
        assert "The time budget of 2 minutes is spent; checkpoints are written. The same command continues." in out
        (folder,) = tmp_path.glob("trials/*")
        state, _ = load_progress(folder)
        assert state is not None
        assert len(state["reports"]) == reports
    assert epochs == [1, 2, 3, 4]


def test_an_error_of_the_program_is_one_sentence_with_a_file_and_not_the_code_of_failed_trials(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(_: object) -> int:
        raise ZeroDivisionError("division by zero\nsecond line")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(list_studies, "command", broken)
    assert main(["list"]) == 70
    error = capsys.readouterr().err
    (file,) = tmp_path.glob("tal-search-error-*.txt")
    words = "an error of tal_search itself: ZeroDivisionError: division by zero; please report it with"
    assert error == f"{words} {file}\n"
    assert "in broken" in file.read_text()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    assert main(["list"]) == 70
    error = capsys.readouterr().err
    assert error.startswith("an error of tal_search itself: ZeroDivisionError: division by zero (")
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PermissionError(13, "Permission denied", "runs/x"), "runs/x: Permission denied; correct that, then run"),
        (OSError(28, "No space left on device", "runs/x"), "runs/x: No space left on device; free some space, then"),
        (OSError("odd"), "odd; correct that, then run the same command again"),
    ],
)
def test_a_system_that_fails_midway_is_one_sentence(
    error: OSError, sentence: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> int:
        raise error

    monkeypatch.setattr(list_studies, "command", broken)
    assert main(["list"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(sentence)
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_text(""), "{path} is a file, not a folder; move it away or choose another folder"),
        (lambda path: path.symlink_to("/proc"), "cannot be written (No such file or directory); make it writable"),
    ],
    ids=["a file", "nothing can be made there"],
)
def test_runs_that_is_no_folder_is_one_sentence_and_2(
    make: Callable[[Path], object], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "runs")
    assert main(["run", *ONE_CELL, f"runs={tmp_path / 'runs'}"]) == 2
    error = capsys.readouterr().err
    assert words.format(path=tmp_path / "runs") in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("resources.cpus_per_trial=4096", "resources.cpus_per_trial is 4096, but there is only"),
        ("ray.address=127.0.0.1:9", "ray.address is 127.0.0.1:9, but nothing answers there"),
    ],
)
def test_what_ray_cannot_run_ends_with_2_before_anything_is_written(
    setting: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [*ONE_CELL, "backend=ray", f"runs={tmp_path / 'runs'}", setting]
    assert main(["run", *settings]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
