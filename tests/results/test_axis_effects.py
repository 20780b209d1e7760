"""Which axes matter: beside slow t tests, blind to what blocks do, found where an axis does something."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tal_search.results.axis_effects import axis_effects, value_effects
from tal_search.results.cell_table import cells
from tal_search.results.overview import overview, ranking_table
from tal_search.results.uncertainty.model import modelled
from tal_search.results.uncertainty.runs import Runs
from tests.support.drawn_grid import GRID, of, shifted
from tests.support.drawn_runs import drawn, one_at_a_time, repeats_of, study_of, without
from tests.support.plain_statistics import Shares, of_study, variance_and_degrees


def equal_grid(**effects: float) -> Runs:
    """Runs of the grid's cells, no cell noisier than all as far as can be told."""
    for number in itertools.count():
        runs = drawn(np.random.default_rng(number), len(GRID), **effects)
        if (modelled(runs, 0, "new annotators").noisy.ratio == 1).all():
            return runs
    raise AssertionError


def of_a_mean(runs: Runs) -> tuple[float, float]:
    """Variance of a cell's mean, and its degrees of freedom, from all cells."""
    cells = [repeats_of(runs, cell) for cell in range(len(runs.value))]
    return variance_and_degrees(of_study(cells), Shares(1 / 3, 1 / 3, 1 / 9))


@pytest.mark.parametrize("effects", [{}, {"seed": 1.5}, {"annotator": 0.7, "seed": 0.7}])
def test_of_a_grid_it_is_the_t_test_of_values_within_blocks(effects: dict[str, float]) -> None:
    runs = equal_grid(**effects)
    data = study_of(runs, GRID, "grid")
    found, values = axis_effects(data), value_effects(data)
    means = runs.value.mean(1).reshape(3, 4)
    variance, degrees = of_a_mean(runs)
    for axis, along, blocks in (("a", means.mean(1), 4), ("b", means.mean(0), 3)):
        mine = values[values["axis"] == axis]
        delta, error = along - along[0], math.sqrt(2 * variance / blocks)
        assert mine["delta"].to_numpy() == pytest.approx(delta)
        assert mine["mean"].to_numpy() == pytest.approx(along)
        assert mine["p"].to_numpy()[1:] == pytest.approx(2 * stats.t.sf(np.abs(delta[1:]) / error, degrees))
        assert (mine["p adjusted"].to_numpy()[1:] > mine["p"].to_numpy()[1:]).all(), "five values are judged at once"
        half = (mine["delta high"] - mine["delta low"]).to_numpy()[1:] / 2
        assert (half > error * stats.t.isf(0.025, degrees)).all()
        assert (half < error * stats.t.isf(0.025 / 5, degrees) * 1.001).all()
        row = of(found, axis)
        assert row["effect"] == pytest.approx(np.ptp(along))
        assert (row["best"], row["values"]) == (int(np.argmax(along)), len(along))
        assert (row["lowest at"], row["highest at"]) == (int(np.argmin(along)), int(np.argmax(along)))


def test_one_at_a_time_it_is_the_table_of_cells() -> None:
    runs, settings = equal_grid(), one_at_a_time(3, 4)[:10] + one_at_a_time(4, 3)[-2:]
    settings = [{**{f"axis {number}": 0.0 for number in range(4)}, **one} for one in settings]
    data = study_of(runs, settings)
    found, table, values = axis_effects(data), cells(data), value_effects(data)
    for axis in settings[0]:
        mine = [cell for cell, one in enumerate(settings) if cell == 0 or one[axis] != 0]
        means = runs.value[mine].mean(1)
        row = of(found, axis)
        assert row["effect"] == pytest.approx(np.ptp(means))
        assert row["best"] == settings[mine[int(np.argmax(means))]][axis]
        assert row["p adjusted"] == table.loc[mine[1:], "p adjusted"].min()
        of_axis = values[values["axis"] == axis]
        for name in ("delta low", "delta high", "p", "verdict"):
            assert of_axis[name].tolist()[1:] == table.loc[mine[1:], name].tolist()
        assert of_axis["delta"].tolist()[0] == 0
    assert found["effect"].is_monotonic_decreasing


def test_an_axis_that_matters_is_found_with_its_best_value() -> None:
    settings = one_at_a_time(7, 5)
    points = np.array([-1.5 * (cell["axis 2"] - 3) ** 2 for cell in settings])
    found = axis_effects(study_of(shifted(drawn(np.random.default_rng(3), 29, seed=0.7), points), settings))
    first = found.iloc[0]
    assert (first["axis"], first["verdict"], first["needs"], first["best"]) == ("axis 2", "matters", "", 3.0)
    assert 1 >= first["p adjusted"] >= first["p"] > 0
    assert first["effect"] > 5 * found["effect"].iloc[1:].max()
    assert not (found["verdict"].iloc[1:] == "matters").any()
    assert found["symbol"].tolist() == ["a"] * 7


def test_an_effect_at_one_value_of_many_cells_is_found_where_no_cell_would_be() -> None:
    """The test is of all values of an axis in all blocks; each cell alone is too noisy."""
    random, hits, pairs = np.random.default_rng(4), 0, 0
    a = np.array([cell["a"] for cell in GRID])
    for _ in range(10):
        data = study_of(shifted(drawn(random, len(GRID), noise=2.0), 2.5 * (a == 1)), GRID, "grid")
        hits += of(axis_effects(data), "a")["verdict"] == "matters"
        table = cells(data)
        pairs += bool((table["p adjusted"] < 0.05)[(table["a"] == 1) & (table["b"] == 0)].any())
    assert hits >= 8
    assert hits > pairs


def test_an_axis_that_does_nothing_is_within_the_noise_once_there_are_repeats_enough() -> None:
    runs = drawn(np.random.default_rng(5), len(GRID), 10, 3)
    assert set(axis_effects(study_of(runs, GRID, "grid"))["verdict"]) == {"within noise"}


def test_no_order_of_trials_or_cells_changes_a_number() -> None:
    random = np.random.default_rng(6)
    runs = drawn(random, len(GRID), seed=0.7, annotator=0.7, noise=1 + random.random(len(GRID)))
    runs = without(runs, [(3, 2), (7, 0), (0, 4)])
    data = study_of(runs, GRID, "grid")
    expected = axis_effects(data)
    for seed in range(3):
        other = replace(data, trials=data.trials.sample(frac=1, random_state=seed).reset_index(drop=True))
        pd.testing.assert_frame_equal(axis_effects(other), expected, check_exact=True)
        one, another = (cells(study).sort_values(["a", "b"]).reset_index(drop=True) for study in (data, other))
        pd.testing.assert_frame_equal(another, one, check_exact=True)
        assert cells(other).index.tolist() == list(range(len(GRID)))
    turned = replace(data, axes=dict(reversed(data.axes.items())))
    pd.testing.assert_frame_equal(axis_effects(turned), expected, rtol=1e-9)


@pytest.mark.parametrize(("seeds", "annotators", "wanted"), [(1, 1, "3 seeds"), (2, 1, "3 seeds"), (1, 4, "3 seeds")])
def test_with_fewer_than_three_repeats_or_one_seed_an_axis_needs_repeats(
    seeds: int, annotators: int, wanted: str
) -> None:
    runs = drawn(np.random.default_rng(9), len(GRID), seeds, annotators)
    found = axis_effects(study_of(runs, GRID, "grid"))
    assert found["verdict"].tolist() == ["needs repeats"] * 2
    assert found["needs"].tolist() == [wanted] * 2
    assert found["p"].isna().all()
    assert (found["effect"] > 0).all()
    assert found["highest high"].isna().all()


def test_what_an_axis_needs_follows_from_what_its_spread_is_of() -> None:
    """Seeds where seeds lower it; annotators where it is theirs. The centre is quiet: its noise decides nothing."""
    random, noise = np.random.default_rng(10), np.r_[0.3, np.ones(len(GRID) - 1)]
    a = np.array([cell["a"] for cell in GRID])
    words: dict[str, list[str]] = {"seeds": [], "annotators": []}
    for _ in range(16):
        for name, effects in (("seeds", {"seed": 2.0}), ("annotators", {"annotator": 2.0})):
            runs = shifted(drawn(random, len(GRID), noise=noise, **effects), 1.0 * (a == 1))
            row = of(axis_effects(study_of(runs, GRID, "grid")), "a")
            words[name] += [row["needs"]] if row["verdict"] == "needs repeats" else []
    assert len(words["seeds"]) > 2
    assert all(word.endswith("seeds") for word in words["seeds"])
    assert all(int(word.split()[-2]) > 3 for word in words["seeds"])
    assert words["annotators"].count("more annotators") > 1


def test_the_best_value_is_that_of_held_out_videos_where_there_are_any() -> None:
    runs, a = drawn(np.random.default_rng(12), len(GRID)), np.array([cell["a"] for cell in GRID])
    runs = shifted(runs, 5 * a)
    leaky, held = (
        replace(study_of(runs, GRID, "grid", holdout=scores), dataset="drawn") for scores in (None, 20 - 3 * a)
    )
    assert (of(axis_effects(leaky), "a")["best"], of(axis_effects(held), "a")["best"]) == (2, 0)
    assert of(axis_effects(leaky), "a")["effect"] == of(axis_effects(held), "a")["effect"], "of the test split, both"
    assert "best (on test, leaky)" in ranking_table(overview(leaky))
    table = ranking_table(overview(held))
    assert table["axis"].tolist()[0] == "a (a)"
    assert table["best"].tolist()[0] == "0"
    assert table["effect (%)"].tolist() == axis_effects(held)["effect"].tolist()
    assert table["p"].tolist() == axis_effects(held)["p adjusted"].tolist()


def test_of_few_cells_an_axis_is_as_sure_as_its_surest_cell() -> None:
    runs, settings = drawn(np.random.default_rng(13), 4), [*one_at_a_time(2, 2), {"axis 0": 0.0, "axis 1": 2.0}]
    data = study_of(shifted(runs, np.array([0.0, 0.5, 8.0, 0.0])), settings)
    found, table = axis_effects(data), cells(data)
    for axis in settings[0]:
        row = of(found, axis)
        assert row["p adjusted"] == table.loc[table["varied"] == axis, "p adjusted"].min()
    assert found["axis"].tolist() == ["axis 1", "axis 0"]
    assert repeats_of(runs, 0).keys() == repeats_of(runs, 3).keys()
