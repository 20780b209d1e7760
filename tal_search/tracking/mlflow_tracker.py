"""MLflow: one parent run a study, one child run a fit. A copy: the record and the trial folders are the truth.

Running the study again continues its runs and copies what is missing. The only file of the package that knows MLflow.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import warnings
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tal_search.errors import MissingExtra
from tal_search.tracking.background import CLOSE_SECONDS, BackgroundTracker, NotCopied
from tal_search.tracking.ledger import Ledger
from tal_search.tracking.store import Found, Missing, Point
from tal_search.tracking.sync import StudyCopy
from tal_search.tracking.tracker import Status
from tal_search.tracking.values import dashboard_path, git_commit, without_password
from tal_search.trial.trial_types import TrialResult, TrialSpec
from tal_search.types import DatasetSpec

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # the background thread tries again, with pauses of its own
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # it would cross the study's own lines
}
for _name, _value in SETTINGS.items():  # MLflow reads some of them when it is imported
    os.environ.setdefault(_name, _value)

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # MLflow would import it later, in the thread. Its import warns, and where warnings are errors it stays broken.
        import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param, Run, RunTag
        from mlflow.exceptions import MlflowException
except ImportError as _error:
    raise MissingExtra("mlflow", "tracking") from _error

for _name in ("mlflow", "alembic"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)  # what fails is tried again, and said at the end if it must be

PAGE = 1000  # runs an answer
PARAMS = 100  # parameters a call
PARENT = "mlflow.parentRunId"
STATUS = {"finished": "FINISHED", "failed": "FAILED", "pruned": "KILLED", "interrupted": "KILLED"}


def mlflow_tracker(
    *,
    study: str,
    description: str,
    dataset: DatasetSpec,
    runs: Path,
    uri: str | None = None,
    artifacts: str | None = None,
    close_seconds: float = CLOSE_SECONDS,
    search: bool = False,
) -> BackgroundTracker:
    """The tracker of a study.

    uri: None = `mlflow.db` and `mlartifacts/` in the folder `runs`, created here. artifacts: where MLflow keeps the
    files of a new experiment, such as s3://bucket/path. search: ask MLflow what it holds, whatever was noted of it.
    """
    runs = runs.resolve()
    database = None if uri else runs / "mlflow.db"
    if database:
        artifacts = artifacts or (runs / "mlartifacts").as_uri()
    store = _Mlflow(uri or f"sqlite:///{database}", database, artifacts, study, description, dataset)
    copy = StudyCopy(study, store, Ledger(runs / study / "mlflow.jsonl"), search)
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
    close_seconds: float = CLOSE_SECONDS,
) -> str | None:
    """Copy what MLflow lacks of trials that are over, asking it what it holds; returns once it is there.

    trials: what ran, its result if it finished, how it ended, and the reason if it failed. Returns a sentence where
    the copy is incomplete: nothing succeeded for `close_seconds`, or a file is damaged.
    """
    tracker = mlflow_tracker(
        study=study, description=description, dataset=dataset, runs=runs, uri=uri, artifacts=artifacts,
        close_seconds=close_seconds, search=True,
    )  # fmt: skip
    for spec, result, status, reason in trials:
        tracker.take_up(spec, result, status, reason)
    return tracker.close()


@dataclass
class _Mlflow:
    """See `Store`."""

    uri: str
    database: Path | None
    artifacts: str | None
    study: str
    description: str
    dataset: DatasetSpec

    @property
    def shown(self) -> str:
        return without_password(self.uri)

    def open(self) -> str:
        """Find or create the experiment and the parent run."""
        self.client = _create_database(self.database) if self.database else MlflowClient(self.uri)
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
        tags = {
            **self.shared_tags, "role": "study", "state": "running", "mlflow.note.content": self.description,
            "dashboard": dashboard_path(self.study),
        }  # fmt: skip
        parent = next(self._search("tags.role = 'study'"), None)
        if parent is None:
            self.parent: str = self.client.create_run(self.experiment, tags=tags, run_name=self.study).info.run_id
        else:
            self.parent = parent.info.run_id
            self.client.update_run(self.parent, status="RUNNING")
            self._tag(self.parent, tags)
        return self.parent

    def runs(self, key: str | None = None) -> Iterator[Found]:
        condition = f"tags.`{PARENT}` = '{self.parent}'"
        for run in self._search(condition if key is None else f"{condition} AND tags.key = '{key}'"):
            state = {"FINISHED": "finished", "FAILED": "failed"}.get(run.info.status, "interrupted")
            if state == "interrupted" and run.data.tags.get("state") == "pruned":
                state = "pruned"
            yield Found(run.data.tags["key"], run.info.run_id, state)

    def create(self, tags: dict[str, str], name: str) -> str:
        tags = {**self.shared_tags, **tags, PARENT: self.parent}
        run_id: str = self.client.create_run(self.experiment, tags=tags, run_name=name).info.run_id
        return run_id

    def resume(self, run: str) -> None:
        self._tag(run, {"state": "running"})
        self.client.update_run(run, status="RUNNING")

    def log(self, run: str, points: list[Point], params: dict[str, str]) -> None:
        metrics = [Metric(name, value, time, epoch) for name, value, epoch, time in points]
        named = [Param(name, value) for name, value in params.items()]
        for first in range(PARAMS, len(named), PARAMS):
            self.client.log_batch(run, params=named[first : first + PARAMS])
        self.client.log_batch(run, metrics=metrics, params=named[:PARAMS])

    def epochs(self, run: str, metric: str) -> set[int]:
        return {point.step for point in self.client.get_metric_history(run, metric)}

    def keep(self, run: str, path: Path) -> None:
        self.client.log_artifact(run, str(path))

    def write(self, run: str, text: str, name: str) -> None:
        self.client.log_text(run, text, name)

    def end(self, run: str, state: str, reason: str = "") -> None:
        self._tag(run, {"state": state, **({"reason": reason[:1000]} if reason else {})})
        self.client.set_terminated(run, STATUS[state])

    def translated(self, error: Exception) -> Exception:
        code = error.error_code if isinstance(error, MlflowException) else ""
        if code == "INVALID_PARAMETER_VALUE":
            return NotCopied(f"MLflow refuses it: {error}")
        return Missing(str(error)) if code == "RESOURCE_DOES_NOT_EXIST" else error

    def _tag(self, run: str, tags: dict[str, str]) -> None:
        self.client.log_batch(run, tags=[RunTag(name, value) for name, value in tags.items()])

    def _search(self, condition: str) -> Iterator[Run]:
        """Runs of the experiment that meet the condition, the newest first, fetched page by page."""
        token = None
        while True:
            page = self.client.search_runs([self.experiment], condition, max_results=PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                return


def _create_database(database: Path) -> MlflowClient:
    """Create or upgrade the tables, one process at a time: MLflow's own creation breaks under a race."""
    database.parent.mkdir(parents=True, exist_ok=True)
    with database.with_name(".mlflow.lock").open("a") as lock:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # MLflow's UI reads while a study writes
        return MlflowClient(f"sqlite:///{database}")
