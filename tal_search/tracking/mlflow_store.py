"""MLflow's side of a study's copy: its runs, with their parameters, metrics, tags and files."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.plan.plan import Plan
from tal_search.text.urls import masked
from tal_search.tracking.background import NotCopied
from tal_search.tracking.mlflow_client import import_mlflow, mlflow_client
from tal_search.tracking.mlflow_database import address_of, open_database
from tal_search.tracking.study_values import NOTE_MARK, PROGRESS, TAGS, StudyValues, note, same
from tal_search.tracking.values import PERCENT, UNIT, dashboard_link, dataset_values, git_commit, simulated_tag

if TYPE_CHECKING:
    from mlflow.entities import Run

POINTS = 800  # metric values per call; MLflow accepts 1000 values of all kinds
PAGE = 1000  # runs per answer
PARAMS = 100  # parameters or tags per call
PARENT = "mlflow.parentRunId"
STATUS = {"finished": "FINISHED", "failed": "FAILED", "pruned": "KILLED", "interrupted": "KILLED"}
NOTE, CONTEXT = "mlflow.note.content", "mlflow.data.context"
SUMMARY_TAGS = tuple(f"{name}/" for name in TAGS)
OLDER = "An older copy of the study, with mAP as fractions of 1. The whole study is in the run that bears its name."


class Point(NamedTuple):
    """One value of one metric. time: ms since 1970."""

    name: str
    value: float
    epoch: int
    time: int


class Found(NamedTuple):
    """A trial's run. state: finished, failed or pruned; interrupted if it has not ended. held: values by name."""

    key: str
    run: str
    state: str
    name: str
    dashboard: str
    held: Mapping[str, object]  # the last values of metrics, and parameters


class Missing(Exception):
    """A run that existed is gone: the database was replaced."""


@dataclass
class MlflowStore:
    """The runs of one study in MLflow. All methods block, and may raise any exception; see `translated`.

    database: the file that uri names, if it does; artifacts: where the settings place the files of its runs. dashboard:
    the address of the dashboards, "" if unknown. say: gets a sentence where one is made anew. clicks: read by any cell.
    """

    uri: str
    database: Path | None
    artifacts: str | None
    study: str
    description: str
    dataset: DatasetSpec
    clicks: tuple[str, ...]
    dashboard: str
    say: Callable[[str], None]

    @classmethod
    def of(cls, plan: Plan, say: Callable[[str], None] | None = None) -> MlflowStore:
        """The store that a study's settings name; by default `mlflow.db` and `mlartifacts/` in its runs folder.

        Raises MissingExtra if MLflow is not installed.
        """
        import_mlflow()
        study, tracking = plan.study, plan.study.tracking
        uri, database, artifacts = address_of(study.runs, tracking)
        return cls(
            uri, database, artifacts, study.name, study.description,
            plan.dataset, plan.clicks, tracking.dashboard_page, say or (lambda _: None),
        )  # fmt: skip

    @property
    def shown(self) -> str:
        """The address, for messages."""
        return masked(self.uri)

    def connect(self) -> None:
        place = self.database
        self.client = open_database(place, self.say, self.artifacts) if place else mlflow_client(self.uri)

    def open(self) -> str:
        """Find or create the experiment and the study's run; returns the latter, which is running then."""
        self.connect()
        experiment = self.client.get_experiment_by_name(self.study)
        if experiment is None:
            self.experiment: str = self.client.create_experiment(self.study, artifact_location=self.artifacts)
        else:
            self.experiment = experiment.experiment_id
            if experiment.lifecycle_stage == "deleted":
                self.client.restore_experiment(self.experiment)
        self.shared_tags = {
            "study": self.study, "dataset.source": self.dataset.source,
            "dataset.description": self.dataset.description, **git_commit(),
        }  # fmt: skip
        tags = {
            **self.shared_tags, **simulated_tag(self.dataset, self.clicks), "role": "study", "state": "running",
            UNIT: PERCENT, "dashboard": dashboard_link(self.study, address=self.dashboard),
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

    def _set_aside(self) -> Run | None:
        """The study's run if it holds percentages; a run with fractions of 1, of an older version, is renamed."""
        current: Run | None = None
        for run in self._search("tags.role = 'study'"):
            if run.data.tags.get(UNIT) == PERCENT:
                current = current or run
                continue
            self.client.update_run(
                run.info.run_id, status="FINISHED", name=f"{self.study} (older copy, mAP from 0 to 1)"
            )
            self._tag(run.info.run_id, {"role": "older copy", UNIT: "fraction", NOTE: OLDER})
        return current

    def runs(self, key: str | None = None) -> Iterator[Found]:
        """Runs of the study's trials, or of one of them, the newest first."""
        condition = f"tags.`{PARENT}` = '{self.parent}'"
        for run in self._search(condition if key is None else f"{condition} AND tags.key = '{key}'"):
            state = {"FINISHED": "finished", "FAILED": "failed"}.get(run.info.status, "interrupted")
            if state == "interrupted" and run.data.tags.get("state") == "pruned":
                state = "pruned"
            tags = run.data.tags
            held = {**run.data.metrics, **run.data.params}
            yield Found(tags["key"], run.info.run_id, state, run.info.run_name, tags.get("dashboard", ""), held)

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
        """Metrics, and with the first ones of a run its parameters and its dataset."""
        from mlflow.entities import Metric, Param

        metrics = [Metric(name, value, time, epoch) for name, value, epoch, time in points]
        named = [Param(name, value) for name, value in params.items()]
        if named:
            self._log_dataset(run)
        for first in range(PARAMS, len(named), PARAMS):
            self.client.log_batch(run, params=named[first : first + PARAMS])
        self.client.log_batch(run, metrics=metrics, params=named[:PARAMS])

    def history(self, run: str, metric: str) -> dict[int, float]:
        """Values of a metric, by epoch."""
        return {point.step: point.value for point in self.client.get_metric_history(run, metric)}

    def keep(self, run: str, path: Path) -> None:
        self.client.log_artifact(run, str(path))

    def write(self, run: str, text: str, name: str) -> None:
        self.client.log_text(run, text, name)

    def end(self, run: str, state: str, reason: str = "") -> None:
        self._tag(run, {"state": state, **({"reason": reason[:1000]} if reason else {})})
        self.client.set_terminated(run, STATUS[state])

    def summarize(self, run: str, values: StudyValues) -> None:
        """Update the summary in the study's run: changed metrics, tags, note. A metric that is gone becomes NaN.

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
        if NOTE_MARK in held.tags.get(NOTE, NOTE_MARK):  # otherwise a user wrote it
            tags[NOTE] = note(self.description, dashboard_link(self.study, address=self.dashboard), values.table)
        self._tag(run, tags)

    def translated(self, error: Exception) -> Exception:
        """The error as Missing or NotCopied, if it is one of these."""
        code = getattr(error, "error_code", "")  # of an MlflowException
        if code == "INVALID_PARAMETER_VALUE":
            return NotCopied(f"MLflow refuses it: {error}")
        return Missing(str(error)) if code == "RESOURCE_DOES_NOT_EXIST" else error

    def _tag(self, run: str, tags: dict[str, str]) -> None:
        from mlflow.entities import RunTag

        named = [RunTag(name, value) for name, value in tags.items()]
        for first in range(0, len(named), PARAMS):
            self.client.log_batch(run, tags=named[first : first + PARAMS])

    def _log_dataset(self, run: str) -> None:
        """Logging it again changes nothing: MLflow keeps a dataset once per experiment and its use once per run."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        used = DatasetInput(Dataset(**dataset_values(self.dataset)), [InputTag(CONTEXT, "training")])
        self.client.log_inputs(run, datasets=[used])

    def _search(self, condition: str) -> Iterator[Run]:
        """Runs of the experiment that meet the condition, the newest first, fetched page by page."""
        token = None
        while True:
            page = self.client.search_runs([self.experiment], condition, max_results=PAGE, page_token=token)
            yield from page
            if not (token := page.token):
                return


def points(values: dict[str, float], epoch: int, when: int) -> list[Point]:
    return [Point(name, value, epoch, when) for name, value in values.items()]


def packed(groups: list[list[Point]]) -> list[list[Point]]:
    """Batches of whole groups, so that an epoch arrives whole or not at all."""
    batches: list[list[Point]] = []
    for group in groups:
        if not batches or len(batches[-1]) + len(group) > POINTS:
            batches.append([])
        batches[-1] += group
    return batches
