"""The record of a study: an Optuna storage that holds each trial once, and the truth about what ran.

One Optuna trial per key and attempt. Its value is `objective`, to maximise; its parameters are the cell; its user
attributes are `key`, `cell`, `annotator`, `seed`, `dataset`, `attempt`, `epoch`, and, once finished, `mAP` by
tIoU, `selected_epoch`, `best_on_test_leaky` (the number released codes report), `seconds`, `cached`, `mlflow_run` and
`result` (the whole `TrialResult`). The driver is its only writer.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from tal_search.errors import InputError
from tal_search.search.distributions import choice, distribution_of, widened
from tal_search.types import EpochReport, TrialResult, TrialSpec

OBJECTIVE_TIOU = 0.5
HOLDOUT = (f"holdout/mAP/{OBJECTIVE_TIOU:g}", "holdout/mAP/average")
EPOCH_EVERY_SECONDS = 1.0


@dataclass
class _Entry:
    """The newest Optuna trial of a key."""

    trial_id: int
    number: int
    state: TrialState
    attempt: int
    result: dict[str, Any] | None
    reason: str
    epoch_written: float = 0.0


class Record:
    """Opened by `Record.open`; closed by `close` or by leaving a `with` block."""

    def __init__(self, storage: RDBStorage, study_id: int, distributions: dict[str, BaseDistribution]) -> None:
        self._storage, self._study_id, self._distributions = storage, study_id, distributions
        self._entries: dict[str, _Entry] = {}
        for trial in storage.get_all_trials(study_id, deepcopy=False):  # by number: the newest attempt wins
            self._entries[trial.user_attrs["key"]] = _entry(trial)

    @classmethod
    def open(cls, where: Path | str, study: str, axes: Mapping[str, Sequence[Any]]) -> Record:
        """Open or create the record of `study` at `where`, a file or an SQLAlchemy URL.

        axes: every value each axis takes in the trials to come. Raises InputError where the file is no record, or
        holds an axis with another kind of value.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        storage = _storage(where)
        names = {frozen.study_name: frozen._study_id for frozen in storage.get_all_studies()}
        study_id = names.get(study)
        if study_id is None:
            study_id = storage.create_new_study([StudyDirection.MAXIMIZE], study)
        try:
            distributions = _agree(storage, study_id, {name: distribution_of(axes[name]) for name in axes})
        except InputError as error:
            _close(storage)
            raise InputError(f"{where}: {error}") from error
        return cls(storage, study_id, distributions)

    def start(self, spec: TrialSpec) -> int:
        """The number of this key's trial: a new one, or the one a killed driver left running."""
        entry = self._entries.get(spec.key)
        if entry is None or entry.state == TrialState.FAIL:
            entry = self._create(spec, {}, attempt=1 if entry is None else entry.attempt + 1)
        return entry.number

    def report(self, spec: TrialSpec, report: EpochReport) -> None:
        """Note the epoch, and mAP on held-out training videos where there is one; never a test score."""
        entry = self._entries[spec.key]
        assert entry.state == TrialState.RUNNING, f"trial {entry.number} is {entry.state.name}"
        held_out = [report.scores[name] for name in HOLDOUT if name in report.scores]
        if held_out:
            self._storage.set_trial_intermediate_value(entry.trial_id, report.epoch, held_out[0])
        if time.monotonic() - entry.epoch_written >= EPOCH_EVERY_SECONDS or report.epoch == report.epochs:
            self._storage.set_trial_user_attr(entry.trial_id, "epoch", report.epoch)
            entry.epoch_written = time.monotonic()

    def finish(self, spec: TrialSpec, result: TrialResult, *, cached: bool, mlflow_run: str | None = None) -> None:
        """The trial is complete. cached: its result was there already, trained earlier or by another study."""
        entry = self._entries.get(spec.key)
        if entry is not None and entry.state == TrialState.COMPLETE:
            return
        attributes = _result_attributes(result, cached, mlflow_run)
        if entry is None or entry.state == TrialState.FAIL:
            attempt = 1 if entry is None else entry.attempt + 1
            self._create(spec, attributes, attempt=attempt, result=result)
            return
        for name, value in attributes.items():
            self._storage.set_trial_user_attr(entry.trial_id, name, value)
        # The state comes last: a crash before it leaves a running trial, which the next driver takes up.
        self._storage.set_trial_state_values(entry.trial_id, TrialState.COMPLETE, [objective(result)])
        entry.state, entry.result = TrialState.COMPLETE, result.to_json()

    def fail(self, spec: TrialSpec, reason: str) -> None:
        """The trial ended with an error; the next `start` of this key is a new attempt."""
        entry = self._entries[spec.key]
        self._storage.set_trial_user_attr(entry.trial_id, "reason", reason)
        self._storage.set_trial_state_values(entry.trial_id, TrialState.FAIL)
        entry.state, entry.reason = TrialState.FAIL, reason

    def finished(self) -> dict[str, TrialResult]:
        """Results by key."""
        return {
            key: TrialResult.from_json(entry.result)
            for key, entry in self._entries.items()
            if entry.state == TrialState.COMPLETE and entry.result is not None
        }

    def failed(self) -> dict[str, str]:
        """Reasons by key, of the keys whose last attempt failed."""
        return {key: entry.reason for key, entry in self._entries.items() if entry.state == TrialState.FAIL}

    def running(self) -> dict[str, int]:
        """Trial numbers by key, of trials started and not ended (by this driver, or by one that was killed)."""
        return {key: entry.number for key, entry in self._entries.items() if entry.state == TrialState.RUNNING}

    def close(self) -> None:
        _close(self._storage)

    def __enter__(self) -> Record:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _create(
        self, spec: TrialSpec, attributes: dict[str, Any], *, attempt: int, result: TrialResult | None = None
    ) -> _Entry:
        """One transaction: a running trial, or a complete one where there is a result."""
        template = create_trial(
            state=TrialState.RUNNING if result is None else TrialState.COMPLETE,
            values=None if result is None else [objective(result)],
            params={name: choice(value) for name, value in spec.cell.items()},
            distributions={name: self._distributions[name] for name in spec.cell},
            user_attrs={**_spec_attributes(spec), "attempt": attempt, **attributes},
        )
        trial_id = self._storage.create_new_trial(self._study_id, template_trial=template)
        self._entries[spec.key] = entry = _entry(self._storage.get_trial(trial_id))
        return entry


def objective(result: TrialResult) -> float:
    """mAP at tIoU 0.5, or the average over the study's thresholds where 0.5 is none of them."""
    return result.at(OBJECTIVE_TIOU) if OBJECTIVE_TIOU in result.tiou else sum(result.mAP) / len(result.mAP)


def _entry(trial: FrozenTrial) -> _Entry:
    attributes = trial.user_attrs
    return _Entry(
        trial_id=trial._trial_id,
        number=trial.number,
        state=trial.state,
        attempt=attributes.get("attempt", 1),
        result=attributes.get("result"),
        reason=attributes.get("reason", ""),
    )


def _spec_attributes(spec: TrialSpec) -> dict[str, Any]:
    return {
        "key": spec.key,
        "cell": spec.cell,
        "annotator": spec.annotator,
        "seed": spec.seed,
        "method": spec.method,
        "dataset": spec.dataset.source,
    }


def _result_attributes(result: TrialResult, cached: bool, mlflow_run: str | None) -> dict[str, Any]:
    return {
        "mAP": {f"{tiou:g}": value for tiou, value in zip(result.tiou, result.mAP, strict=True)},
        "selected_epoch": result.selected_epoch,
        "holdout_mAP": result.holdout_mAP,
        "best_on_test_leaky": {"epoch": result.best_on_test_epoch, "mAP": result.best_on_test_mAP},
        "seconds": result.seconds,
        "cached": cached,
        "mlflow_run": mlflow_run,
        "result": result.to_json(),
    }


def _storage(where: Path | str) -> RDBStorage:
    if isinstance(where, str) and "://" in where:
        return RDBStorage(where)
    path = Path(where).resolve()
    try:
        # Before Optuna opens it: readers (dashboards) then never block the driver, nor it them.
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        return RDBStorage(f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": 60}})
    except (sqlite3.Error, sqlalchemy.exc.SQLAlchemyError) as error:
        raise InputError(f"{path} cannot be opened as a record: {str(error).splitlines()[0]}; move it away") from error


def _close(storage: RDBStorage) -> None:
    storage.remove_session()
    storage.engine.dispose()


def _agree(storage: RDBStorage, study_id: int, wanted: dict[str, BaseDistribution]) -> dict[str, BaseDistribution]:
    """One distribution per axis for old and new trials alike, which Optuna's importances ask for.

    A study whose axis gained values widens the old trials' distributions too, in one transaction.
    """
    stored = [trial.distributions for trial in storage.get_all_trials(study_id, deepcopy=False)]
    agreed = dict(wanted)
    for name in {name for distributions in stored for name in distributions}:
        found = [distributions[name] for distributions in stored if name in distributions]
        for distribution in found:
            try:
                agreed[name] = widened(distribution, agreed.get(name, distribution))
            except ValueError as error:
                raise InputError(
                    f"axis {name} has numbers in some trials and other values in others; "
                    "give the study another name or move its folder away"
                ) from error
        if any(distribution != agreed[name] for distribution in found):
            _rewrite(storage, study_id, name, agreed[name])
    return agreed


def _rewrite(storage: RDBStorage, study_id: int, name: str, distribution: BaseDistribution) -> None:
    """Optuna fixes a distribution when it stores a value; a number's stored form does not depend on its bounds."""
    statement = sqlalchemy.text(
        "UPDATE trial_params SET distribution_json = :json WHERE param_name = :name "
        "AND trial_id IN (SELECT trial_id FROM trials WHERE study_id = :study)"
    )
    with storage.engine.begin() as connection:
        connection.execute(statement, {"json": distribution_to_json(distribution), "name": name, "study": study_id})
