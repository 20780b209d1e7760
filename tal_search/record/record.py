"""The record of a study: the Optuna study that holds its trials and their results. The driver is the only writer.

Optuna study NAME: one Optuna trial per trial (cell × repeat) and attempt. Its parameters are the cell; its value is mAP
on held-out training videos if there are any, else on the test split; its intermediate values are held-out mAP by
epoch, else the loss, never a test score. Its user attributes are `id`, `key` (of the fit), `cell`, `annotator`, `seed`,
`method`, `dataset`, `code_version`, `annotation_seconds`, `attempt`, `epoch`, and at its end `cached` and `result` (the
whole `TrialResult`, test scores included) or `reason`. If a sampler proposes the cells, a second Optuna study,
"NAME: cells", holds what the sampler sees (`proposers/optuna_study.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from tal_search.errors import InputError
from tal_search.plan.cells import Trial
from tal_search.record import storage as stored
from tal_search.record.distributions import choice
from tal_search.record.retry import RetryingStorage
from tal_search.trial.trial_types import EpochReport, TrialResult, objective
from tal_search.types import criterion

EPOCH_EVERY_SECONDS = 1.0


@dataclass(slots=True)
class _Entry:
    """The newest Optuna trial of a trial."""

    trial_id: int
    number: int
    state: TrialState
    attempt: int
    epoch_written: float = 0.0
    curve: dict[int, float] = field(default_factory=dict)  # intermediate values that are not written yet


class Record:
    """Opened by `Record.open`; closed by `close` or by leaving a `with` block."""

    def __init__(
        self, storage: RetryingStorage, study: str, study_id: int, distributions: Mapping[str, BaseDistribution]
    ) -> None:
        self.storage, self.study = storage, study
        self._study_id, self._distributions = study_id, distributions
        self._entries: dict[str, _Entry] = {}
        self._loaded: dict[str, TrialResult] = {}
        for row in stored.rows(storage, study_id):  # by number: the newest attempt wins
            name = row.attributes["id"]
            self._entries[name] = _Entry(row.trial_id, row.number, row.state, row.attributes.get("attempt", 1))
            if row.state == TrialState.COMPLETE:
                self._loaded[name] = TrialResult.from_json(row.attributes["result"])

    @classmethod
    def open(
        cls,
        where: Path | str,
        study: str,
        distributions: Mapping[str, BaseDistribution],
        settings: Mapping[str, object] | None = None,
        folder: Path | None = None,
        about: Mapping[str, object] | None = None,
        objective: tuple[str, str] | None = None,
        *,
        say: Callable[[str], None] | None = None,
    ) -> Record:
        """Open or create the record of `study` at `where`, a file or an SQLAlchemy URL.

        distributions: of each axis. settings: those that all trials of the study share, nested dictionaries. folder:
        the study's, by default that of the file. about: metadata for readers, see `description.py`. objective: the
        names under which Optuna's own pages show a trial's value and its intermediate values. say: gets a sentence when
        writes begin to wait for the database, and one when they are done.
        Raises InputError if it cannot be opened, was started with other settings, or has another kind of value for an
        axis.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        storage = stored.open_storage(where, folder or Path(where).parent, say)
        try:
            study_id = stored.id_of_study(storage, study)
            if settings is not None:
                stored.agree_on_settings(storage, study_id, study, settings)
            agreed = stored.agree_on_distributions(storage, study_id, distributions)
            if about is not None:
                storage.set_study_user_attr(study_id, stored.ABOUT, dict(about))
            if objective is not None:
                stored.name_objectives(storage, study_id, [objective[0]])
                storage.set_study_user_attr(study_id, stored.CURVES, objective[1])
            return cls(storage, study, study_id, agreed)
        except InputError as error:
            stored.close(storage)
            raise InputError(f"{stored.shown(where)}: {problem}" for problem in error.problems) from error
        except BaseException:
            stored.close(storage)
            raise

    def start(self, trial: Trial) -> int:
        """Record that the trial is running; returns its number. A trial that a killed driver left running keeps it."""
        entry = self._entries.get(trial.id)
        if entry is None or entry.state in (TrialState.FAIL, TrialState.PRUNED):
            entry = self._create(trial, {}, attempt=1 if entry is None else entry.attempt + 1)
        return entry.number

    def report(self, trial: Trial, report: EpochReport) -> None:
        """Write the epoch and its intermediate value, at most once a second: a transaction costs a millisecond."""
        entry = self._entries[trial.id]
        assert entry.state == TrialState.RUNNING, f"trial {entry.number} is {entry.state.name}"
        value = intermediate_value(trial, report)
        if value is not None:
            entry.curve[report.epoch] = value
        if time.monotonic() - entry.epoch_written >= EPOCH_EVERY_SECONDS or report.epoch == report.epochs:
            self._write_curve(entry)
            self.storage.set_trial_user_attr(entry.trial_id, "epoch", report.epoch)
            entry.epoch_written = time.monotonic()

    def finish(self, trial: Trial, result: TrialResult, *, cached: bool) -> None:
        """Record that the trial is complete. cached: its result was trained earlier, or by another study."""
        entry = self._entries.get(trial.id)
        if entry is not None and entry.state == TrialState.COMPLETE:
            return
        attributes = {"cached": cached, "result": result.to_json()}
        if entry is None or entry.state in (TrialState.FAIL, TrialState.PRUNED):
            self._create(trial, attributes, attempt=1 if entry is None else entry.attempt + 1, result=result)
            return
        self._write_curve(entry)
        for name, value in attributes.items():
            self.storage.set_trial_user_attr(entry.trial_id, name, value)
        # The state is written last: a crash before it leaves a running trial, which the next driver continues.
        self.storage.set_trial_state_values(entry.trial_id, TrialState.COMPLETE, [objective(result)])
        entry.state = TrialState.COMPLETE

    def finish_all(self, results: Sequence[tuple[Trial, TrialResult]], *, cached: bool) -> None:
        """`finish` for many trials; those that were not started are written in one transaction."""
        new = []
        for trial, result in results:
            entry = self._entries.get(trial.id)
            if entry is None or entry.state in (TrialState.FAIL, TrialState.PRUNED):
                new.append((trial, result, 1 if entry is None else entry.attempt + 1))
            else:
                self.finish(trial, result, cached=cached)
        if not new:
            return
        templates = [self._template(t, {"cached": cached, "result": r.to_json()}, n, r) for t, r, n in new]
        written = self.storage.add_trials(self._study_id, templates)
        for (trial, _, attempt), (trial_id, number) in zip(new, written, strict=True):
            self._entries[trial.id] = _Entry(trial_id, number, TrialState.COMPLETE, attempt)

    def fail(self, trial: Trial, reason: str) -> None:
        """Record that the trial ended with an error; the next `start` of it is a new attempt."""
        self._end(trial, TrialState.FAIL, reason)

    def prune(self, trial: Trial, reason: str) -> None:
        """Record that the trial was stopped early; its intermediate values stay."""
        self._end(trial, TrialState.PRUNED, reason)

    def finished(self) -> dict[str, TrialResult]:
        """Results by trial id of the trials that were complete when the record was opened."""
        return self._loaded

    def pruned(self) -> list[str]:
        """Ids of the trials whose last attempt was stopped early."""
        return [name for name, entry in self._entries.items() if entry.state == TrialState.PRUNED]

    def close(self) -> None:
        stored.close(self.storage)

    def __enter__(self) -> Record:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end(self, trial: Trial, state: TrialState, reason: str) -> None:
        entry = self._entries[trial.id]
        self._write_curve(entry)
        self.storage.set_trial_user_attr(entry.trial_id, "reason", reason)
        self.storage.set_trial_state_values(entry.trial_id, state)
        entry.state = state

    def _write_curve(self, entry: _Entry) -> None:
        if entry.curve:
            self.storage.add_intermediate_values(entry.trial_id, entry.curve)
            entry.curve = {}

    def _create(
        self, trial: Trial, attributes: Mapping[str, object], *, attempt: int, result: TrialResult | None = None
    ) -> _Entry:
        """Write a running trial, or a complete one if there is a result, in one transaction."""
        template = self._template(trial, attributes, attempt, result)
        trial_id, number = self.storage.add_trials(self._study_id, [template])[0]
        self._entries[trial.id] = entry = _Entry(trial_id, number, template.state, attempt)
        return entry

    def _template(
        self, trial: Trial, attributes: Mapping[str, object], attempt: int, result: TrialResult | None
    ) -> FrozenTrial:
        drawn = {name: value for name, value in trial.cell.items() if name in self._distributions}
        return create_trial(
            state=TrialState.RUNNING if result is None else TrialState.COMPLETE,
            values=None if result is None else [objective(result)],
            params={name: choice(value) for name, value in drawn.items()},
            distributions={name: self._distributions[name] for name in drawn},
            user_attrs={**_attributes(trial), "attempt": attempt, **attributes},
        )


def intermediate_value(trial: Trial, report: EpochReport) -> float | None:
    """An epoch's value in Optuna's own pages: mAP on held-out videos, or the loss where none are held out."""
    held_out = held_out_mAP(trial, report)
    if held_out is not None or trial.spec.protocol["selection"] == "holdout":
        return held_out
    return report.losses.get("total")


def held_out_mAP(trial: Trial, report: EpochReport) -> float | None:
    """mAP of an epoch on held-out training videos; None where the epoch was not scored on any."""
    return report.scores.get(f"holdout/mAP/{criterion(trial.spec.protocol['tiou'])}")


def _attributes(trial: Trial) -> dict[str, object]:
    spec = trial.spec
    return {
        "id": trial.id, "key": spec.key, "cell": trial.cell, "annotator": spec.annotator, "seed": spec.seed,
        "method": spec.method, "dataset": spec.dataset.source, "code_version": spec.code_version,
        "annotation_seconds": trial.annotation_seconds,
    }  # fmt: skip
