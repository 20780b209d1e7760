"""Adaptive repeats: further repeats of cells whose paired interval is still too wide."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping

from tal_search.plan.cells import Trial
from tal_search.plan.plan import Plan
from tal_search.plan.plan_frame import study_frame
from tal_search.results.cell_table import objective_differences
from tal_search.results.statistics import HIGH, LOW
from tal_search.trial.trial_types import TrialResult

Repeat = tuple[int, str]


def next_repeats(plan: Plan, trials: Iterable[Trial], results: Mapping[str, TrialResult]) -> list[Trial]:
    """One more repeat of each cell whose interval is wider than `repeats.until`, and of the centre to pair it with.

    Only the width counts, never the sign of a difference: stopping as soon as an interval excludes zero would make
    false verdicts more likely. A repeat that failed counts as tried. Empty without `repeats.until`.
    """
    until = plan.study.search.repeats.until
    if until is None:
        return []
    trials = list(trials)
    by_cell: dict[tuple[object, ...], dict[Repeat, Trial]] = {}  # by first trial, as in a table of cells
    for trial in trials:
        by_cell.setdefault(_key(trial.cell), {})[trial.repeat] = trial
    centre = by_cell.get(_key(plan.centre_cell), {})
    begun = [trial for trial in plan.trials_of(plan.centre_cell) if trial.repeat not in centre]  # with all folds
    wanted = {trial.id: trial for trial in begun}
    table = objective_differences(study_frame(plan, trials, results))
    for tried, width in zip(by_cell.values(), table["delta" + HIGH] - table["delta" + LOW], strict=True):
        cell = next(iter(tried.values())).cell
        if cell == plan.centre_cell or len(tried) >= until.at_most or width <= until.interval:
            continue
        repeat = next(repeat for repeat in _repeats(plan) if plan.trial(cell, *repeat).repeat not in tried)
        for trial in (*plan.trials_at(plan.centre_cell, [repeat]), *plan.trials_at(cell, [repeat])):
            wanted[trial.id] = trial
    return list(wanted.values())


def _repeats(plan: Plan) -> Iterator[Repeat]:
    """The study's repeats, then further seeds from the next whole number on, each with every annotator."""
    yield from plan.repeats
    for seed in itertools.count(max(plan.study.search.repeats.seeds) + 1):
        for annotator in plan.annotators:
            yield seed, annotator


def _key(cell: Mapping[str, object]) -> tuple[object, ...]:
    return tuple(sorted(cell.items()))
