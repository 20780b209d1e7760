"""Which cells need another repeat: those whose paired difference to the centre is not known well enough. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from statistics import fmean
from typing import Any

from tal_search.plan.cells import Trial
from tal_search.plan.plan import Plan
from tal_search.results.statistics import interval
from tal_search.trial.trial_types import TrialResult, objective

Repeat = tuple[int, str]


def undecided(plan: Plan, trials: Iterable[Trial], results: Mapping[str, TrialResult]) -> list[Trial]:
    """The next trials of cells whose interval is wider than wanted: one repeat more, paired with the centre's.

    The width alone decides, never the sign of a difference: stopping where an interval happens to exclude zero would
    make false verdicts more likely. A repeat that failed counts as tried. Empty without `repeats.until`.
    """
    until = plan.study.search.repeats.until
    if until is None:
        return []
    by_cell: dict[tuple[Any, ...], dict[Repeat, Trial]] = {}
    for trial in trials:
        by_cell.setdefault(_key(trial.cell), {})[trial.repeat] = trial
    centre = by_cell.get(_key(plan.centre_cell), {})
    begun = [trial for trial in plan.trials_of(plan.centre_cell) if trial.repeat not in centre]
    wanted = {trial.id: trial for trial in begun}  # a grid need not hold the centre
    for tried in by_cell.values():
        cell = next(iter(tried.values())).cell
        mine, others = alike(_objectives(tried, results), _objectives(centre, results))
        differences = [value - others[repeat] for repeat, value in mine.items() if repeat in others]
        found = interval(differences)
        if cell == plan.centre_cell or len(tried) >= until.at_most or found.high - found.low <= until.interval:
            continue
        repeat = next(repeat for repeat in _repeats(plan) if plan.trial(cell, *repeat).repeat not in tried)
        for trial in (plan.trial(plan.centre_cell, *repeat), plan.trial(cell, *repeat)):
            wanted[trial.id] = trial
    return list(wanted.values())


def alike(
    cell: Mapping[Repeat, float], centre: Mapping[Repeat, float]
) -> tuple[Mapping[Repeat, float], Mapping[Repeat, float]]:
    """Both by repeats that can be paired: as they are, or by seed, annotators averaged, where they share no annotator.

    A cell that reads no clicks has no annotators.
    """
    if {annotator for _, annotator in cell} & {annotator for _, annotator in centre}:
        return cell, centre
    return _by_seed(cell), _by_seed(centre)


def _by_seed(values: Mapping[Repeat, float]) -> dict[Repeat, float]:
    seeds: dict[int, list[float]] = {}
    for (seed, _), value in values.items():
        seeds.setdefault(seed, []).append(value)
    return {(seed, ""): fmean(found) for seed, found in seeds.items()}


def _objectives(tried: Mapping[Repeat, Trial], results: Mapping[str, TrialResult]) -> dict[Repeat, float]:
    """Points of mAP by repeat, as far as there are results."""
    return {r: 100 * objective(results[trial.id]) for r, trial in tried.items() if trial.id in results}


def _repeats(plan: Plan) -> Iterator[Repeat]:
    """The study's own repeats, then further seeds from the next whole number on, each with every annotator."""
    yield from plan.repeats
    for seed in itertools.count(max(plan.study.search.repeats.seeds) + 1):
        for annotator in plan.annotators:
            yield seed, annotator


def _key(cell: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(sorted(cell.items()))
