"""Whether a study says that it compares speeds of learning: the rise over the last quarter of the centre's epochs."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from tal_search.results.plateau import MOST_RISE, last_rise, speed_note
from tests.support.small_dashboards import Made


def curve(**scores: float) -> pd.DataFrame:
    """By epoch, e4=31.0."""
    return pd.DataFrame({"epoch": [int(name[1:]) for name in scores], "score": list(scores.values())})


@pytest.mark.parametrize(
    ("scores", "rise"),
    [
        ({"e10": 20, "e20": 30, "e30": 33, "e40": 34}, 1),
        ({"e40": 34, "e10": 20, "e30": 33, "e20": 30}, 1),
        ({"e10": 20, "e15": 26, "e16": 27}, 27 - 22.4),  # at epoch 12, between two that were scored
        ({"e4": 30}, math.nan),
        ({}, math.nan),
    ],
)
def test_the_rise_is_over_the_last_quarter(scores: dict[str, float], rise: float) -> None:
    assert last_rise([curve(**scores)]) == pytest.approx(rise, nan_ok=True)


def test_it_is_the_mean_over_the_repeats_that_have_a_curve() -> None:
    curves = [curve(e3=1, e4=3), curve(e3=5, e4=5), curve(e4=9)]
    assert last_rise(curves) == 1


def test_a_note_begins_what_every_page_says_of_its_numbers(grid: Made) -> None:
    data = grid.read()

    def rising(points: float) -> str:
        epochs = pd.DataFrame({"epoch": [3, 4]})
        column = f"{'holdout' if data.protocol['selection'] == 'holdout' else 'test'}/mAP/{data.threshold}"
        return speed_note(data, lambda key: epochs.assign(**{column: [0.2, 0.2 + points / 100]}))

    assert rising(MOST_RISE - 0.01) == rising(-5) == ""
    assert "still rises by 2.0 points of mAP@0.5" in rising(2)
    note = speed_note(data, data.epochs)
    assert data.words.startswith(note or data.method)
    assert speed_note(data, lambda key: pd.DataFrame()) == ""
