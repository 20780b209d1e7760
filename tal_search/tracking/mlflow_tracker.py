"""MLflow: one parent run a study, one child run a fit. A copy: the record and the trial folders are the truth.

Running the study again continues its runs and copies what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tal_search.tracking.background import CLOSE_SECONDS, BackgroundTracker
from tal_search.tracking.ledger import Ledger
from tal_search.tracking.mlflow_store import MlflowClient, MlflowStore
from tal_search.tracking.sync import StudyCopy
from tal_search.tracking.tracker import Status
from tal_search.tracking.values import Naming
from tal_search.trial.trial_types import TrialResult, TrialSpec
from tal_search.types import DatasetSpec

__all__ = ["MlflowClient", "mlflow_tracker", "rebuild"]


def mlflow_tracker(
    *,
    study: str,
    description: str,
    dataset: DatasetSpec,
    runs: Path,
    uri: str | None = None,
    artifacts: str | None = None,
    naming: Naming | None = None,
    dashboard: str = "",
    close_seconds: float = CLOSE_SECONDS,
    search: bool = False,
) -> BackgroundTracker:
    """The tracker of a study.

    uri: None = `mlflow.db` and `mlartifacts/` in the folder `runs`, created here. artifacts: where MLflow keeps the
    files of a new experiment, such as s3://bucket/path. naming: of runs, by what differs from the centre. dashboard:
    where the dashboards are served, if known. search: ask MLflow what it holds, whatever was noted of it.
    """
    runs = runs.resolve()
    store = mlflow_store(study, description, dataset, runs, uri=uri, artifacts=artifacts, dashboard=dashboard)
    ledger = Ledger(runs / study / "mlflow.jsonl")
    copy = StudyCopy(study, store, ledger, search, naming or Naming(), dashboard)
    return BackgroundTracker(copy, runs, close_seconds=close_seconds)


def rebuild(
    *,
    study: str,
    description: str,
    dataset: DatasetSpec,
    runs: Path,
    uri: str | None,
    artifacts: str | None,
    trials: Iterable[tuple[TrialSpec, TrialResult | None, Status, str]],
    naming: Naming | None = None,
    dashboard: str = "",
    close_seconds: float = CLOSE_SECONDS,
) -> str | None:
    """Copy what MLflow lacks of trials that are over, asking it what it holds; returns once it is there.

    trials: what ran, its result if it finished, how it ended, and the reason if it failed. Returns a sentence where
    the copy is incomplete: nothing succeeded for `close_seconds`, or a file is damaged.
    """
    tracker = mlflow_tracker(
        study=study, description=description, dataset=dataset, runs=runs, uri=uri, artifacts=artifacts,
        naming=naming, dashboard=dashboard, close_seconds=close_seconds, search=True,
    )  # fmt: skip
    for spec, result, status, reason in trials:
        tracker.take_up(spec, result, status, reason)
    return tracker.close()


def mlflow_store(
    study: str,
    description: str,
    dataset: DatasetSpec,
    runs: Path,
    *,
    uri: str | None = None,
    artifacts: str | None = None,
    dashboard: str = "",
) -> MlflowStore:
    """Where the copy of a study is, see `mlflow_tracker`."""
    database = None if uri else runs.resolve() / "mlflow.db"
    if database:
        artifacts = artifacts or (runs.resolve() / "mlartifacts").as_uri()
    return MlflowStore(uri or f"sqlite:///{database}", database, artifacts, study, description, dataset, dashboard)
