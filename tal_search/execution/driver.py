"""Runs a study: what is known is taken up, the rest is trained, until all is done, a budget spent, or a signal."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tal_search.data.find import check
from tal_search.errors import Interrupted, MissingExtra
from tal_search.execution.backend import Backend
from tal_search.execution.running import Outcome, Run
from tal_search.execution.worker import Training, TrialFunction
from tal_search.files.disk import DiskWatch
from tal_search.plan.compatibility import settings_of
from tal_search.plan.plan import Plan
from tal_search.proposers.deadline import Deadline
from tal_search.proposers.events import Event, Proposer
from tal_search.proposers.planned import Planned, Want
from tal_search.record import storage as stored
from tal_search.record.description import about, objective_names
from tal_search.record.distributions import distribution_of
from tal_search.record.driver_lock import claimed, claimed_in_database
from tal_search.record.record import Record
from tal_search.study import ResourceSettings, Study
from tal_search.tracking.tracker import NoTracker, Tracker
from tal_search.trial.folder import TrialFolder

GIBIBYTE = 2**30
FLUSH_SECONDS = 2.0  # for a record that is locked when a signal ends the command, which has ten seconds in all
UNWRITTEN = (
    "The record could not be written, so it lacks the newest results. They are in their trials' folders: the same "
    "command takes them from there."
)


def run_study(
    plan: Plan,
    *,
    on_event: Callable[[Event], None] | None = None,
    say: Callable[[str], None] | None = None,
    on_phase: Callable[[str], None] | None = None,
    trial: TrialFunction | None = None,
    train: bool = True,
) -> Outcome:
    """Run what is missing of a plan, until it is done, its budget is spent or a signal asks to end.

    on_event sees every event after the record has it; a cached trial is a `Finished` without a `Started`. say gets
    sentences for the user meanwhile. on_phase hears what takes time before the first trial and after the last, as a
    few words: "reading data". trial: what a worker runs; by default the real training, whose data is checked
    before it. train=False: only inference settings of finished fits are scored.
    Raises InputError, with nothing written: a missing extra, a runs folder that cannot be written, the same study
    running already, a record that cannot be opened or holds other settings, any problem of the data.
    """
    study, phase = plan.study, on_phase or _ignore
    _check_extras(study)
    plan = plan if train else _without_training(plan)
    if trial is None and train and _left_to_train(plan):
        phase("checking data")
        for note in check(plan.dataset, plan.annotators, plan.clicks):
            (say or _ignore)(note)
    phase("opening the record")
    with _opened(plan, say or _ignore) as record:
        record.storage.say = say or _ignore
        if study.tracking.mlflow:
            phase("opening MLflow")
        run = Run(study.runs, record, _tracker(plan), on_event or _ignore)
        interrupted, left = None, 0
        try:
            with DiskWatch(study.runs, say or _ignore):
                run.proposer = Deadline(_proposer(plan, record, run.want), study.budget.minutes)
                resources = _packed(plan, say or _ignore, phase) if train and trial is None else study.resources
                if run.proposer.ended is None:  # else Ray would start for nothing
                    if resources.backend == "ray":
                        phase("starting Ray")
                    _backend(replace(study, resources=resources), trial).run(run.proposer, run.handle)
                phase("saving the record")
                record.storage.flush()
        except KeyboardInterrupt as signal:
            interrupted = signal.exit_code if isinstance(signal, Interrupted) else 130
            left = record.storage.flush(FLUSH_SECONDS)
        finally:
            message = run.tracker.close(interrupted=interrupted is not None)
        ended = run.proposer.ended if run.proposer is not None else None
        messages = [text for text in (UNWRITTEN if left else "", ended, message) if text]
        return replace(run.outcome(interrupted, messages), copied=message is None)


@contextmanager
def _opened(plan: Plan, say: Callable[[str], None]) -> Iterator[Record]:
    """The study's record, held by this driver alone."""
    study = plan.study
    if study.record:  # unreachable: refused before anything is written
        stored.close(stored.open_storage(study.record, study.runs / study.name))
    with claimed(study.runs / study.name) as left:
        where = study.record or study.runs / study.name / "record.db"
        folder, known = study.runs / study.name, about(plan)
        settings, held_out = settings_of(plan), plan.protocol["selection"] == "holdout"
        (value,) = objective_names(["mAP"], plan.protocol["tiou"], held_out=held_out)
        curves = f"{value} by epoch" if held_out else "loss by epoch: no test score is one"
        with Record.open(where, study.name, _distributions(plan), settings, folder, known, (value, curves)) as record:
            if study.record:
                (study.runs / study.name / "record.url").write_text(stored.without_password(study.record))
            with claimed_in_database(record.storage, study.name):
                if left:
                    say(left)
                yield record


def _ignore(_: object) -> None:
    pass


def _without_training(plan: Plan) -> Plan:
    """The same with finished fits alone, and no further repeats."""
    search = plan.study.search
    repeats = replace(search.repeats, until=None)
    study = replace(plan.study, search=replace(search, repeats=repeats))
    return replace(plan.with_finished_fits(), study=study)


def _left_to_train(plan: Plan) -> float:
    """Fits without a result; no end of them where a sampler proposes."""
    if plan.study.search.plan == "sampler":
        return math.inf
    return sum(TrialFolder.of(plan.study.runs, spec.key).result() is None for spec in plan.fits)


def _distributions(plan: Plan) -> dict[str, Any]:
    if plan.study.search.space:
        from tal_search.proposers.optuna_samplers import distributions

        return distributions(plan.study.search.space)
    return {axis: distribution_of([trial.cell[axis] for trial in plan.trials]) for axis in plan.axes}


def _proposer(plan: Plan, record: Record, want: Want) -> Proposer:
    if plan.study.search.plan == "sampler":
        from tal_search.proposers.sampled import Sampled

        return Sampled(plan, record, want)
    return Planned(plan, want)


def _check_extras(study: Study) -> None:
    if study.resources.backend == "ray" and importlib.util.find_spec("ray") is None:
        raise MissingExtra("ray", "ray")
    if study.tracking.mlflow and importlib.util.find_spec("mlflow") is None:
        raise MissingExtra("mlflow", "tracking")


def _packed(plan: Plan, say: Callable[[str], None], phase: Callable[[str], None]) -> ResourceSettings:
    """The study's resources, with a measured number of trials at once where that is wanted."""
    study, resources, left = plan.study, plan.study.resources, _left_to_train(plan)
    if resources.trials_per_device is None or not left:
        return resources
    from tal_search.execution.autotune import best_packing

    phase("measuring how many trials to run at once")
    centre = plan.trial(plan.centre_cell, *plan.repeats[0]).spec
    settings = {
        "device": resources.device, "threads": max(1, int(resources.cpus_per_trial)),
        "shared": str(study.runs.resolve() / "features"),
    }  # fmt: skip
    most = min(len(os.sched_getaffinity(0)) / resources.cpus_per_trial, left)
    found = best_packing(centre, settings, max(1, int(most)))
    say(found.sentence)
    if found.device == "cuda":
        return replace(resources, gpus_per_trial=1 / found.trials)
    return replace(resources, concurrent_trials=found.trials)


def _backend(study: Study, trial: TrialFunction | None) -> Backend:
    resources = study.resources
    memory = None if resources.memory_per_trial is None else int(resources.memory_per_trial * GIBIBYTE)
    trial = trial or Training(
        device=resources.device,
        checkpoint_every_seconds=resources.checkpoint_every_seconds,
        threads=max(1, int(resources.cpus_per_trial)),
        memory_bytes=memory,
        shared=study.runs.resolve() / "features",
    )
    if resources.backend == "inline":
        from tal_search.execution.inline_backend import InlineBackend

        return InlineBackend(runs=study.runs, trial=trial)
    from tal_search.execution.ray_tune import ray_settings

    ray_settings.prepare(study.ray.address)
    from tal_search.execution.ray_tune.ray_backend import STEP_SECONDS, RayBackend

    return RayBackend(
        runs=study.runs,
        trial=trial,
        cpus_per_trial=resources.cpus_per_trial,
        gpus_per_trial=resources.gpus_per_trial,
        concurrent_trials=resources.concurrent_trials,
        memory_bytes=memory,
        retries=resources.retries,
        address=study.ray.address,
        # Nothing stops a planned trial early, and each message costs it some 20 ms.
        step_seconds=STEP_SECONDS if study.search.plan == "sampler" else 1.0,
    )


def _tracker(plan: Plan) -> Tracker:
    study = plan.study
    if not study.tracking.mlflow:
        return NoTracker()
    from tal_search.tracking.mlflow_tracker import mlflow_tracker
    from tal_search.tracking.values import Naming

    return mlflow_tracker(
        study=study.name,
        description=study.description,
        dataset=plan.dataset,
        runs=study.runs,
        uri=study.tracking.uri,
        artifacts=study.tracking.artifacts,
        naming=Naming.of(plan),
        dashboard=study.tracking.dashboard_page,
    )
