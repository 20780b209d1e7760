"""The proposer of studies with an Optuna sampler: each proposed cell runs over all repeats, unless results are known.

The sampler sees the Optuna study "NAME: cells" of the record: one Optuna trial per cell, whose values are the mean of
each objective over its repeats. Its intermediate values are held-out mAP by epoch of the first repeat (the same seed,
annotator and, of folds, the first fold in every cell, so that the pruner compares like with like), or by repeat for a
pruner over repeats. A cell that is pruned leaves out what is left of all its repeats and folds.
Cells that a killed driver left running, or that failed, are continued with their parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import optuna
from optuna.trial import BaseTrial, TrialState

from tal_search.plan.cells import Trial, fits
from tal_search.plan.plan import Plan
from tal_search.proposers.events import WAIT, Event, Failed, Finished, Pruned, Reported, Wait
from tal_search.proposers.objectives import observe, of_repeats, values
from tal_search.proposers.optuna_samplers import NumberedSampler, count_cells, draw, pruner_for
from tal_search.proposers.optuna_study import CellStudy
from tal_search.proposers.planned import Want
from tal_search.record.description import objective_names
from tal_search.record.record import Record, held_out_mAP
from tal_search.study.samplers import OVER_REPEATS
from tal_search.trial.trial_types import TrialResult, TrialSpec

MOST_REPETITIONS = 50  # known cells in a row after which the study ends
MOST_COUNTED = 10_000  # a space with more cells is never taken for exhausted


@dataclass
class _Cell:
    """A proposed cell that is running. steps: of its intermediate values; stopping: the state it ends in, if early."""

    trial: optuna.Trial
    trials: list[Trial]
    steps: set[int]
    results: dict[str, TrialResult] = field(default_factory=dict)
    stopping: TrialState | None = None

    @property
    def missing(self) -> list[Trial]:
        return [trial for trial in self.trials if trial.id not in self.results]

    def wants(self, key: str) -> bool:
        """Whether one of its trials uses this fit."""
        return any(trial.spec.key == key for trial in self.trials)


class Sampled:
    """See `Proposer`. want: adds trials to the study; returns the results that are known already, by id."""

    def __init__(self, plan: Plan, record: Record, want: Want) -> None:
        search, epochs = plan.study.search, plan.reference.trained.epochs
        assert epochs is not None, "every fit has a number of epochs"
        self._plan, self._want, self._search = plan, want, search
        self._study = CellStudy(
            record.storage,
            record.operations,
            f"{record.study}: cells",
            search.objectives,
            NumberedSampler(search.sampler, search.space),
            pruner_for(search.pruner, epochs=epochs, evaluate_every=plan.protocol["evaluate_every"]),
            objective_names(search.objectives, plan.protocol["tiou"], held_out=True),
        )
        self._cells: dict[int, _Cell] = {}
        self._running: set[str] = set()  # keys of running fits
        self._lost: dict[str, TrialSpec] = {}  # fits of complete cells, by key, whose files are damaged
        # Fits that failed in this run or were ever stopped early; no cell runs them again.
        self._ended = {name.partition("-")[0]: TrialState.PRUNED for name in record.pruned()}
        self._seen: set[str] = set()  # the first trial of every cell
        self._repetitions = 0
        self._cells_in_all = count_cells(search.space, plan.centre_cell, MOST_COUNTED)
        self._proposed = len(self._study.trials())
        self._resume()

    def ask(self) -> TrialSpec | Wait | None:
        for key, lost in self._lost.items():
            if key not in self._running:
                self._running.add(key)
                return lost
        while (spec := self._next()) is None:
            if not self._may_propose():
                return WAIT if self._cells else None
            if self._repetitions and self._proposed - 1 in self._cells:
                return WAIT  # the last proposal repeats a running cell; its result may lead to another
            self._proposed += 1
            self._begin(*self._study.ask(self._trials), set())
        self._running.add(spec.key)
        return spec

    @property
    def ended(self) -> str | None:
        if self._cells or self._lost or self._may_propose():
            return None
        if self._exhausted:
            return (
                f"The space holds {self._cells_in_all} cells, and all are known, so the study ends; widen search.space."
            )
        if self._repetitions < MOST_REPETITIONS:
            return ""
        return (
            f"The sampler's last {MOST_REPETITIONS} cells were known already, so the study ends: search.space has "
            "nothing new for it. Widen search.space, or give another sampler or search.sampler.seed."
        )

    def stops(self, spec: TrialSpec) -> bool:
        """Whether every cell that uses the fit stops."""
        return spec.key not in self._lost and all(
            cell.stopping is not None for cell in self._cells.values() if cell.wants(spec.key)
        )

    def tell(self, event: Event) -> None:
        """Update the cells that use the event's fit."""
        key = event.spec.key
        if isinstance(event, Failed):
            self._ended[key] = TrialState.FAIL
        elif isinstance(event, Pruned) and self.stops(event.spec):  # else it is paused
            self._ended[key] = TrialState.PRUNED
        if isinstance(event, Finished | Failed | Pruned):
            self._running.discard(key)
            self._lost.pop(key, None)
        for cell in [cell for cell in self._cells.values() if cell.wants(key)]:
            if isinstance(event, Reported) and cell.trials[0].spec.key == key:
                self._watch_epoch(cell, event)
            elif isinstance(event, Failed):
                cell.stopping = TrialState.FAIL
            self._end_if_over(cell)

    def answered(self, trial: Trial, result: TrialResult) -> None:
        """Add a result to the cells that wait for it."""
        for cell in [cell for cell in self._cells.values() if trial.id in {wanted.id for wanted in cell.trials}]:
            if trial.id not in cell.results:
                self._add(cell, trial, result)
            self._end_if_over(cell)

    def _resume(self) -> None:
        """Add complete cells of earlier runs to the study's results, and continue those that were running."""
        earlier = self._study.trials()
        for frozen in earlier:
            if frozen.state != TrialState.RUNNING:
                self._seen.add(self._trials(frozen)[0].id)
        complete = [frozen for frozen in earlier if frozen.state == TrialState.COMPLETE]
        trials = [trial for frozen in complete for trial in self._trials(frozen)]
        known = self._want(trials)
        self._lost = {spec.key: spec for spec in fits(trial for trial in trials if trial.id not in known)}
        for trial in self._study.running():
            self._begin(trial, self._trials(trial), set(earlier[trial.number].intermediate_values))

    def _trials(self, trial: BaseTrial) -> list[Trial]:
        cell = draw(trial, self._search.space, self._plan.centre_cell)
        return self._plan.trials_of(cell)

    def _begin(self, trial: optuna.Trial, trials: list[Trial], steps: set[int]) -> None:
        """Run a proposed cell. Known results are added at once, so that a duplicate costs nothing."""
        self._repetitions = self._repetitions + 1 if trials[0].id in self._seen else 0
        self._seen.add(trials[0].id)
        self._cells[trial.number] = cell = _Cell(trial, trials, steps)
        known = self._want(trials)
        for wanted in trials:
            if wanted.id in known:
                self._add(cell, wanted, known[wanted.id])
        for wanted in cell.missing:
            cell.stopping = cell.stopping or self._ended.get(wanted.spec.key)
        self._end_if_over(cell)

    def _next(self) -> TrialSpec | None:
        for cell in self._cells.values():
            for trial in cell.missing if cell.stopping is None else []:
                if trial.spec.key not in self._running:
                    alike = [t for c in self._cells.values() for t in c.missing if t.spec.key == trial.spec.key]
                    return fits(alike)[0]
        return None

    def _may_propose(self) -> bool:
        limit = self._plan.study.budget.trials
        within = limit is None or (self._proposed + 1) * self._plan.trials_per_cell <= limit
        return within and not self._exhausted and self._repetitions < MOST_REPETITIONS

    @property
    def _exhausted(self) -> bool:
        return len(self._seen) == self._cells_in_all

    def _watch_epoch(self, cell: _Cell, event: Reported) -> None:
        """Report an epoch. A single repeat is not pruned after its last epoch, which would save nothing."""
        value, report = held_out_mAP(cell.trials[0], event.report), event.report
        if value is not None and self._search.pruner.name not in OVER_REPEATS:
            left = len(cell.missing) > 1 or report.epoch < report.epochs
            self._watch(cell, value, report.epoch, left=left)

    def _add(self, cell: _Cell, trial: Trial, result: TrialResult) -> None:
        cell.results[trial.id] = result
        if self._search.pruner.name in OVER_REPEATS:
            step = [wanted.id for wanted in cell.trials].index(trial.id)
            self._watch(cell, observe(trial, result).mAP, step, left=bool(cell.missing))

    def _watch(self, cell: _Cell, value: float, step: int, *, left: bool) -> None:
        """Report an intermediate value, once also after a kill; prune if anything is left to run."""
        if len(self._search.objectives) > 1:
            return
        if step not in cell.steps:
            cell.steps.add(step)
            self._study.report(cell.trial, value, step)
        if left and cell.stopping is None and self._study.should_prune(cell.trial):
            cell.stopping = TrialState.PRUNED

    def _end_if_over(self, cell: _Cell) -> None:
        """Tell Optuna the result once no trial of the cell is running or left to run."""
        if cell.trial.number not in self._cells:
            return
        missing = cell.missing
        if not missing and cell.stopping is None:
            self._study.tell(cell.trial, values(self._search.objectives, of_repeats(cell.trials, cell.results)))
        elif cell.stopping is not None and not any(trial.spec.key in self._running for trial in missing):
            self._study.tell(cell.trial, state=cell.stopping)
        else:
            return
        del self._cells[cell.trial.number]
