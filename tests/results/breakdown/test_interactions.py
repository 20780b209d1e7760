"""Whether two axes interact: beside a plain two-way analysis of variance, and by how often it is wrong."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tal_search.results.breakdown.interactions import interaction_table, interactions
from tal_search.results.uncertainty.model import modelled
from tal_search.results.uncertainty.runs import Runs
from tal_search.types import Floats
from tests.support.drawn_runs import drawn, one_at_a_time, repeats_of, study_of, without
from tests.support.plain_statistics import Shares, of_study, variance_and_degrees

A, B, C = (0.0, 1.0, 2.0), (0.0, 1.0, 2.0, 3.0), (0.0, 1.0)
GRID = [{"a": a, "b": b} for a, b in itertools.product(A, B)]
CUBE = [{"a": a, "b": b, "c": c} for a, b, c in itertools.product(A, B, C)]


def shifted(runs: Runs, points: Floats) -> Runs:
    return Runs(value=runs.value + points[:, None], seed=runs.seed, annotator=runs.annotator, single=runs.single)


def plain(means_ab: Floats) -> Floats:
    """Residuals of the additive model, cell by cell."""
    left = np.empty_like(means_ab)
    for i, j in np.ndindex(*means_ab.shape):
        left[i, j] = means_ab[i, j] - means_ab[i].mean() - means_ab[:, j].mean() + means_ab.mean()
    return left


def test_it_is_the_f_test_of_a_two_way_analysis_of_variance() -> None:
    """In a grid of three axes, a and b are tested on the means over c."""
    number = 0
    while True:
        runs = drawn(np.random.default_rng(number), len(CUBE), seed=0.7, annotator=0.7)
        if (modelled(runs, 0, "new annotators").noisy.ratio == 1).all():
            break
        number += 1
    data = study_of(runs, CUBE, "grid")
    left = plain(runs.value.mean(1).reshape(3, 4, 2).mean(2))
    of_cells = of_study([repeats_of(runs, cell) for cell in range(len(CUBE))])
    variance, degrees = variance_and_degrees(of_cells, Shares(1 / 3, 1 / 3, 1 / 9))
    found = interactions(data)["a", "b"]
    np.testing.assert_allclose(found.residuals.to_numpy().T, left, atol=1e-9)
    assert found.residuals.index.tolist() == list(B)
    assert found.p == pytest.approx(stats.f.sf((left**2).sum() / 6 / (variance / 2), 6, degrees), rel=1e-6)
    table = interaction_table(data)
    assert {*zip(table["first"], table["second"], strict=True)} == {("a", "b"), ("a", "c"), ("b", "c")}
    assert table["p adjusted"].is_monotonic_increasing
    assert table["p adjusted"].iloc[0] == pytest.approx(min(1, 3 * table["p"].iloc[0])), "Holm over three pairs"


def test_main_effects_and_other_axes_are_not_taken_for_an_interaction_and_an_interaction_is_found() -> None:
    runs = drawn(np.random.default_rng(1), len(CUBE))
    a, b, c = (np.array([cell[axis] for cell in CUBE]) for axis in "abc")
    one, other = (
        interactions(study_of(shifted(runs, points), CUBE, "grid"))["a", "b"]
        for points in (0 * a, 9 * a - 20 * (b == 2) + 30 * c)
    )
    assert other.p == pytest.approx(one.p, rel=1e-6)
    assert other.residuals.to_numpy() == pytest.approx(one.residuals.to_numpy(), abs=1e-9)
    table = interaction_table(study_of(shifted(runs, 6.0 * (a == 1) * (b == 2) + 9 * a), CUBE, "grid"))
    first = table.iloc[0]
    assert (first["first"], first["second"], first["verdict"], first["needs"]) == ("a", "b", "interact", "")
    assert (table["verdict"].iloc[1:] != "interact").all()
    assert first["largest"] == pytest.approx(6 * (1 - 1 / 3) * (1 - 1 / 4), abs=1.0)


def test_of_additive_grids_one_in_twenty_is_taken_for_interacting() -> None:
    """Also with cells of different noise and with runs missing; p is as often in one tenth as in another."""
    random, p = np.random.default_rng(2), []
    for round_ in range(100):
        noise = 1 + random.random(len(GRID)) if round_ % 2 else np.ones(len(GRID))
        runs = drawn(random, len(GRID), 3, 2, seed=0.5, annotator=0.5, noise=noise)
        p.append(interactions(study_of(without(runs, [(3, 1), (7, 0)]), GRID, "grid"))["a", "b"].p)
    assert np.mean(np.array(p) < 0.05) <= 0.11, "11 of 100 or more would be so once in 100 tests at 5 %"
    assert np.mean(p) == pytest.approx(0.5, abs=0.08)


def test_verdicts_follow_the_noise_and_say_what_is_missing() -> None:
    quiet = interaction_table(study_of(drawn(np.random.default_rng(3), len(GRID), 12, 3), GRID, "grid"))
    assert quiet["verdict"].tolist() == ["within noise"]
    few = interaction_table(study_of(drawn(np.random.default_rng(3), len(GRID), 2, 1), GRID, "grid"))
    assert (few["verdict"].tolist(), few["needs"].tolist()) == (["needs repeats"], ["3 seeds"])
    small = [cell for cell in GRID if cell["a"] < 2 and cell["b"] < 2]
    four = interaction_table(study_of(drawn(np.random.default_rng(3), 4), small, "grid"))
    assert (four["verdict"].tolist(), four["needs"].tolist()) == (["needs repeats"], ["6 cells"])
    assert np.isnan(four["p"]).all()


def test_only_whole_tables_of_a_grid_are_tested_and_no_order_of_trials_changes_a_digit() -> None:
    holed = [cell for cell in GRID if cell != {"a": 2.0, "b": 3.0}]
    assert interactions(study_of(drawn(np.random.default_rng(4), len(holed)), holed, "grid")) == {}
    settings = one_at_a_time(2, 4)
    assert interaction_table(study_of(drawn(np.random.default_rng(4), len(settings)), settings)).empty
    data = study_of(drawn(np.random.default_rng(4), len(CUBE)), CUBE, "grid")
    turned = replace(data, trials=data.trials.sample(frac=1, random_state=0).reset_index(drop=True))
    pd.testing.assert_frame_equal(interaction_table(turned), interaction_table(data), check_exact=True)
