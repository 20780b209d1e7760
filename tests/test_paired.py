"""Paired differences beside SciPy's, Holm's rule beside its definition, and what a verdict says."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_statistics import Interval, Repeats, alike, difference, table_of
from scipy import stats

from tal_search.results.cell_table import paired
from tal_search.results.statistics import WITHIN, holm, means_within, repeatability, verdicts

VALUES = st.lists(st.floats(0, 100).map(lambda value: round(value, 2)), min_size=2, max_size=12)


def one_row(table: pd.DataFrame) -> dict[str, float]:
    """The row of a table of one group."""
    (row,) = table.to_dict("records")
    return {str(name): value for name, value in row.items()}


def differences_of(cell: Repeats, centre: Repeats) -> dict[str, float]:
    """Of a cell to the centre, through the table of a study of both."""
    cells = [0] * len(cell) + [1] * len(centre)
    repeats = [*cell, *centre]
    done = pd.DataFrame({"cell": cells, "score": [*cell.values(), *centre.values()]})
    done[["seed", "annotator"]] = pd.DataFrame(repeats, columns=["seed", "annotator"])
    return one_row(paired(pd.DataFrame({"centre": [False, True]}), done, "score").loc[[0]])


@settings(deadline=None)
@given(VALUES, st.integers(0, 2**32 - 1))
def test_a_difference_is_scipys_paired_t_test(cell: list[float], seed: int) -> None:
    centre = np.random.default_rng(seed).normal(50, 3, len(cell))
    found = differences_of(*({(place, "a"): value for place, value in enumerate(values)} for values in (cell, centre)))
    expected = stats.ttest_rel(cell, centre)
    bounds = expected.confidence_interval(0.95)
    assert (found["pairs"], found["delta"]) == (len(cell), pytest.approx(np.mean(cell - centre)))
    low, high = found["delta"] - found["delta" + WITHIN], found["delta"] + found["delta" + WITHIN]
    assert (low, high, found["p"]) == pytest.approx((bounds.low, bounds.high, expected.pvalue), rel=1e-6)


@settings(deadline=None)
@given(VALUES)
def test_an_interval_is_scipys(values: list[float]) -> None:
    found = one_row(means_within(pd.Series(values), pd.Series(0, range(len(values)))))
    assert found["n"] == len(values)
    if np.std(values) == 0:
        assert found["low"] == found["mean"] == found["high"]
    else:
        low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        assert (found["low"], found["high"]) == pytest.approx((low, high), rel=1e-9)


def test_only_common_repeats_are_compared() -> None:
    found = differences_of({(0, "A1"): 3.0, (0, "A2"): 5.0, (0, "A3"): 9.0}, {(0, "A2"): 4.0, (0, "A1"): 1.0})
    assert (found["pairs"], found["delta"]) == (2, 1.5)


def test_one_repeat_has_no_interval_and_none_has_nothing() -> None:
    one, none = differences_of({(0, "a"): 2.0}, {(0, "a"): 1.0}), differences_of({(0, "a"): 2.0}, {(1, "a"): 1.0})
    assert (one["pairs"], one["delta"]) == (1, 1.0)
    assert math.isnan(one["delta" + WITHIN])
    assert math.isnan(one["p"])
    assert none["pairs"] == 0
    assert math.isnan(none["delta"])


REPEATS = st.dictionaries(st.tuples(st.integers(0, 4), st.sampled_from("ab")), st.floats(0, 100), max_size=8)


@settings(deadline=None)
@given(REPEATS, REPEATS)
def test_repeats_are_paired_by_seed_and_annotator_where_both_have_some_in_common(
    cell: Repeats, centre: Repeats
) -> None:
    if {annotator for _, annotator in cell} & {annotator for _, annotator in centre}:
        assert alike(cell, centre) == (cell, centre)
    found, expected = differences_of(cell, centre), difference(cell, centre)
    assert (found["pairs"], found["delta"]) == (expected.n, pytest.approx(expected.mean, nan_ok=True, abs=1e-9))
    alone = {(seed, "none"): value for (seed, _), value in centre.items()}
    mine, others = alike(cell, alone)
    assert {seed for seed, _ in others} == {seed for seed, _ in centre}
    assert mine.keys() & others.keys() == {r for r in mine if r[0] in {seed for seed, _ in centre}}
    for (seed, _), value in mine.items():
        assert value == pytest.approx(np.mean([value for (other, _), value in cell.items() if other == seed]))
    found = differences_of(cell, alone)
    assert found["pairs"] == len(mine.keys() & others.keys())


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_is_its_definition(p: list[float]) -> None:
    """The adjusted p is the least level at which Holm's procedure rejects."""
    adjusted = holm(p)
    for level in [0.01, 0.05, 0.2, 0.5]:
        rejected, left = set(), sorted(range(len(p)), key=lambda index: p[index])
        while left and p[left[0]] * len(left) <= level:
            rejected.add(left.pop(0))
        assert rejected == {index for index, value in enumerate(adjusted) if value <= level}


def test_holm_leaves_out_what_is_unknown() -> None:
    found = holm([0.03, math.nan, 0.01])
    assert found[::2] == [0.03, 0.02]
    assert math.isnan(found[1])


def test_the_repeatability_limit_covers_95_of_100_pairs_of_runs() -> None:
    runs = np.random.default_rng(0).normal(30, 2, (2, 20_000))
    assert np.mean(np.abs(runs[0] - runs[1]) <= repeatability(pd.Series(runs[0]))) == pytest.approx(0.95, abs=0.01)
    assert math.isnan(repeatability(pd.Series([1.0])))


def test_a_verdict_needs_an_effect_or_an_interval_inside_the_noise() -> None:
    cells = [
        Interval(5, 3.0, 1.0, 0.001),
        Interval(5, -3.0, 1.0, 0.001),
        Interval(5, 0.1, 1.0, 0.8),
        Interval(3, 0.5, 4.5, 0.7),
        Interval(1, 6.0, math.nan, math.nan),
        Interval(0, math.nan, math.nan, math.nan),
    ]
    expected = ["better", "worse", "within noise", "needs repeats", "needs repeats", "needs repeats"]
    assert verdicts(table_of(cells), noise=2.0) == expected
    assert verdicts(table_of(cells[2:3]), noise=math.nan) == ["needs repeats"], (
        "a centre of one repeat has no known noise"
    )


def test_many_cells_are_corrected_for_together() -> None:
    weak = Interval(4, 1.0, 0.9, 0.04)
    assert verdicts(table_of([weak]), noise=0.5) == ["better"]
    assert verdicts(table_of([weak] * 3), noise=0.5) == ["needs repeats"] * 3
