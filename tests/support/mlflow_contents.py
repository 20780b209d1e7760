"""What MLflow holds of a study, read back through its own client, in a form that can be compared."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tal_search.files.atomic import write_json
from tal_search.files.sqlite_files import sqlite_url
from tal_search.plan.plan import Plan
from tal_search.study import TrackingSettings
from tal_search.tracking.background import CLOSE_SECONDS, BackgroundTracker
from tal_search.tracking.mlflow_client import mlflow_client
from tal_search.tracking.mlflow_database import open_database
from tal_search.tracking.mlflow_tracker import mlflow_tracker
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport, TrialOutcome, TrialSpec
from tests.support.small_plans import plan_of
from tests.support.small_trials import make_result, make_spec

if TYPE_CHECKING:
    from mlflow import MlflowClient

EPOCHS = 3


def tracked(runs: Path, **settings: Any) -> Plan:
    """A plan of the study `grid` with these settings of its tracking."""
    plan = plan_of(runs, [make_spec()])
    return replace(plan, study=replace(plan.study, tracking=TrackingSettings(mlflow=True, **settings)))


@cache
def empty_database() -> bytes:
    """MLflow's database without a run: to create its tables takes seconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mlflow.db"
        open_database(path, print).search_experiments()
        with closing(sqlite3.connect(path)) as connection:
            return connection.serialize()


def give_database(runs: Path) -> None:
    runs.mkdir(parents=True, exist_ok=True)
    if not (runs / "mlflow.db").exists():
        (runs / "mlflow.db").write_bytes(empty_database())


def track(runs: Path, *, close_seconds: float = CLOSE_SECONDS, **settings: Any) -> BackgroundTracker:
    """A tracker of the study `grid`, by default with the database of the runs folder."""
    if "uri" not in settings:
        give_database(runs)
    return mlflow_tracker(tracked(runs, **settings), close_seconds=close_seconds)


def finished(spec: TrialSpec) -> TrialOutcome:
    return TrialOutcome("finished", make_result(spec))


def reports(first: int, last: int) -> Iterator[EpochReport]:
    for epoch in range(first, last + 1):
        losses = {"total": 1.0 / epoch, "sep": 0.1}
        yield EpochReport(epoch=epoch, epochs=EPOCHS, seconds=0.5, losses=losses, scores={"test/mAP/0.5": epoch / 10})


def finished_folder(runs: Path, spec: TrialSpec) -> TrialFolder:
    """The folder of a finished trial, as far as a copy reads it."""
    folder = TrialFolder.of(runs, spec.key)
    folder.write_epochs(list(reports(1, EPOCHS)))
    write_json(folder.scores, {})
    folder.checkpoint.write_bytes(b"weights")
    folder.write_result(make_result(spec))
    return folder


def full_trial(tracker: BackgroundTracker, spec: TrialSpec, runs: Path) -> None:
    """What the driver tells a tracker of a trial that runs from its first epoch to its result."""
    tracker.start(spec)
    for report in reports(1, EPOCHS):
        tracker.log(spec, [report])
    finished_folder(runs, spec)
    tracker.finish(spec, finished(spec))


def local(runs: Path) -> MlflowClient:
    return mlflow_client(sqlite_url(runs / "mlflow.db"))


def runs_of(client: MlflowClient, study: str = "grid") -> tuple[Any, list[Any]]:
    """The parent run and its children, the oldest first."""
    experiment = client.get_experiment_by_name(study)
    found = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
    (parent,) = [run for run in found if run.data.tags["role"] == "study"]
    children = [run for run in found if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(found) == 1 + len(children)
    return parent, children


def contents(client: MlflowClient, downloads: Path) -> list[dict[str, Any]]:
    """Everything of every trial's run that does not depend on when it was copied, in the order of keys and runs."""
    held = []
    for run in sorted(runs_of(client)[1], key=lambda run: run.data.tags["key"]):
        own = {name: value for name, value in run.data.tags.items() if not name.startswith("mlflow.")}
        metrics = {
            name: sorted((point.step, point.value) for point in client.get_metric_history(run.info.run_id, name))
            for name in run.data.metrics
        }
        files = {}
        for file in client.list_artifacts(run.info.run_id):
            path = Path(client.download_artifacts(run.info.run_id, file.path, str(downloads)))
            files[file.path] = path.read_bytes()
            path.unlink()
        held.append(
            {
                "status": run.info.status,
                "name": run.info.run_name,
                "params": run.data.params,
                "tags": own,
                "metrics": metrics,
                "files": files,
            }
        )
    return held


def without_mlflow(runs: Path) -> Path:
    """A copy of the runs folder whose MLflow is gone: MLflow keeps a removed database open in this process."""
    place = runs.with_name(f"{runs.name}-without-mlflow")
    shutil.copytree(runs, place, ignore=shutil.ignore_patterns("mlflow.db*", "mlartifacts"))
    return place
