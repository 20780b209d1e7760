"""Times as people say them, and the budgets that are offered."""

from __future__ import annotations

import pytest

from tal_search.results.budgets.ladder import ladder
from tal_search.results.budgets.words import cost_words, round_budgets, spent, spoken
from tests.support.drawn_budgets import budgets_of


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.5, "0.5 s"), (40, "40 s"), (60, "1 min"), (90, "1.5 min"), (3599.9999999999, "1 h"), (31_352, "8.71 h"),
     (720_000, "200 h"), (float("inf"), "any time")],
)  # fmt: skip
def test_times_in_words(seconds: float, words: str) -> None:
    assert spent(seconds) == words


def test_costs_name_their_unit() -> None:
    assert (cost_words(7200, "total"), cost_words(48.13, "minute")) == ("2 h", "48.1 s/min")


def test_budgets_are_round_and_end_with_the_highest_cost() -> None:
    found = ladder(budgets_of({(1, 1.0): 30.0, (1, 0.1): 20.0, (3, 1.0): 50.0, (3, 0.1): 40.0}), {})
    assert [*map(spent, round_budgets(found))] == ["10 min", "20 min", "30 min", "1 h", "2 h"]
    lines = spoken(found)
    assert len(lines) == 3
    assert lines[-1].startswith("Within 2 h: kernel_size=3 has the highest mean")
    assert round_budgets(ladder(budgets_of({(1, 1.0): 30.0}), {})) == (3600,)
