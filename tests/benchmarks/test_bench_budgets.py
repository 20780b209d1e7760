"""The benchmark of answers about label budgets knows which are false."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.bench_budgets import KINDS, judged, rates, study, true_means
from tal_search.results.budgets.ladder import ladder


def test_true_means_are_those_of_the_kinds() -> None:
    assert KINDS == ("none", "rising", "two lead", "leads by .5", "leads by 3")
    assert true_means("none", 2, 2).tolist() == [[50, 50], [50, 50]]
    assert true_means("two lead", 3, 2).tolist() == [[50, 60], [50, 60], [40, 50]]
    assert true_means("leads by .5", 2, 1).tolist() == [[50.5], [50]]


def test_an_answer_is_judged_by_the_true_means() -> None:
    mean_MB = true_means("none", 2, 1)
    mean_MB[0] += 40
    found = ladder(study(np.random.default_rng(0), mean_MB, 5), {})
    assert judged(found, mean_MB) == (False, False, 1, 1)
    assert judged(found, mean_MB[::-1]) == (True, False, 0, 0), "the truth is that the other is better"
    alike = ladder(study(np.random.default_rng(0), true_means("none", 2, 1), 30), {})
    assert judged(alike, true_means("none", 2, 1)) == (False, False, 0, 0)
    assert judged(alike, mean_MB)[1], "within noise, but truly 40 apart"
    few = replace(found.study, trials=found.study.trials.query("seed < 2"))
    assert judged(ladder(few, {}), mean_MB) == (False, False, 0, 0), "no cell is named"


@pytest.mark.slow
def test_methods_that_are_equal_at_every_budget_are_seldom_called_better() -> None:
    """With Dunnett's correction to the chosen method: in a fifth of the studies."""
    found = rates(60, "rising", 2, 4, 10)
    assert found.better <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 60)
    assert math.isnan(found.power)
