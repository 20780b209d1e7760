"""Runs a plan: finished trials are taken up, the rest is trained, every event goes to the record and the tracker."""

from __future__ import annotations

import fcntl
import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tal_search.data.dataset import check
from tal_search.errors import InputError, MissingExtra
from tal_search.search.backend import Backend, Event, Failed, Finished, Reported, Started
from tal_search.search.plan import Plan
from tal_search.search.proposer import Planned
from tal_search.search.record import Record
from tal_search.search.worker import Training, TrialFunction
from tal_search.study import Study
from tal_search.tracking import NoTracker, Tracker
from tal_search.trial_folder import TrialFolder
from tal_search.types import EpochReport, TrialResult, TrialSpec


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run of a study came to. cached: trials that were finished before it began; messages: for its end."""

    finished: dict[str, TrialResult]
    failed: dict[str, tuple[TrialSpec, str]]
    cached: int
    interrupted: bool
    messages: tuple[str, ...]


def run_study(
    plan: Plan, *, on_event: Callable[[Event], None] | None = None, trial: TrialFunction | None = None
) -> Outcome:
    """Run what is missing of a plan, until it is done or Ctrl-C.

    on_event sees every event after the record has it; a cached trial is a `Finished` without a `Started`.
    trial: what a worker runs; by default the real training, whose data is checked before it.
    Raises InputError, with nothing written: a missing extra, a runs folder that cannot be written, the same study
    running already, a record that cannot be read, any problem of the data.
    """
    study = plan.study
    _check_extras(study)
    if trial is None and any(TrialFolder.of(study.runs, spec.key).result() is None for spec in plan.specs):
        check(plan.dataset, plan.annotators)
    with (
        _claimed(study.runs / study.name) as folder,
        Record.open(folder / "record.db", study.name, _axes(plan)) as record,
    ):
        run = _Run(study.runs, record, _tracker(plan), on_event or _ignore)
        interrupted = False
        try:
            run.take_up(plan.specs)
            missing = [spec for spec in plan.specs if spec.key not in run.finished]
            if missing:
                _backend(study, trial).run(Planned(missing), run.handle)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            message = run.tracker.close(interrupted=interrupted)
        return Outcome(
            finished=run.finished,
            failed=run.failed,
            cached=run.cached,
            interrupted=interrupted,
            messages=(*run.messages, *([message] if message else [])),
        )


@dataclass
class _Run:
    """Writes each event to the record first, then to the tracker, then shows it."""

    runs: Path
    record: Record
    tracker: Tracker
    on_event: Callable[[Event], None]
    finished: dict[str, TrialResult] = field(default_factory=dict)
    failed: dict[str, tuple[TrialSpec, str]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    cached: int = 0

    def take_up(self, specs: tuple[TrialSpec, ...]) -> None:
        """Trials finished before: in their folder (by any study), or in the record alone."""
        recorded = self.record.finished()
        gone = 0
        for spec in specs:
            kept = TrialFolder.of(self.runs, spec.key).result()
            result = kept or recorded.get(spec.key)
            if result is not None:
                gone += kept is None
                self.tracker.start(spec)
                self._finish(spec, result, cached=True)
                self.cached += 1
        if gone:
            self.messages.append(
                f"{gone} finished trials are in the record but their folders are gone from {self.runs / 'trials'}; "
                "their numbers are used. To train them again, remove the study's folder."
            )

    def handle(self, event: Event) -> None:
        spec = event.spec
        match event:
            case Started():
                self.record.start(spec)
                self.tracker.start(spec)
            case Reported(report=report):
                self.record.report(spec, report)
                self.tracker.log_metrics(spec.key, [report])
            case Failed(reason=reason):
                self.record.start(spec)  # its worker may have died before it could say that it started
                self.tracker.start(spec)
                self.record.fail(spec, reason)
                self.failed[spec.key] = (spec, reason)
                self.tracker.log_artifact(spec.key, TrialFolder.of(self.runs, spec.key).log)
                self.tracker.finish(spec.key, None)
            case Finished(result=result):
                self._finish(spec, result, cached=False)
                return
        self.on_event(event)

    def _finish(self, spec: TrialSpec, result: TrialResult, *, cached: bool) -> None:
        self.record.finish(spec, result, cached=cached, mlflow_run=self.tracker.run_id(spec.key))
        self.finished[spec.key] = result
        folder = TrialFolder.of(self.runs, spec.key)
        self.tracker.log_metrics(spec.key, _every_epoch(folder))  # those of earlier runs and other studies too
        for path in (folder.epochs, folder.checkpoint, folder.detections, folder.scores):
            self.tracker.log_artifact(spec.key, path)
        self.tracker.finish(spec.key, result)
        self.on_event(Finished(spec, result))


def _every_epoch(folder: TrialFolder) -> Iterator[EpochReport]:
    """Read when the tracker comes to it."""
    if folder.epochs.exists():
        yield from folder.epoch_reports()


def _ignore(event: Event) -> None:
    del event


def _axes(plan: Plan) -> dict[str, list[Any]]:
    return {name: [spec.cell[name] for spec in plan.specs] for name in plan.study.search.axes}


def _check_extras(study: Study) -> None:
    if study.resources.backend == "ray" and importlib.util.find_spec("ray") is None:
        raise MissingExtra("ray", "ray")
    if study.tracking.mlflow and importlib.util.find_spec("mlflow") is None:
        raise MissingExtra("mlflow", "tracking")


def _backend(study: Study, trial: TrialFunction | None) -> Backend:
    resources = study.resources
    trial = trial or Training(
        device=resources.device,
        checkpoint_every_seconds=resources.checkpoint_every_seconds,
        threads=max(1, int(resources.cpus_per_trial)),
    )
    if resources.backend == "inline":
        from tal_search.search.inline_backend import InlineBackend

        return InlineBackend(runs=study.runs, trial=trial)
    from tal_search.search.ray_backend import RayBackend

    return RayBackend(
        runs=study.runs,
        trial=trial,
        cpus_per_trial=resources.cpus_per_trial,
        gpus_per_trial=resources.gpus_per_trial,
        concurrent_trials=resources.concurrent_trials,
    )


def _tracker(plan: Plan) -> Tracker:
    study = plan.study
    if not study.tracking.mlflow:
        return NoTracker()
    from tal_search.tracking.mlflow_tracker import mlflow_tracker

    return mlflow_tracker(
        study=study.name,
        description=study.description,
        dataset=plan.dataset,
        runs=study.runs,
        uri=study.tracking.uri,
    )


@contextmanager
def _claimed(folder: Path) -> Iterator[Path]:
    """The study's folder, held by this process alone until the block ends or the process dies."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "driver.lock").open("a+")
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written ({error.strerror}); choose another folder with runs=FOLDER"
        ) from error
    with lock:
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise InputError(
                f"the study of {folder} is running already in process {holder}; wait for it or stop it"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield folder
