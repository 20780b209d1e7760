"""The real command, killed with kill -9 midway and started again: every cell exactly once, with the same numbers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import optuna
import psutil
import pytest

from tal_search.tracking.mlflow_client import mlflow_client
from tests.support.paths import ROOT
from tests.support.waiting import DEADLINE, wait_for

CELLS, EPOCHS = 3, 10
OVERRIDES = [
    "study=quickstart",
    "~search.axes.kernel_size",
    "search.repeats.seeds=[0]",
    f"hyperparameters.epochs={EPOCHS}",
    "resources.checkpoint_every_seconds=0",
    "dataset.simulation.train_videos=100",
    "dataset.simulation.test_videos=60",
]


def start(runs: Path, *overrides: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tal_search.run", *OVERRIDES, f"runs={runs}", *overrides]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def results(runs: Path) -> dict[str, tuple[float, ...]]:
    """mAP by tIoU of every finished trial folder, by key."""
    paths = sorted(runs.glob("trials/*/result.json"))
    return {path.parent.name: tuple(json.loads(path.read_text())["result"]["mAP"]) for path in paths}


def unfinished(runs: Path) -> bool:
    """Whether a trial has a checkpoint and no result yet."""
    return any(not (path.parent / "result.json").exists() for path in runs.glob("trials/*/progress-*.pt"))


def trials(runs: Path) -> list[optuna.trial.FrozenTrial]:
    storage = optuna.storages.RDBStorage(f"sqlite:///{runs / 'quickstart' / 'record.db'}")
    try:
        return optuna.load_study(study_name="quickstart", storage=storage).get_trials()
    finally:
        storage.remove_session()
        storage.engine.dispose()


@pytest.mark.slow
def test_a_study_killed_midway_finishes_with_every_cell_exactly_once(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with start(runs, "resources.concurrent_trials=1") as driver:
        wait_for(lambda: results(runs) and unfinished(runs), driver)
        children = psutil.Process(driver.pid).children(recursive=True)
        names = {child: child.name() for child in children}  # read now: a process that has ended has no name
        driver.kill()
        driver.communicate()
        killed = driver.pid
    assert any("Trainable" in name for name in names.values()), names
    workers = [child for child, name in names.items() if "Agent" not in name]  # Ray's helpers take a minute longer
    assert not psutil.wait_procs(workers, timeout=30)[1], "workers must end with their driver"
    before = results(runs)
    assert 1 <= len(before) < CELLS
    written = {key: (runs / "trials" / key / "result.json").stat().st_mtime_ns for key in before}

    with start(runs) as driver:
        said, _ = driver.communicate(timeout=DEADLINE)
    assert driver.returncode == 0, said
    assert re.search(rf"The last run of this study \(process {killed} on .*\) was killed; this run continues it", said)
    assert len(results(runs)) == CELLS
    assert all((runs / "trials" / key / "result.json").stat().st_mtime_ns == written[key] for key in before)
    recorded = trials(runs)
    assert [trial.state.name for trial in recorded] == ["COMPLETE"] * CELLS
    assert {trial.user_attrs["key"] for trial in recorded} == set(results(runs))
    assert not list(runs.glob("trials/*/progress*")), "progress files go once a trial is finished"
    client = mlflow_client(f"sqlite:///{runs / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("quickstart")
    children = client.search_runs([experiment.experiment_id], "tags.role = 'trial'")
    assert {run.data.tags["key"] for run in children} == set(results(runs))
    for run in children:
        assert run.info.status == "FINISHED"
        history = client.get_metric_history(run.info.run_id, "loss/total")
        assert sorted(point.step for point in history) == list(range(1, EPOCHS + 1))

    undisturbed = tmp_path / "undisturbed"
    with start(undisturbed, "backend=inline", "tracking.mlflow=false") as driver:
        said, _ = driver.communicate(timeout=DEADLINE)
    assert driver.returncode == 0, said
    assert results(undisturbed) == results(runs), "a resumed trial repeats an undisturbed one, on either backend"
