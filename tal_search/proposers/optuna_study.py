"""The Optuna study of a sampler's cells, "NAME: cells" of the record, and the copy in memory that the sampler works on.

A sampler reads every earlier cell and draws one dimension after the other. In memory this costs only the sampler's own
arithmetic, and each cell is written to the record whole, in one transaction. Changes go to the copy first, then to the
record, whose writes are queued while it is locked. A driver that is killed between the two has reported nothing that
the record lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Engine

from tal_search.record import optuna_tables
from tal_search.record.retry import Operations
from tal_search.record.storage import id_of_study, name_objectives

Drawn = TypeVar("Drawn")


class CellStudy:
    """One Optuna trial per cell, numbered in the order of proposal."""

    def __init__(
        self,
        storage: RDBStorage,
        operations: Operations,
        name: str,
        objectives: Mapping[str, str],
        sampler: BaseSampler,
        pruner: BasePruner,
        names: list[str] | None = None,
    ) -> None:
        """objectives: direction of each by name; names: those that Optuna's own pages show."""
        directions = [StudyDirection[direction.upper()] for direction in objectives.values()]

        def kept() -> tuple[int, list[FrozenTrial], dict[str, Any]]:
            study_id = id_of_study(storage, name, directions)
            storage.set_study_user_attr(study_id, "objectives", list(objectives))
            if names is not None:
                name_objectives(storage, study_id, names)
            optuna_tables.reopen_failed_trials(storage.engine, study_id)
            return study_id, storage.get_all_trials(study_id, deepcopy=False), storage.get_study_system_attrs(study_id)

        self._engine, self._operations = storage.engine, operations
        self._study_id, trials, self._attributes = operations.retry(kept)
        self._memory = optuna.create_study(study_name=name, directions=directions, sampler=sampler, pruner=pruner)
        self._kept_ids: dict[int, int] = {}  # trial ids in the record, by number, of running trials
        for name, value in self._attributes.items():
            self._memory._storage.set_study_system_attr(self._memory._study_id, name, value)
        for trial in trials:
            self._memory.add_trial(trial)
            if trial.state == TrialState.RUNNING:
                self._kept_ids[trial.number] = trial._trial_id

    def trials(self) -> list[FrozenTrial]:
        return self._memory.get_trials(deepcopy=False)

    def running(self) -> list[optuna.Trial]:
        """Cells that an earlier driver left running, and cells that failed, which each command tries again."""
        return [optuna.Trial(self._memory, self._frozen(number)._trial_id) for number in self._kept_ids]

    def ask(self, draw: Callable[[optuna.Trial], Drawn]) -> tuple[optuna.Trial, Drawn]:
        """The next trial and the result of `draw`, which must draw every dimension."""
        trial = self._memory.ask()
        drawn = draw(trial)
        attributes = self._memory._storage.get_study_system_attrs(self._memory._study_id)
        new = {name: attributes[name] for name in attributes.keys() - self._attributes.keys()}  # NSGA-II's parents
        self._attributes |= new
        self._operations.enqueue(partial(self._keep, self._frozen(trial.number), new))
        return trial, drawn

    def _keep(self, frozen: FrozenTrial, attributes: Mapping[str, object]) -> None:
        add, key = optuna_tables.add_trials, f"cell {frozen.number}"
        written = self._operations.retry(lambda: add(self._engine, self._study_id, [frozen], attributes, key=key))
        trial_id, number = written[0]
        self._kept_ids[number] = trial_id
        assert number == frozen.number, f"cell {frozen.number} became {number}: another driver writes this record"

    def report(self, trial: optuna.Trial, value: float, step: int) -> None:
        """Store an intermediate value of a running trial."""
        trial.report(value, step)
        update = partial(optuna_tables.update_trial, curve={step: value})
        self._operations.enqueue(partial(self._update, trial.number, update))

    def should_prune(self, trial: optuna.Trial) -> bool:
        known = dict(self._frozen(trial.number).system_attrs)
        prune = trial.should_prune()
        for name, value in self._frozen(trial.number).system_attrs.items():  # the rungs a trial has completed
            if name not in known:
                note = partial(optuna_tables.update_trial, system_attributes={name: value})
                self._operations.enqueue(partial(self._update, trial.number, note))
        return prune

    def tell(self, trial: optuna.Trial, values: list[float] | None = None, state: TrialState | None = None) -> None:
        """End a trial: complete with a value per objective, or in another state."""
        frozen = self._memory.tell(trial, values, state)
        self._operations.enqueue(partial(self._end, frozen))

    def _end(self, frozen: FrozenTrial) -> None:
        end = partial(optuna_tables.update_trial, state=frozen.state, values=frozen.values or ())
        self._update(frozen.number, end)
        del self._kept_ids[frozen.number]

    def _update(self, number: int, update: Callable[[Engine, int], None]) -> None:
        """Call `optuna_tables.update_trial` for a running trial."""
        self._operations.retry(partial(update, self._engine, self._kept_ids[number]))

    def _frozen(self, number: int) -> FrozenTrial:
        return self.trials()[number]
