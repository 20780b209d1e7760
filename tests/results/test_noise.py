"""The noise floor and the spread of the centre beside their definitions."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tal_search.results.noise import centre_mean, noise, noise_floor, noise_sentence, reference
from tests.support.drawn_runs import SCORE, drawn, one_at_a_time, study_of


def test_of_few_cells_the_floor_is_1_96_roots_of_two_of_the_centres_own_deviation() -> None:
    runs = drawn(np.random.default_rng(0), 5, 4, 3, seed=0.7)
    data = study_of(runs, one_at_a_time(2, 3))
    assert noise(data) == pytest.approx(1.96 * math.sqrt(2) * runs.value[0].std(ddof=1))
    assert centre_mean(data) == pytest.approx(runs.value[0].mean())
    assert reference(data, SCORE)[:2] == (centre_mean(data), noise(data))
    over = noise_floor(data).set_index("spread over")
    table = runs.value[0].reshape(4, 3)
    assert over.loc["seeds", "sd"] == pytest.approx(math.sqrt(table.var(0, ddof=1).mean()))
    assert over.loc["annotators", "sd"] == pytest.approx(math.sqrt(table.var(1, ddof=1).mean()))
    assert over.loc["all repeats", "sd"] == pytest.approx(table.std(ddof=1))
    assert over["n"].tolist() == [4, 3, 12]
    assert f"differ by less than {noise(data):.1f} points 95 times in 100 (from 12 runs" in noise_sentence(data)


def test_of_single_runs_it_is_unknown() -> None:
    data = study_of(drawn(np.random.default_rng(1), 5, 1, 1), one_at_a_time(2, 3))
    assert math.isnan(noise(data))
    assert noise_sentence(data) == "Noise floor at tIoU 0.5: unknown, the centre has one repeat."


def test_without_the_centre_scores_are_beside_the_mean_of_all() -> None:
    data = study_of(drawn(np.random.default_rng(2), 5), one_at_a_time(2, 3))
    others = replace(data, trials=data.trials[~data.is_centre(data.trials)])
    found = reference(others, SCORE)
    assert found.mean == pytest.approx(others.trials[SCORE].mean())
    assert math.isnan(found.noise)
    assert found.words == "the mean of all trials"
