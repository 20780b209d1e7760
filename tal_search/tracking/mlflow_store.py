"""MLflow itself behind the copy of a study: runs, parameters, metrics, tags and files. With `mlflow_tracker`, the only
module that knows MLflow.
"""

from __future__ import annotations

import fcntl
import logging
import math
import os
import sqlite3
import time
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tal_search.errors import MissingExtra
from tal_search.tracking.background import NotCopied
from tal_search.tracking.store import Found, Missing, Point, packed, points
from tal_search.tracking.study_values import NOTE_MARK, PROGRESS, TAGS, StudyValues, note, same
from tal_search.tracking.values import PERCENT, UNIT, dashboard_link, dataset_values, git_commit, without_password
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
        from mlflow.entities import Dataset as MlflowDataset
        from mlflow.entities import DatasetInput, InputTag, Metric, Param, Run, RunTag
        from mlflow.exceptions import MlflowException
except ImportError as _error:
    raise MissingExtra("mlflow", "tracking") from _error

for _name in ("mlflow", "alembic"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)  # what fails is tried again, and said at the end if it must be

__all__ = ["MlflowClient", "MlflowStore"]
PAGE = 1000  # runs an answer
PARAMS = 100  # parameters a call
PARENT = "mlflow.parentRunId"
STATUS = {"finished": "FINISHED", "failed": "FAILED", "pruned": "KILLED", "interrupted": "KILLED"}
NOTE, CONTEXT = "mlflow.note.content", "mlflow.data.context"
SUMMARY_TAGS = tuple(f"{name}/" for name in TAGS)
OLDER = "An older copy of the study, with mAP as fractions of 1. The whole study is in the run that bears its name."


@dataclass
class MlflowStore:
    """See `Store`. dashboard: the address that the dashboards are served at, "" where it is unknown."""

    uri: str
    database: Path | None
    artifacts: str | None
    study: str
    description: str
    dataset: DatasetSpec
    dashboard: str = ""

    @property
    def shown(self) -> str:
        return without_password(self.uri)

    def open(self) -> str:
        """Find or create the experiment and the parent run."""
        self.connect()
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
            **self.shared_tags, "role": "study", "state": "running", UNIT: PERCENT,
            "dashboard": dashboard_link(self.study, address=self.dashboard),
        }  # fmt: skip
        parent = self._set_aside()
        if parent is None:
            tags[NOTE] = note(self.description, tags["dashboard"])
            self.parent: str = self.client.create_run(self.experiment, tags=tags, run_name=self.study).info.run_id
        else:
            self.parent = parent.info.run_id
            self.client.update_run(self.parent, status="RUNNING")
            self._tag(self.parent, tags)
        self._log_dataset(self.parent)
        return self.parent

    def connect(self) -> None:
        self.client = _create_database(self.database) if self.database else MlflowClient(self.uri)

    def _set_aside(self) -> Run | None:
        """The parent run, if there is one in today's unit; a copy in fractions of 1 keeps its runs under a new name."""
        found: Run | None = None
        for run in self._search("tags.role = 'study'"):
            if run.data.tags.get(UNIT) == PERCENT:
                found = found or run
                continue
            self.client.update_run(
                run.info.run_id, status="FINISHED", name=f"{self.study} (older copy, mAP from 0 to 1)"
            )
            self._tag(run.info.run_id, {"role": "older copy", UNIT: "fraction", NOTE: OLDER})
        return found

    def runs(self, key: str | None = None) -> Iterator[Found]:
        condition = f"tags.`{PARENT}` = '{self.parent}'"
        for run in self._search(condition if key is None else f"{condition} AND tags.key = '{key}'"):
            state = {"FINISHED": "finished", "FAILED": "failed"}.get(run.info.status, "interrupted")
            if state == "interrupted" and run.data.tags.get("state") == "pruned":
                state = "pruned"
            tags = run.data.tags
            yield Found(tags["key"], run.info.run_id, state, run.info.run_name, tags.get("dashboard", ""))

    def create(self, tags: dict[str, str], name: str) -> str:
        tags = {**self.shared_tags, **tags, PARENT: self.parent}
        run_id: str = self.client.create_run(self.experiment, tags=tags, run_name=name).info.run_id
        return run_id

    def label(self, run: str, name: str, tags: dict[str, str]) -> None:
        self.client.update_run(run, name=name)
        self._tag(run, tags)

    def resume(self, run: str) -> None:
        self._tag(run, {"state": "running"})
        self.client.update_run(run, status="RUNNING")

    def log(self, run: str, points: list[Point], params: dict[str, str]) -> None:
        metrics = [Metric(name, value, time, epoch) for name, value, epoch, time in points]
        named = [Param(name, value) for name, value in params.items()]
        if named:
            self._log_dataset(run)
        for first in range(PARAMS, len(named), PARAMS):
            self.client.log_batch(run, params=named[first : first + PARAMS])
        self.client.log_batch(run, metrics=metrics, params=named[:PARAMS])

    def history(self, run: str, metric: str) -> dict[int, float]:
        return {point.step: point.value for point in self.client.get_metric_history(run, metric)}

    def keep(self, run: str, path: Path) -> None:
        self.client.log_artifact(run, str(path))

    def write(self, run: str, text: str, name: str) -> None:
        self.client.log_text(run, text, name)

    def end(self, run: str, state: str, reason: str = "") -> None:
        self._tag(run, {"state": state, **({"reason": reason[:1000]} if reason else {})})
        self.client.set_terminated(run, STATUS[state])

    def summarize(self, run: str, values: StudyValues) -> None:
        """What the study came to, as it is now: metrics that changed, tags, note. What is no more becomes NaN.

        All at step 0, which MLflow's page draws as bars.
        """
        held, now = self.client.get_run(run).data, int(time.time() * 1000)
        metrics = {name: math.nan for name in held.metrics if not name.startswith(PROGRESS)} | values.metrics
        changed = {name: value for name, value in metrics.items() if not same(held.metrics.get(name), value)}
        for batch in packed([points({name: value}, 0, now) for name, value in changed.items()]):
            self.log(run, batch, {})
        tags = dict(values.tags)
        for name in [name for name in held.tags if name.startswith(SUMMARY_TAGS) and name not in tags]:
            self.client.delete_tag(run, name)
        if NOTE_MARK in held.tags.get(NOTE, NOTE_MARK):  # else it was written by hand
            tags[NOTE] = note(self.description, dashboard_link(self.study, address=self.dashboard), values.table)
        self._tag(run, tags)

    def translated(self, error: Exception) -> Exception:
        code = error.error_code if isinstance(error, MlflowException) else ""
        if code == "INVALID_PARAMETER_VALUE":
            return NotCopied(f"MLflow refuses it: {error}")
        return Missing(str(error)) if code == "RESOURCE_DOES_NOT_EXIST" else error

    def _tag(self, run: str, tags: dict[str, str]) -> None:
        named = [RunTag(name, value) for name, value in tags.items()]
        for first in range(0, len(named), PARAMS):
            self.client.log_batch(run, tags=named[first : first + PARAMS])

    def _log_dataset(self, run: str) -> None:
        """MLflow keeps a dataset once an experiment, and a run's use of it once, however often it is told."""
        used = DatasetInput(MlflowDataset(**dataset_values(self.dataset)), [InputTag(CONTEXT, "training")])
        self.client.log_inputs(run, datasets=[used])

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
