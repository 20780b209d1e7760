"""Runs a study: reuses known results and trains the rest until all is done, the budget is spent or a signal arrives.

To resume after an interrupt or a crash, run the same command again: finished trials are read from their folders, and
unfinished ones continue from their last checkpoints.
"""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from optuna.distributions import BaseDistribution

from tal_search.data.find import check
from tal_search.errors import Interrupted, MissingExtra
from tal_search.execution.backend import Backend
from tal_search.execution.running import Outcome, Run
from tal_search.execution.worker import Training, TrialFunction
from tal_search.files.disk import DiskWatch
from tal_search.plan.compatibility import fixed_settings
from tal_search.plan.plan import Plan
from tal_search.proposers.deadline import Deadline
from tal_search.proposers.events import Event, Proposer
from tal_search.proposers.planned import Planned, Want
from tal_search.record import storage as stored
from tal_search.record.description import objective_names, study_metadata
from tal_search.record.distributions import distribution_of
from tal_search.record.driver_lock import lock_study, lock_study_in_database
from tal_search.record.record import Record
from tal_search.study import ResourceSettings, Study
from tal_search.tracking.tracker import NoTracker, Tracker
from tal_search.trial.folder import TrialFolder

GIBIBYTE = 2**30
FLUSH_SECONDS = 2.0  # to write to a locked record after a signal; an interrupted command has ten seconds in all
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
    """Run the missing trials of a plan, until all are done, its budget is spent or a signal asks to end.

    on_event: gets each event once it is in the record; a cached trial is a `Finished` without a `Started`. say: gets
    sentences for the user. on_phase: gets a few words ("reading data") for each slow part before and after the trials.
    trial: runs in a worker; by default the training, whose data are checked first. train=False: only score inference
    settings of finished fits.
    Raises InputError before anything is written if an extra is missing, the runs folder cannot be written, the study is
    already running, the record cannot be opened or holds other settings, or the data has problems.
    """
    phase, say = on_phase or _ignore, say or _ignore
    _check_extras(plan.study)
    plan = plan if train else _without_training(plan)
    if trial is None and train:
        _check_data(plan, say, phase)
    with _opened(plan, say, phase) as record:
        run = Run(plan.study.runs, record, _tracker(plan, phase), on_event or _ignore)
        proposer, interrupted, left = None, None, 0
        try:
            with DiskWatch(plan.study.runs, say):
                proposer = Deadline(_proposer(plan, record, run.want), plan.study.budget.minutes)
                if proposer.ended is None:  # else Ray would start for nothing
                    resources = _packed(plan, say, phase) if train and trial is None else plan.study.resources
                    _run_trials(replace(plan.study, resources=resources), trial, run, proposer, phase)
                phase("saving the record")
                record.storage.flush()
        except KeyboardInterrupt as signal:
            interrupted = signal.exit_code if isinstance(signal, Interrupted) else 130
            left = record.storage.flush(FLUSH_SECONDS)
        finally:
            message = run.tracker.close(interrupted=interrupted is not None)
        return _outcome(run, proposer, interrupted, UNWRITTEN if left else None, message)


def _outcome(
    run: Run, proposer: Deadline | None, interrupted: int | None, unwritten: str | None, not_copied: str | None
) -> Outcome:
    messages = [text for text in (unwritten, proposer and proposer.ended, not_copied) if text]
    over = proposer is not None and proposer.over
    return run.outcome(interrupted, messages, out_of_time=over, copied=not_copied is None)


def _check_data(plan: Plan, say: Callable[[str], None], phase: Callable[[str], None]) -> None:
    """Check the data of a plan that has trials left to train; raises InputError with every problem."""
    if _left_to_train(plan):
        phase("checking data")
        for note in check(plan.dataset, plan.annotators, plan.clicks):
            say(note)


def _run_trials(
    study: Study, trial: TrialFunction | None, run: Run, proposer: Deadline, phase: Callable[[str], None]
) -> None:
    if study.resources.backend == "ray":
        phase("starting Ray")
    _backend(study, trial).run(proposer, partial(run.handle, proposer))


@contextmanager
def _opened(plan: Plan, say: Callable[[str], None], phase: Callable[[str], None]) -> Iterator[Record]:
    """The study's record, locked by this driver."""
    phase("opening the record")
    study = plan.study
    if study.record:  # fail before anything is written if it cannot be reached
        stored.close(stored.open_storage(study.record, study.runs / study.name))
    with lock_study(study.runs / study.name) as left:
        where = study.record or study.runs / study.name / "record.db"
        folder, known = study.runs / study.name, study_metadata(plan)
        settings, held_out = fixed_settings(plan), plan.protocol["selection"] == "holdout"
        (value,) = objective_names(["mAP"], plan.protocol["tiou"], held_out=held_out)
        curves = f"{value} by epoch" if held_out else "loss by epoch: no test score is one"
        with Record.open(
            where, study.name, _distributions(plan), settings, folder, known, (value, curves), say=say
        ) as record:
            if study.record:
                (study.runs / study.name / "record.url").write_text(stored.without_password(study.record))
            with lock_study_in_database(record.storage, study.name):
                if left:
                    say(left)
                yield record


def _ignore(_: object) -> None:
    pass


def _without_training(plan: Plan) -> Plan:
    """The plan reduced to finished fits, without adaptive repeats."""
    search = plan.study.search
    repeats = replace(search.repeats, until=None)
    study = replace(plan.study, search=replace(search, repeats=repeats))
    return replace(plan.with_finished_fits(), study=study)


def _left_to_train(plan: Plan) -> float:
    """The number of fits without a result; infinite for a sampler."""
    if plan.study.search.plan == "sampler":
        return math.inf
    return sum(TrialFolder.of(plan.study.runs, spec.key).result() is None for spec in plan.fits)


def _distributions(plan: Plan) -> dict[str, BaseDistribution]:
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
    """The study's resources, with a measured number of trials at once for `trials_per_device: auto`."""
    study, resources, left = plan.study, plan.study.resources, _left_to_train(plan)
    if resources.trials_per_device is None or not left:
        return resources
    from tal_search.execution import autotune

    phase("measuring how many trials to run at once")
    centre = plan.trial(plan.centre_cell, *plan.repeats[0]).spec
    settings = {
        "device": resources.device, "threads": max(1, int(resources.cpus_per_trial)),
        "shared": str(study.runs.resolve() / "features"),
    }  # fmt: skip
    most = min(len(os.sched_getaffinity(0)) / resources.cpus_per_trial, left)
    packing = autotune.best_packing(centre, settings, max(1, int(most)), autotune.ROUND_SECONDS)
    say(packing.sentence)
    if packing.device == "cuda":
        return replace(resources, gpus_per_trial=1 / packing.trials)
    return replace(resources, concurrent_trials=packing.trials)


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
        # Nothing stops a planned trial early, and each message costs it about 20 ms.
        step_seconds=STEP_SECONDS if study.search.plan == "sampler" else 1.0,
    )


def _tracker(plan: Plan, phase: Callable[[str], None]) -> Tracker:
    if not plan.study.tracking.mlflow:
        return NoTracker()
    phase("opening MLflow")
    from tal_search.tracking.mlflow_tracker import mlflow_tracker

    return mlflow_tracker(plan)
