"""Statistics of cells against slow, plain ones, whatever the trials are."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tal_dashboards.data.study_data import StudyData
from tal_search.results.cell_table import cells
from tal_search.results.noise import noise
from tal_search.results.statistics import HIGH, LOW
from tests.support.plain_statistics import difference, interval
from tests.support.small_dashboards import Made

VALUES = [0.25, 1.0, 4.0]


trials = st.lists(
    st.tuples(
        st.sampled_from(VALUES), st.integers(0, 2), st.sampled_from(["A1", "A2", "none"]), st.integers(0, 1000)
    ),
    unique_by=lambda row: row[:3], min_size=1, max_size=27,
)  # fmt: skip


def with_trials(data: StudyData, rows: list[tuple[float, int, str, int]]) -> StudyData:
    """A study of the axis lambda_sep with these (value, seed, annotator, thousandths of mAP@0.5)."""
    template = data.trials.iloc[[0] * len(rows)].reset_index(drop=True)
    rows = [(*row[:3], thousandths(row)) for row in rows]
    value, seed, annotator, score = zip(*rows, strict=True)
    changed = template.assign(lambda_sep=value, seed=seed, annotator=annotator, number=range(len(rows)))
    changed["mAP@0.5"] = [one / 10 for one in score]
    return replace(data, axes={"lambda_sep": "λ"}, centre={"lambda_sep": 1.0}, trials=changed)


def thousandths(row: tuple[float, int, str, int]) -> float:
    """Of mAP, with a fraction that no other trial has: a tie of two sums of squares may fall either way."""
    value, seed, annotator, score = row
    return score + math.sin(7 * value + 3 * seed + len(annotator) + ord(annotator[-1]))


@pytest.fixture(scope="module")
def read(swept: Made) -> StudyData:
    return swept.read()


@settings(max_examples=60, deadline=None)
@given(rows=trials)
def test_statistics_of_cells_are_those_of_one_cell_at_a_time(read: StudyData, rows: list[Any]) -> None:
    data = with_trials(read, rows)
    table = cells(data)
    by_cell = {value: {row[1:3]: thousandths(row) / 10 for row in rows if row[0] == value} for value in VALUES}
    centre = by_cell[1.0]
    repeatable = 1.96 * math.sqrt(2) * float(pd.Series(centre.values(), dtype=float).std())
    assert noise(data) == near(repeatable)
    assert set(table["lambda_sep"]) == {row[0] for row in rows}
    for row in table.to_dict("records"):
        mine = by_cell[row["lambda_sep"]]
        mean = interval(mine)
        assert (row["n"], row["mAP@0.5"]) == (mean.n, pytest.approx(mean.mean))
        assert row["mAP@0.5" + LOW] == near(mean.mean - mean.half, at_least=0)
        assert row["mAP@0.5" + HIGH] == near(mean.mean + mean.half, at_most=100)
        if row["centre"] or not centre:
            assert (row["verdict"], row["needs"]) == ("centre" if row["centre"] else "needs repeats", "")
            continue
        paired = difference(mine, centre)
        assert (row["pairs"], row["delta"]) == (paired.n, near(paired.mean))
        assert (
            row["delta" + LOW] <= paired.mean - paired.half + 1e-6 or row["p adjusted"] < 0.05 or math.isnan(row["p"])
        )
        assert (
            row["delta" + HIGH] >= paired.mean + paired.half - 1e-6 or row["p adjusted"] < 0.05 or math.isnan(row["p"])
        )
        assert (row["delta" + LOW] < 0 < row["delta" + HIGH]) == (row["p adjusted"] >= 0.05)
        assert row["p"] == near(paired.p)
        assert row["verdict"] == judged(row, repeatable)
        assert bool(row["needs"]) == (row["verdict"] == "needs repeats")
    others = table[~table["centre"]]
    assert (others["p adjusted"] >= others["p"]).tolist() == others["p"].notna().tolist()
    assert (others["p adjusted"] <= len(others) * others["p"] * 1.001 + 1e-3).tolist() == others["p"].notna().tolist()


def judged(row: dict[str, Any], repeatable: float) -> str:
    """A verdict from the numbers beside it."""
    if row["p adjusted"] < 0.05:
        return "better" if row["delta"] > 0 else "worse"
    inside = -repeatable <= row["delta" + LOW] and row["delta" + HIGH] <= repeatable
    return "within noise" if inside else "needs repeats"


def near(number: float, at_least: float = -math.inf, at_most: float = math.inf) -> Any:
    """As a table has it: NaN where there is no number."""
    held = min(max(number, at_least), at_most) if math.isfinite(number) else math.nan
    return pytest.approx(held, nan_ok=True, rel=1e-6, abs=1e-9)
