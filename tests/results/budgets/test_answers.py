"""The best method for a budget: only measured cells, never without an interval, never without a verdict."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tal_search.results.budgets.answers import answers, best_for
from tal_search.results.budgets.ladder import ladder
from tal_search.results.budgets.words import answer_words, answers_table
from tests.support.drawn_budgets import budgets_of

FAR = {(1, 1.0): 30.0, (1, 0.5): 20.0, (1, 0.1): 10.0, (3, 1.0): 50.0, (3, 0.5): 15.0, (3, 0.1): 40.0}


@pytest.mark.parametrize(
    ("seconds", "verdict", "cell"),
    [
        (0, "no method", ""), (359, "no method", ""), (360, "alone", "supervision.videos=0.1"),
        (719, "alone", "supervision.videos=0.1"), (720, "better", "kernel_size=3 supervision.videos=0.1"),
        (7199, "better", "kernel_size=3 supervision.videos=0.1"), (7200, "better", "kernel_size=3"),
        (math.inf, "better", "kernel_size=3"),
    ],
)  # fmt: skip
def test_nothing_is_interpolated_between_measured_cells(seconds: float, verdict: str, cell: str) -> None:
    found = best_for(ladder(budgets_of(FAR), {}), seconds)
    assert (found.verdict, found.cell) == (verdict, cell)
    assert math.isnan(found.cost) or found.cost <= seconds


def test_the_answer_has_an_interval_and_the_difference_to_the_best_other_method() -> None:
    found = best_for(ladder(budgets_of(FAR), {}), 7200)
    assert found.method == "kernel_size=3"
    assert found.low < found.mean < found.high
    assert found.mean == pytest.approx(50, abs=1)
    assert (found.runner_up, found.runner_cell, found.n) == ("backtal", "centre", 4)
    assert found.delta == pytest.approx(20, abs=1)
    assert 0 < found.delta_low < found.delta < found.delta_high
    words = answer_words(found, "mAP@0.5")
    assert words.startswith("Within 2 h: kernel_size=3 has the highest mean, mAP@0.5 ")
    assert "(95 % interval, n = 4) at 2 h; better than all others, the next is centre (+" in words


def test_methods_that_are_alike_are_not_told_apart() -> None:
    alike = {(1, 1.0): 30.0, (3, 0.5): 30.0}
    found = best_for(ladder(budgets_of(alike, seeds=12), {}), 3600)
    assert found.verdict == "within noise"
    assert answer_words(found, "mAP@0.5").count("within the noise of") == 1
    study = budgets_of({(1, 1.0): 30.0, (3, 0.5): 35.0}, seeds=3)
    lacking = study.trials[(study.trials["kernel_size"] == 3) | (study.trials["seed"] < 2)].reset_index(drop=True)
    few = best_for(ladder(replace(study, trials=lacking), {}), 3600)
    assert (few.verdict, few.needs, few.cell) == ("needs repeats", "3 seeds", "kernel_size=3 supervision.videos=0.5")
    assert answer_words(few, "mAP@0.5").endswith("not told apart from centre (+5.0 points): needs 3 seeds.")


def test_a_single_run_is_never_best() -> None:
    for seeds, words in ((1, "one repeat: no best can be named."), (2, "2 repeats at most: no best can be named.")):
        found = best_for(ladder(budgets_of(FAR, seeds=seeds), {}), 7200)
        assert (found.verdict, found.cell) == ("not repeated", "")
        assert answer_words(found, "mAP@0.5") == f"Within 2 h: {words}"


def test_every_answer_holds_until_the_next() -> None:
    found = ladder(budgets_of(FAR), {})
    kept = answers(found)
    costs = found.points["cost"].unique().tolist()
    for cost in costs:
        mine = [one for one in kept if one.seconds <= cost][-1]
        at_cost = best_for(found, cost)
        assert (mine.cell, mine.verdict, mine.runner_cell) == (at_cost.cell, at_cost.verdict, at_cost.runner_cell)
    assert answers_table(found)["cell"].tolist() == [one.cell for one in kept]
