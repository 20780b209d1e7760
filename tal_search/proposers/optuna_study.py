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
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from tal_search.record.retry import RetryingStorage
from tal_search.record.storage import name_objectives

Drawn = TypeVar("Drawn")


class CellStudy:
    """One Optuna trial per cell, numbered in the order of proposal."""

    def __init__(
        self,
        storage: RetryingStorage,
        name: str,
        objectives: Mapping[str, str],
        sampler: BaseSampler,
        pruner: BasePruner,
        names: list[str] | None = None,
    ) -> None:
        """objectives: direction of each by name; names: those that Optuna's own pages show."""
        directions = [StudyDirection[direction.upper()] for direction in objectives.values()]
        kept = optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)
        kept.set_user_attr("objectives", list(objectives))
        self._storage, self._study_id = storage, kept._study_id
        if names is not None:
            name_objectives(storage, self._study_id, names)
        storage.reopen_failed_trials(self._study_id)
        self._memory = optuna.create_study(study_name=name, directions=directions, sampler=sampler, pruner=pruner)
        self._kept_ids: dict[int, int] = {}  # trial ids in the record, by number, of running trials
        self._attributes = storage.get_study_system_attrs(self._study_id)
        for name, value in self._attributes.items():
            self._memory._storage.set_study_system_attr(self._memory._study_id, name, value)
        for trial in kept.get_trials(deepcopy=False):
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
        self._storage.enqueue(partial(self._keep, self._frozen(trial.number), new))
        return trial, drawn

    def _keep(self, frozen: FrozenTrial, attributes: Mapping[str, object]) -> None:
        trial_id, number = self._storage.add_trials(self._study_id, [frozen], attributes)[0]
        self._kept_ids[number] = trial_id
        assert number == frozen.number, f"cell {frozen.number} became {number}: another driver writes this record"

    def report(self, trial: optuna.Trial, value: float, step: int) -> None:
        """Store an intermediate value of a running trial."""
        trial.report(value, step)
        kept = self._kept_ids
        self._storage.enqueue(lambda: self._storage.set_trial_intermediate_value(kept[trial.number], step, value))

    def should_prune(self, trial: optuna.Trial) -> bool:
        known = dict(self._frozen(trial.number).system_attrs)
        prune = trial.should_prune()
        for name, value in self._frozen(trial.number).system_attrs.items():  # the rungs a trial has completed
            if name not in known:
                self._storage.enqueue(partial(self._note, trial.number, name, value))
        return prune

    def _note(self, number: int, name: str, value: Any) -> None:
        self._storage.set_trial_system_attr(self._kept_ids[number], name, value)

    def tell(self, trial: optuna.Trial, values: list[float] | None = None, state: TrialState | None = None) -> None:
        """End a trial: complete with a value per objective, or in another state."""
        frozen = self._memory.tell(trial, values, state)
        self._storage.enqueue(partial(self._end, frozen))

    def _end(self, frozen: FrozenTrial) -> None:
        self._storage.set_trial_state_values(self._kept_ids[frozen.number], frozen.state, frozen.values)
        del self._kept_ids[frozen.number]

    def _frozen(self, number: int) -> FrozenTrial:
        return self.trials()[number]
