"""The record of a study: the Optuna study that holds its trials and their results. The driver is the only writer.

Optuna study NAME: one Optuna trial per trial (cell × repeat) and attempt. Its parameters are the cell; its value is mAP
on held-out training videos if there are any, else on the test split; its intermediate values are held-out mAP by epoch,
else the loss, never a test score. Its user attributes are `id`, `key` (of the fit), `cell`, `annotator`, `seed`,
`method`, `dataset`, `code_version`, `annotation_seconds`, `annotation_total`, `attempt`, `epoch`, and at its end
`cached` and `result` (the whole `TrialResult`, test scores included) or `reason`. If a sampler proposes the cells, a
second Optuna study, "NAME: cells", holds what the sampler sees (`proposers/optuna_study.py`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from tal_search.plan.cells import Trial
from tal_search.record import optuna_tables, seal
from tal_search.record import storage as stored
from tal_search.record.distributions import choice
from tal_search.record.driver_lock import StudyLock
from tal_search.record.retry import Operations
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
        self, storage: RDBStorage, operations: Operations, study: str, study_id: int,
        distributions: Mapping[str, BaseDistribution], file: Path | None = None, *, sealed: bool = True,
    ) -> None:  # fmt: skip
        self.storage, self.operations, self.study = storage, operations, study
        self._study_id, self._distributions = study_id, distributions
        self._entries: dict[str, _Entry] = {}
        self._loaded: dict[str, TrialResult] = {}
        self._noted: dict[str, Mapping[str, object]] = {}  # of complete trials, if the record has no checksum
        self.file, self.sealed = file, sealed
        names = stored.READ if sealed else (*stored.READ, *seal.NOTED)
        # By number: the newest attempt wins.
        for row in operations.retry(lambda: list(stored.rows(storage, study_id, names))):
            name = row.attributes["id"]
            self._entries[name] = _Entry(row.trial_id, row.number, row.state, row.attributes.get("attempt", 1))
            if not sealed:
                self._noted[name] = seal.noted(row.attributes)
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
        lock: StudyLock | None = None,
    ) -> Record:
        """Open or create the record of `study` at `where`, a file or an SQLAlchemy URL.

        distributions: of each axis. settings: those that all trials of the study share, nested dictionaries. folder:
        the study's, by default that of the file. about: metadata for readers, see `description.py`. objective: the
        names under which Optuna's own pages show a trial's value and its intermediate values. say: gets a sentence when
        writes begin to wait for the database, and one when they are done. lock: of the driver, checked in each
        transaction, which raises LockLost once another driver may run the study.
        Raises InputError if it cannot be opened, was started with other settings, or has another kind of value for an
        axis.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        operations = Operations(folder or Path(where).parent, say, None if lock is None else lock.check)
        record = where if isinstance(where, Path) else None
        with seal.begun(where) as (file, sealed):
            storage = stored.open_storage(where)
            try:
                operations.limit_waits(storage.engine)
                if lock is not None:
                    lock.guard(storage.engine, operations.busy_seconds, record)
                agree = partial(stored.agree, storage, study, distributions, settings, about, objective)
                return cls(storage, operations, study, *operations.retry(agree), record, sealed=sealed)
            except BaseException as error:
                stored.close(storage)
                if explained := seal.explained(error, stored.shown(where), file):
                    raise explained from error
                raise

    def start(self, trial: Trial) -> int:
        """Record that the trial is running; returns its number. A trial that a killed driver left running keeps it.

        Of a trial that has ended, this is another attempt; one that was complete has lost its files.
        """
        entry = self._entries.get(trial.id)
        if entry is None or entry.state != TrialState.RUNNING:
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
            self._update(entry, attributes={"epoch": report.epoch})
            entry.epoch_written = time.monotonic()

    def finish(self, trial: Trial, result: TrialResult, *, cached: bool) -> None:
        """Record that the trial is complete. cached: its result was trained earlier, or by another study."""
        entry = self._entries.get(trial.id)
        if entry is not None and entry.state == TrialState.COMPLETE and not self.differs(trial, result):
            return
        attributes = {"cached": cached, "result": result.to_json()}
        if entry is None or entry.state != TrialState.RUNNING:
            self._create(trial, attributes, attempt=1 if entry is None else entry.attempt + 1, result=result)
            return
        self._update(entry, attributes=attributes, state=TrialState.COMPLETE, values=[objective(result)])

    def finish_all(self, results: Sequence[tuple[Trial, TrialResult]], *, cached: bool) -> None:
        """`finish` for many trials; those that were not started are written in one transaction."""
        new = []
        for trial, result in results:
            entry = self._entries.get(trial.id)
            again = entry is not None and entry.state == TrialState.COMPLETE and self.differs(trial, result)
            if entry is None or again or entry.state in (TrialState.FAIL, TrialState.PRUNED):
                new.append((trial, result, 1 if entry is None else entry.attempt + 1))
            else:
                self.finish(trial, result, cached=cached)
        if not new:
            return
        templates = [self._template(t, {"cached": cached, "result": r.to_json()}, n, r) for t, r, n in new]
        written = self._add(templates)
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

    def differs(self, trial: Trial, result: TrialResult) -> bool:
        """Whether a complete trial has another result, or other settings, than its folder and the plan."""
        other = trial.id in self._noted and seal.differ(self._noted[trial.id], trial)
        return other or self._loaded.get(trial.id, result) != result

    def close(self, error: BaseException | None = None) -> None:
        """error: of the block that used it. A record that was found damaged gets no checksum."""
        stored.close(self.storage)
        if self.file is not None and not seal.is_damage(error, self.file) and self.operations.permitted():
            seal.write(self.file)

    def __enter__(self) -> Record:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self.close(error)

    def _end(self, trial: Trial, state: TrialState, reason: str) -> None:
        entry = self._entries[trial.id]
        self._update(entry, attributes={"reason": reason}, state=state)

    def _update(
        self, entry: _Entry, *, attributes: Mapping[str, object], state: TrialState | None = None,
        values: Sequence[float] = (),
    ) -> None:  # fmt: skip
        """Write these and the intermediate values, in one transaction."""
        write = partial(optuna_tables.update_trial, self.storage.engine, entry.trial_id, curve=entry.curve)
        self.operations.retry(partial(write, attributes=attributes, state=state, values=values))
        entry.curve, entry.state = {}, state or entry.state

    def _add(self, templates: Sequence[FrozenTrial]) -> list[tuple[int, int]]:
        """Add trials in one transaction; (trial id, number) of each. A trial has each attempt once."""
        attempts = [[template.user_attrs[name] for name in ("id", "attempt")] for template in templates]
        key = sha256(json.dumps(attempts).encode()).hexdigest()
        add = partial(optuna_tables.add_trials, self.storage.engine, self._study_id, templates, key=key)
        return self.operations.retry(add)

    def _create(
        self, trial: Trial, attributes: Mapping[str, object], *, attempt: int, result: TrialResult | None = None
    ) -> _Entry:
        """Write a running trial, or a complete one if there is a result, in one transaction."""
        template = self._template(trial, attributes, attempt, result)
        trial_id, number = self._add([template])[0]
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
            user_attrs={**seal.attributes(trial), "attempt": attempt, **attributes},
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
