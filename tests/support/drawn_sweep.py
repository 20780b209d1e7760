"""A made-up sweep of four axes, as the command line left it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tal_search.results.trials import StudyFrame
from tal_search.results.uncertainty.runs import Runs
from tests.support.drawn_runs import drawn, one_at_a_time, study_of


def study(points: dict[tuple[str, float], float], seeds: int = 5, noise: float = 1.0) -> StudyFrame:
    """Four axes of five values, each cell so many points above the centre."""
    settings = one_at_a_time(4, 5)
    runs = drawn(np.random.default_rng(3), len(settings), seeds, 1, noise=noise)
    shift = [sum(points.get((axis, value), 0.0) for axis, value in one.items()) for one in settings]
    value = runs.value + np.array(shift)[:, None]
    runs = Runs(value=value, seed=runs.seed, annotator=runs.annotator, single=runs.single)
    data = study_of(runs, settings)
    keys = [f"{place:04d}" for place in range(len(data.trials))]
    trials = data.trials.assign(key=keys, seconds=50.0, scoring_seconds=10.0)
    return replace(
        data,
        trials=trials,
        name="drawn",
        dataset="drawn",
        lanes=2,
        overrides=("study=drawn", "a.b=1", "search.repeats.seeds=[0,1]"),
    )
