"""Differences by group of instances: the contrasts of each group alone, corrected over the whole table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tal_search.results.breakdown.by_group import by_group, most_affected
from tal_search.results.uncertainty.contrasts import contrasts
from tal_search.results.uncertainty.families import holm
from tests.support.drawn_runs import drawn, one_at_a_time, study_of

SETTINGS = one_at_a_time(2, 4)


def table_of(shift: float = 0.0) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Two groups of seven cells; "long" has `shift` points more where axis 0 is 2."""
    random = np.random.default_rng(0)
    runs = {name: drawn(random, len(SETTINGS), seed=0.7) for name in ("short", "long")}
    runs["long"].value[2] += shift
    data = study_of(runs["short"], SETTINGS)
    scores = pd.DataFrame({name: found.value.ravel() for name, found in runs.items()}, index=data.trials.index)
    return by_group(data, "axis 0", scores), {name: found.value for name, found in runs.items()}


def test_each_group_is_compared_by_the_contrasts_of_all_its_cells() -> None:
    table, values = table_of()
    assert table["group"].tolist() == ["short"] * 4 + ["long"] * 4
    assert table["value"].tolist() == [0.0, 1.0, 2.0, 3.0] * 2
    runs = drawn(np.random.default_rng(1), len(SETTINGS))
    for name, value in values.items():
        rows = table[table["group"] == name]
        runs.value[:] = value
        expected = contrasts(runs, 0)
        assert rows["score"].to_numpy() == pytest.approx(value[:4].mean(1))
        assert rows["delta"].to_numpy() == pytest.approx(expected.delta[:4])
        assert rows["p"].to_numpy() == pytest.approx(expected.p[:4], nan_ok=True)
        assert rows["verdict"].iloc[0] == "centre"
    assert table["p adjusted"].to_numpy() == pytest.approx(holm(table["p"].tolist()), nan_ok=True)


def test_an_interval_excludes_zero_where_the_corrected_p_is_significant_and_nowhere_else() -> None:
    for shift in (0.0, 2.5, 9.0):
        table, _ = table_of(shift)
        off = table[~table["centre"]]
        outside = (off["delta low"] >= 0) | (off["delta high"] <= 0)
        assert outside.tolist() == (off["p adjusted"] < 0.05).tolist()
    assert off.loc[(off["group"] == "long") & (off["value"] == 2.0), "verdict"].tolist() == ["better"]
    assert most_affected(table) == ["long", "short"]


def test_a_group_that_no_trial_has_and_a_missing_centre_are_compared_with_nothing() -> None:
    runs = drawn(np.random.default_rng(2), len(SETTINGS))
    data = study_of(runs, SETTINGS)
    scores = pd.DataFrame({"none": np.nan, "without centre": runs.value.ravel()}, index=data.trials.index)
    scores.loc[data.is_centre(data.trials), "without centre"] = np.nan
    table = by_group(data, "axis 0", scores)
    assert table["delta"].isna().all()
    assert table["p adjusted"].isna().all()
    assert table["n"].tolist() == [0, 0, 0, 0, 0, 9, 9, 9]
    assert set(table["verdict"]) == {"centre", "needs repeats"}
