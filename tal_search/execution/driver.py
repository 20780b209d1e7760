"""Runs a study: reuses known results and trains the rest until all is done, the budget is spent or a signal arrives.

To resume after an interrupt or a crash, run the same command again: finished trials are read from their folders, and
unfinished ones continue from their last checkpoints.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial

from optuna.distributions import BaseDistribution

from tal_search.errors import InputError, Interrupted
from tal_search.execution import interrupts
from tal_search.execution.backends import backend_for, require_backend
from tal_search.execution.running import Outcome, Run
from tal_search.execution.worker import TrialFunction
from tal_search.files.atomic import write_atomically
from tal_search.files.disk import DiskWatch, when_there_is_room
from tal_search.plan.compatibility import fixed_settings
from tal_search.plan.data_check import check_data, left_to_train
from tal_search.plan.plan import Plan
from tal_search.proposers.deadline import Deadline
from tal_search.proposers.events import Event, Proposer
from tal_search.proposers.planned import Planned, Want
from tal_search.record import seal
from tal_search.record import storage as stored
from tal_search.record.description import objective_names, study_metadata
from tal_search.record.distributions import distribution_of
from tal_search.record.driver_lock import StudyLock, lock_study
from tal_search.record.record import Record
from tal_search.study import ResourceSettings, Study
from tal_search.text.urls import without_passwords
from tal_search.tracking.tracker import NoTracker, Tracker

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

    on_event: gets each event once it is in the record (of cached trials only `Finished`), `Stalled` in another thread
    if inline; its errors end the run. say: gets sentences for the user. on_phase: gets a few words ("reading data") for
    each slow part. trial: runs in a worker; by default the training, whose data are checked first. train=False: only
    score inference settings of finished fits.
    Raises InputError before anything is written if an extra is missing, the runs folder cannot be written, the study is
    already running, the record cannot be opened or holds other settings, or the data has problems.
    """
    phase, say = on_phase or _ignore, say or _ignore
    require_backend(plan.study, train=train and bool(left_to_train(plan)))
    plan = plan if train else _without_training(plan)
    if trial is None and train:
        _check_data(plan, say, phase)
    with _locked_and_opened(plan, say, phase) as (lock, record):
        run = Run(plan.study.runs, record, _tracker(plan, lock, say, phase), on_event or _ignore, say)
        proposer, interrupted, left = None, None, 0
        try:
            with DiskWatch(plan.study.runs, say):
                proposer = Deadline(_proposer(plan, record, run.want), plan.study.budget.minutes)
                if proposer.ended is None:  # else Ray would start for nothing
                    resources = _packed(plan, say, phase) if train and trial is None else plan.study.resources
                    _run_trials(replace(plan.study, resources=resources), trial, run, proposer, phase)
                phase("saving the record")
                record.operations.flush()
        except KeyboardInterrupt as signal:
            interrupted = signal.exit_code if isinstance(signal, Interrupted) else 130
            left = record.operations.flush(FLUSH_SECONDS)
        finally:
            message = run.tracker.close(interrupted=interrupted is not None or lock.lost)
        return _outcome(run, proposer, interrupted, UNWRITTEN if left else None, message)


def _outcome(
    run: Run, proposer: Deadline | None, interrupted: int | None, unwritten: str | None, not_copied: str | None
) -> Outcome:
    messages = [text for text in (unwritten, proposer and proposer.ended, not_copied) if text]
    over = proposer is not None and proposer.over
    return run.outcome(interrupted, messages, out_of_time=over, copied=not_copied is None)


def _check_data(plan: Plan, say: Callable[[str], None], phase: Callable[[str], None]) -> None:
    """Check the data of the fits that are left to train; raises InputError with every problem."""
    phase("checking data")
    for note in check_data(plan):
        say(note)


def _run_trials(
    study: Study, trial: TrialFunction | None, run: Run, proposer: Deadline, phase: Callable[[str], None]
) -> None:
    if study.resources.backend == "ray":
        phase("starting Ray")
    backend_for(study, trial).run(proposer, partial(run.handle, proposer))


@contextmanager
def _locked_and_opened(
    plan: Plan, say: Callable[[str], None], phase: Callable[[str], None]
) -> Iterator[tuple[StudyLock, Record]]:
    """The study's lock and record, both waited for while the disk is full."""
    folder = plan.study.runs / plan.study.name
    with (
        when_there_is_room(lambda: _locked(plan, say), folder, say) as lock,
        when_there_is_room(lambda: _opened(plan, lock, say, phase), folder, say) as record,
    ):
        yield lock, record


def _locked(plan: Plan, say: Callable[[str], None]) -> AbstractContextManager[StudyLock]:
    """The study, locked by this driver; if the lock is lost, running trials are left and LockLost is raised."""
    study = plan.study
    if study.record:  # fail before anything is written if it cannot be reached
        stored.close(stored.open_storage(study.record))
    on_lost = partial(interrupts.fail, threading.get_ident())
    return lock_study(study.runs / study.name, study.record, say=say, on_lost=on_lost)


@contextmanager
def _opened(plan: Plan, lock: StudyLock, say: Callable[[str], None], phase: Callable[[str], None]) -> Iterator[Record]:
    """The study's record."""
    phase("opening the record")
    study = plan.study
    where = study.record or study.runs / study.name / "record.db"
    folder, known = study.runs / study.name, study_metadata(plan)
    settings, held_out = fixed_settings(plan), plan.protocol["selection"] == "holdout"
    (value,) = objective_names(["mAP"], plan.protocol["tiou"], held_out=held_out)
    curves = f"{value} by epoch" if held_out else "loss by epoch: no test score is one"
    with Record.open(
        where, study.name, _distributions(plan), settings, folder, known, (value, curves), say=say, lock=lock
    ) as record:
        if study.record:
            url = without_passwords(study.record).encode()
            write_atomically(folder / "record.url", lambda stream: stream.write(url))
        with seal.reading(record.file):
            yield record


def _ignore(_: object) -> None:
    pass


def _without_training(plan: Plan) -> Plan:
    """The plan reduced to finished fits, without adaptive repeats. Raises InputError where there are none."""
    search = plan.study.search
    repeats = replace(search.repeats, until=None)
    study = replace(plan.study, search=replace(search, repeats=repeats))
    finished = plan.with_finished_fits()
    if not finished.trials:
        raise InputError(
            f"{study.name} has no finished fit in {study.runs}, so there is nothing to score; train it first with "
            "`tal-search run` and the same settings"
        )
    return replace(finished, study=study)


def _distributions(plan: Plan) -> dict[str, BaseDistribution]:
    if plan.study.search.space:
        from tal_search.proposers.optuna_samplers import distributions

        return distributions(plan.study.search.space)
    return {axis: distribution_of([trial.cell[axis] for trial in plan.trials]) for axis in plan.axes}


def _proposer(plan: Plan, record: Record, want: Want) -> Proposer:
    if plan.study.search.plan == "sampler":
        from tal_search.proposers.sampled import Sampled

        with seal.reading(record.file, sealed=record.sealed):
            return Sampled(plan, record, want)
    return Planned(plan, want)


def _packed(plan: Plan, say: Callable[[str], None], phase: Callable[[str], None]) -> ResourceSettings:
    """The study's resources, with a measured number of trials at once for `trials_per_device: auto`."""
    study, resources, left = plan.study, plan.study.resources, left_to_train(plan)
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


def _tracker(plan: Plan, lock: StudyLock, say: Callable[[str], None], phase: Callable[[str], None]) -> Tracker:
    if not plan.study.tracking.mlflow:
        return NoTracker()
    phase("opening MLflow")
    from tal_search.tracking.mlflow_tracker import mlflow_tracker

    return mlflow_tracker(plan, say, check=lock.check)
