"""Residuals of runs beside least squares."""

from __future__ import annotations

import numpy as np
import pytest

from tal_search.results.uncertainty.runs import Runs, residuals
from tal_search.types import Floats
from tests.support.drawn_runs import drawn, without


def fitted(runs: Runs) -> tuple[Floats, Floats]:
    """Residuals of cells and repeats by least squares, NaN for no run; and how many cells have each repeat."""
    cell, repeat = np.nonzero(runs.present)
    design = np.hstack([cell[:, None] == np.unique(cell), repeat[:, None] == np.unique(repeat)]).astype(float)
    value = runs.value[cell, repeat]
    left = np.full(runs.value.shape, np.nan)
    left[cell, repeat] = value - design @ np.linalg.lstsq(design, value, rcond=None)[0]
    return left, runs.present.sum(0)


@pytest.mark.parametrize("missing", [0, 20, 45])
def test_what_a_repeat_adds_to_all_cells_is_taken_out_by_least_squares(missing: int) -> None:
    random = np.random.default_rng(2)
    runs = drawn(random, 12, repeat=20.0)
    places = random.permutation(12 * 9)[:missing]
    runs = without(runs, [(place // 9, place % 9) for place in places])
    left, kept, _ = residuals(runs)
    expected, cells = fitted(runs)
    assert left == pytest.approx(expected / np.sqrt(1 - 1 / cells), nan_ok=True, abs=1e-6)
    assert kept == pytest.approx(np.average(1 - 1 / cells, weights=cells)), "of as many degrees of freedom as runs"
    assert np.nanstd(left) < 2, "20 points that are common to a repeat leave no trace"


def test_a_repeat_that_no_other_cell_has_tells_nothing() -> None:
    runs = without(drawn(np.random.default_rng(2), 8, 4, 2), [(cell, 7) for cell in range(1, 8)])
    left, _, _ = residuals(runs)
    assert np.isnan(left[:, 7]).all()
    assert np.isfinite(left[:, :7]).all()


def test_further_repeats_of_one_cell_and_the_centre_are_fitted_too() -> None:
    """As adaptive repeats have them: all cells at three seeds, one and the centre at ten."""
    runs = drawn(np.random.default_rng(3), 20, 10, 3, repeat=20.0)
    runs = without(runs, [(cell, repeat) for cell in range(2, 20) for repeat in range(9, 30)])
    left, _, mean = residuals(runs)
    expected, cells = fitted(runs)
    assert left == pytest.approx(expected / np.sqrt(1 - 1 / cells), nan_ok=True, abs=1e-9)
    assert np.ptp(mean) < 5
