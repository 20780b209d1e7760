"""MLflow: one parent run a study, one child run a trial. A copy: the record and the trial folders are the truth.

Running the study again continues its runs and copies what is missing. The only file of the package that knows MLflow.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import time
import warnings
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tal_search.errors import MissingExtra
from tal_search.tracking.background import CLOSE_SECONDS, BackgroundTracker
from tal_search.tracking.content import (
    EPOCH_MARK,
    epoch_values,
    git_commit,
    mAP_curve,
    result_values,
    run_name,
    trial_params,
    trial_tags,
)
from tal_search.types import DatasetSpec, EpochReport, TrialResult, TrialSpec

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # MLflow's own waits for minutes when a server is gone
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
for _name, _value in SETTINGS.items():  # MLflow reads some of them when it is imported
    os.environ.setdefault(_name, _value)

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param, Run, RunTag
except ImportError as _error:
    raise MissingExtra("mlflow", "tracking") from _error

for _name in ("mlflow", "alembic"):
    logging.getLogger(_name).setLevel(logging.ERROR)

PAGE = 1000  # metrics a call, runs an answer
PARAMS = 100  # parameters a call
PARENT = "mlflow.parentRunId"


def mlflow_tracker(
    *,
    study: str,
    description: str,
    dataset: DatasetSpec,
    runs: Path,
    uri: str | None = None,
    close_seconds: float = CLOSE_SECONDS,
) -> BackgroundTracker:
    """The tracker of a study. uri: None = `mlflow.db` and `mlartifacts/` in the folder `runs`, created here."""
    database = runs.resolve() / "mlflow.db"
    if uri is None:
        with suppress(Exception):  # opening the copy meets the same error, and reports it
            _create_database(database)
    artifacts = None if uri else (runs.resolve() / "mlartifacts").as_uri()
    copy = _MlflowCopy(uri or f"sqlite:///{database}", artifacts, study, description, dataset)
    return BackgroundTracker(copy, close_seconds=close_seconds)


@dataclass
class _Child:
    """A trial's run. epochs: those it holds; None until they are asked for. done: nothing is to be added."""

    run_id: str
    epochs: set[int] | None = None
    done: bool = False


@dataclass
class _MlflowCopy:
    """See `Copy`."""

    where: str
    artifacts: str | None
    study: str
    description: str
    dataset: DatasetSpec
    children: dict[str, _Child] = field(default_factory=dict)
    pending: dict[str, list[Metric]] = field(default_factory=dict)
    opened: bool = False
    failed: bool = False

    def open(self) -> None:
        """Find or create the experiment and the parent run, and look up the trials it has."""
        self.client = MlflowClient(self.where)
        experiment = self.client.get_experiment_by_name(self.study)
        if experiment is None:
            self.experiment: str = self.client.create_experiment(self.study, artifact_location=self.artifacts)
        else:
            self.experiment = experiment.experiment_id
            if experiment.lifecycle_stage == "deleted":
                self.client.restore_experiment(self.experiment)
        self.shared_tags = {
            "study": self.study,
            "dataset.source": self.dataset.source,
            "dataset.description": self.dataset.description,
            **git_commit(),
        }
        parents = self._search("tags.role = 'study'")
        tags = {**self.shared_tags, "role": "study", "mlflow.note.content": self.description}
        if parents:
            self.parent: str = parents[0].info.run_id
            self.client.update_run(self.parent, status="RUNNING")
            self._tag(self.parent, tags)
        else:
            self.parent = self.client.create_run(self.experiment, tags=tags, run_name=self.study).info.run_id
        for run in reversed(self._search(f"tags.`{PARENT}` = '{self.parent}'")):  # the newest of a key wins
            if run.info.status != "FAILED":
                done = run.info.status == "FINISHED"
                self.children[run.data.tags["key"]] = _Child(run.info.run_id, done=done)
        self.opened = True

    def start(self, spec: TrialSpec) -> None:
        """Continue the key's unfinished run, or create one with all parameters."""
        child = self.children.get(spec.key)
        if child is not None and child.done:
            return
        if child is None:
            tags = {**self.shared_tags, **trial_tags(spec), "role": "trial", PARENT: self.parent}
            run = self.client.create_run(self.experiment, tags=tags, run_name=run_name(spec))
            self.children[spec.key] = child = _Child(run.info.run_id, epochs=set())
        else:
            self.client.update_run(child.run_id, status="RUNNING")
        params = [Param(name, value) for name, value in trial_params(spec).items()]
        for first in range(0, len(params), PARAMS):  # again for a continued run, whose creation may have been cut short
            self.client.log_batch(child.run_id, params=params[first : first + PARAMS])

    def log(self, key: str, reports: Iterable[EpochReport]) -> None:
        child = self.children[key]
        if child.done:
            return
        if child.epochs is None:
            history = self.client.get_metric_history(child.run_id, EPOCH_MARK)
            child.epochs = {metric.step for metric in history}
        for report in reports:
            if report.epoch not in child.epochs:
                child.epochs.add(report.epoch)
                self.pending.setdefault(child.run_id, []).extend(_metrics(epoch_values(report), report.epoch))

    def flush(self) -> None:
        """Send the metrics gathered since the last time; what could not be sent is tried again."""
        for run_id, metrics in list(self.pending.items()):
            for first in range(0, len(metrics), PAGE):
                self.client.log_batch(run_id, metrics=metrics[first : first + PAGE])
            del self.pending[run_id]

    def keep(self, key: str, path: Path) -> None:
        if not self.children[key].done and path.exists():
            self.client.log_artifact(self.children[key].run_id, str(path))

    def finish(self, key: str, result: TrialResult | None) -> None:
        child = self.children[key]
        if child.done:
            return
        if result is not None:
            self.client.log_batch(child.run_id, metrics=_metrics(result_values(result), result.selected_epoch))
            self.client.log_text(child.run_id, mAP_curve(result), "mAP_by_tIoU.csv")
        self.client.set_terminated(child.run_id, "FAILED" if result is None else "FINISHED")
        self.failed = self.failed or result is None
        child.done = True

    def run_id(self, key: str) -> str | None:
        child = self.children.get(key)
        return None if child is None else child.run_id

    def close(self, interrupted: bool) -> None:
        self.flush()
        for child in self.children.values():
            if not child.done:
                self.client.set_terminated(child.run_id, "KILLED")
        self.client.set_terminated(self.parent, "KILLED" if interrupted else "FAILED" if self.failed else "FINISHED")

    def _search(self, condition: str) -> list[Run]:
        """All runs of the experiment that meet the condition, the newest first."""
        found: list[Run] = []
        token = None
        while True:
            page = self.client.search_runs([self.experiment], condition, max_results=PAGE, page_token=token)
            found.extend(page)
            token = page.token
            if not token:
                return found

    def _tag(self, run_id: str, tags: dict[str, str]) -> None:
        self.client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])


def _metrics(values: dict[str, float], epoch: int) -> list[Metric]:
    now = int(time.time() * 1000)
    return [Metric(name, value, now, epoch) for name, value in values.items()]


def _create_database(database: Path) -> None:
    """Create or upgrade the tables, one process at a time: MLflow's own creation breaks under a race."""
    database.parent.mkdir(parents=True, exist_ok=True)
    with database.with_name(".mlflow.lock").open("a") as lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # MLflow's UI reads while a study writes
        MlflowClient(f"sqlite:///{database}")
