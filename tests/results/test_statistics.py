"""Differences between cells beside SciPy's and a slow analysis of variance, and what a verdict says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tal_search.results.cell_table import paired
from tal_search.results.statistics import HIGH, LOW, means, needs, verdicts
from tal_search.results.uncertainty.contrasts import Contrasts
from tests.support.plain_statistics import NONE, Interval, Repeats, alone, annotators, by_seed, difference, interval

VALUES = st.lists(st.floats(0, 100).map(lambda value: round(value, 2)), min_size=3, max_size=12)


def one_row(table: pd.DataFrame) -> dict[str, float]:
    """The row of a table of one group."""
    (row,) = table.to_dict("records")
    return {str(name): value for name, value in row.items()}


def table_of(cells: list[Repeats]) -> pd.DataFrame:
    """One row a run."""
    rows = [(place, *repeat, value) for place, cell in enumerate(cells) for repeat, value in cell.items()]
    return pd.DataFrame(rows, columns=["cell", "seed", "annotator", "score"])


def differences_of(cell: Repeats, centre: Repeats) -> dict[str, float]:
    """Of a cell to the centre, through the table of a study of both."""
    found = paired(pd.DataFrame({"centre": [False, True]}), table_of([cell, centre]), "score")
    return one_row(found.loc[[0]])


def mean_of(values: Repeats) -> dict[str, float]:
    done = table_of([values])
    return one_row(means(done[["score"]], done["cell"], done[["seed", "annotator"]], ()))


def contrasts_of(cells: list[Interval], by_annotator: float = 0.0) -> Contrasts:
    """As the engine has them: corrected by as little as Bonferroni's bound."""
    n, mean, half, p = (np.array(column) for column in zip(*cells, strict=True))
    known = max(1, int(np.isfinite(p.astype(float)).sum()))
    return Contrasts(
        delta=mean, pairs=n, error=half / 1.96, degrees=np.full(len(n), 100.0), low=mean - half, high=mean + half,
        by_annotator=np.full(len(n), by_annotator), p=p, adjusted=np.minimum(1, p * known),
    )  # fmt: skip


@settings(deadline=None)
@given(VALUES, st.integers(0, 2**32 - 1))
def test_a_difference_is_scipys_paired_t_test(cell: list[float], seed: int) -> None:
    centre = np.random.default_rng(seed).normal(50, 3, len(cell))
    found = differences_of(*({(place, "a"): value for place, value in enumerate(values)} for values in (cell, centre)))
    expected = stats.ttest_rel(cell, centre)
    bounds = expected.confidence_interval(0.95)
    assert (found["pairs"], found["delta"]) == (len(cell), pytest.approx(np.mean(cell - centre)))
    ends = (found["delta" + LOW], found["delta" + HIGH])
    assert (*ends, found["p"]) == pytest.approx((bounds.low, bounds.high, expected.pvalue), rel=1e-6)
    assert found["p adjusted"] == pytest.approx(found["p"], rel=1e-3), "one comparison is corrected for nothing"


@settings(deadline=None)
@given(VALUES)
def test_an_interval_is_scipys(values: list[float]) -> None:
    found = mean_of({(place, "a"): value + 100 for place, value in enumerate(values)})
    assert found["n"] == len(values)
    if np.std(values) < 1e-9:
        assert (found["score" + LOW], found["score" + HIGH]) == pytest.approx((found["score"],) * 2)
    else:
        low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values) + 100, stats.sem(values))
        assert (found["score" + LOW], found["score" + HIGH]) == pytest.approx((max(0, low), high), rel=1e-9)


def test_an_interval_stays_within_what_a_percentage_can_be() -> None:
    done = table_of([{(0, "a"): 1.0, (1, "a"): 9.0, (2, "a"): 2.0}, {(0, "a"): 99.0, (1, "a"): 91.0, (2, "a"): 98.0}])
    for percent, ends in ((("score",), (0.0, 100.0)), ((), (0.0, None))):
        found = means(done[["score"]], done["cell"], done[["seed", "annotator"]], percent)
        assert found["score" + LOW][0] == ends[0]
        assert found["score" + HIGH][1] == ends[1] or (ends[1] is None and found["score" + HIGH][1] > 100)
        assert found["score" + HIGH][0] > 9
        assert found["score"].tolist() == [4, 96]


def test_only_common_repeats_are_compared() -> None:
    found = differences_of({(0, "A1"): 3.0, (0, "A2"): 5.0, (0, "A3"): 9.0}, {(0, "A2"): 4.0, (0, "A1"): 1.0})
    assert (found["pairs"], found["delta"]) == (2, 1.5)


def test_one_repeat_has_no_interval_and_none_has_nothing() -> None:
    one, none = differences_of({(0, "a"): 2.0}, {(0, "a"): 1.0}), differences_of({(0, "a"): 2.0}, {(1, "a"): 1.0})
    assert (one["pairs"], one["delta"]) == (1, 1.0)
    assert math.isnan(one["delta" + LOW])
    assert math.isnan(one["p"])
    assert none["pairs"] == 0
    assert math.isnan(none["delta"])


def test_two_repeats_have_no_interval_and_three_of_one_seed_neither() -> None:
    cells = [{(seed, name): float(seed + len(name)) for seed in range(2) for name in ("a",)} for _ in range(2)]
    one_seed = [
        {(0, name): value for name, value in zip("abc", values, strict=True)} for values in ([1.0, 2, 5], [2.0, 2, 2])
    ]
    for found in (differences_of(cells[0], cells[1]), differences_of(one_seed[0], one_seed[1])):
        assert math.isfinite(found["delta"])
        assert all(math.isnan(found[name]) for name in ("delta" + LOW, "delta" + HIGH, "p", "p adjusted"))
        assert found["verdict"] == "needs repeats"
        assert found["needs"] == "3 seeds"
    assert math.isnan(mean_of(cells[0])["score" + LOW])
    assert math.isnan(mean_of(one_seed[0])["score" + LOW])


@st.composite
def repeats(draw: Any) -> dict[tuple[int, str], float]:
    """Runs of one cell, some of them missing, with effects of seeds and annotators or without."""
    seeds, names = range(draw(st.integers(1, 4))), "abc"[: draw(st.integers(1, 3))]
    whole = [(seed, name) for seed in seeds for name in names]
    keys = [*whole[:1], *draw(st.lists(st.sampled_from(whole), unique=True, min_size=len(whole) // 2))]
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    effects = draw(st.sampled_from([0.0, 3.0])) * random.normal(size=(2, 4))
    return {(seed, name): 50 + effects[0, seed] + effects[1, "abc".index(name)] + random.normal()
            for seed, name in sorted({*keys})}  # fmt: skip


@settings(deadline=None, max_examples=80)
@given(repeats())
def test_an_interval_is_that_of_a_slow_analysis_of_variance(values: Repeats) -> None:
    found, expected = mean_of(values), interval(values)
    ends = (expected.mean - expected.half, expected.mean + expected.half)
    assert (found["n"], found["score"]) == (expected.n, pytest.approx(expected.mean))
    assert found["score" + LOW] == pytest.approx(max(0.0, ends[0]) if math.isfinite(ends[0]) else math.nan, nan_ok=True)
    assert found["score" + HIGH] == pytest.approx(ends[1], nan_ok=True)


def agree(found: dict[str, float], expected: Interval) -> None:
    half = found["delta" + HIGH] - found["delta"]
    assert (found["pairs"], found["delta"]) == (expected.n, pytest.approx(expected.mean, nan_ok=True, abs=1e-9))
    assert half == pytest.approx(expected.half, nan_ok=True, rel=1e-6, abs=1e-9)
    assert found["delta"] - found["delta" + LOW] == pytest.approx(half, nan_ok=True)
    assert found["p"] == pytest.approx(expected.p, nan_ok=True, rel=1e-6, abs=1e-12)


@settings(deadline=None, max_examples=80)
@given(repeats(), repeats())
def test_repeats_are_paired_by_seed_and_annotator_where_both_have_some_in_common(
    cell: Repeats, centre: Repeats
) -> None:
    agree(differences_of(cell, centre), difference(cell, centre))
    alone_ = {(seed, NONE): value for (seed, _), value in centre.items()}
    assert alone(alone_)
    assert not annotators(cell) & annotators(alone_)
    for one, other in ((cell, alone_), (alone_, cell)):
        agree(differences_of(one, other), difference(one, other))
    found = differences_of(cell, alone_)
    seeds = by_seed(cell).keys() & by_seed(centre).keys()
    assert found["pairs"] == len(seeds)
    if seeds:
        mean = np.mean([by_seed(cell)[seed] - alone_[seed, NONE] for seed in seeds])
        assert found["delta"] == pytest.approx(mean)


def test_a_cell_without_annotators_beside_one_with_other_annotators_has_nothing_to_be_told_from() -> None:
    found = differences_of({(seed, "a"): seed + 1.0 for seed in range(5)}, {(seed, "b"): seed**2 for seed in range(5)})
    assert (found["pairs"], found["delta"]) == (5, pytest.approx(3 - 6))
    assert math.isnan(found["p"])


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
    assert verdicts(contrasts_of(cells), noise=2.0) == expected
    assert verdicts(contrasts_of(cells[2:3]), noise=math.nan) == ["needs repeats"], (
        "a centre of one repeat has no known noise"
    )


def test_many_cells_are_corrected_for_together() -> None:
    weak = Interval(4, 1.0, 0.9, 0.04)
    assert verdicts(contrasts_of([weak]), noise=0.5) == ["better"]
    assert verdicts(contrasts_of([weak] * 3), noise=0.5) == ["needs repeats"] * 3


def test_what_a_cell_needs_is_what_would_decide_it() -> None:
    """Its error falls with the root of the seeds: from 3 to 12 seeds it halves."""
    error = 1.0
    just = 1.96 * error / 2  # of one comparison, an effect that 12 seeds would show
    cells = {"seen": just + 1e-6, "small": 1e-9}
    for name, delta in cells.items():
        one = contrasts_of([Interval(3, delta, 1.96 * error, 0.3)])
        noise = {"seen": 0.1, "small": just}[name]
        assert needs(one, 3, ["needs repeats"], noise) == ["12 seeds"]
        assert needs(one, 3, ["better"], noise) == [""]
    tiny = contrasts_of([Interval(3, 0.01, 1.96, 0.9)])
    assert needs(tiny, 3, ["needs repeats"], 0.01) == ["more than 100 seeds"]
    floored = contrasts_of([Interval(9, 0.98, 1.96, 0.3)], by_annotator=0.5)
    assert needs(floored, 3, ["needs repeats"], 0.1) == ["more annotators"], "seeds cannot lower the spread enough"
    soon = contrasts_of([Interval(3, 1.95, 1.96, 0.06)])
    assert needs(soon, 3, ["needs repeats"], 0.1) == ["4 seeds"]
    fewer = contrasts_of([Interval(2, 1.0, math.nan, math.nan), Interval(0, math.nan, math.nan, math.nan)])
    wanted = ["3 seeds", "repeats in common"]
    assert needs(fewer, 2, ["needs repeats"] * 2, 1.0) == wanted
