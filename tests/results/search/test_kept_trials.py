"""The mean of the trials that a reader keeps, and its difference to the centre."""

from __future__ import annotations

import math

import numpy as np

from tal_search.results.search.kept_trials import kept_trials
from tests.support.drawn_runs import SCORE, drawn, one_at_a_time, study_of


def test_kept_trials_are_described_beside_the_centre() -> None:
    runs = drawn(np.random.default_rng(0), 5, 3, 1)
    data = study_of(runs, one_at_a_time(2, 3))
    kept = np.zeros(15, np.bool_)
    kept[[3, 4, 12]] = True
    found = kept_trials(data, kept, SCORE)
    assert (found.kept, found.total) == (3, 15)
    mean = runs.value.ravel()[kept].mean()
    np.testing.assert_allclose((found.mean, found.difference), (mean, mean - runs.value[0].mean()))


def test_of_no_trials_there_is_no_mean() -> None:
    data = study_of(drawn(np.random.default_rng(1), 5, 3, 1), one_at_a_time(2, 3))
    found = kept_trials(data, np.zeros(15, np.bool_), SCORE)
    assert found.kept == 0
    assert math.isnan(found.mean)
    assert math.isnan(found.difference)
