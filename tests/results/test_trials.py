"""The frame of trials: its score columns, its thresholds, and which rows are the centre."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tal_search.results.trials import StudyFrame, averaged, code_note, equal, score_columns
from tests.support.drawn_runs import drawn, one_at_a_time, study_of

PAPERS = (0.1, 0.3, 0.4, 0.5, 0.6, 0.7)


def test_scores_are_percent_and_their_average_is_over_the_papers_thresholds() -> None:
    random = np.random.default_rng(0)
    mAP, held, leaky = random.random((4, 6)), random.random((4, 6)), random.random(4)
    columns = score_columns(PAPERS, mAP, held, leaky)
    assert averaged(PAPERS) == (0.3, 0.7)
    np.testing.assert_allclose(columns["average"], 100 * mAP[:, 1:].mean(1))
    np.testing.assert_allclose(columns["mAP@0.1"], 100 * mAP[:, 0])
    np.testing.assert_allclose(columns["holdout"], 100 * held[:, 3])
    np.testing.assert_allclose(columns["leaky"], 100 * leaky)


def test_without_half_an_overlap_held_out_videos_are_scored_by_the_average() -> None:
    random = np.random.default_rng(1)
    mAP, held = random.random((3, 2)), random.random((3, 2))
    columns = score_columns((0.75, 0.95), mAP, held, np.full(3, np.nan))
    np.testing.assert_allclose(columns["holdout"], 100 * held.mean(1))
    np.testing.assert_allclose(columns["average"], 100 * mAP.mean(1))


@pytest.mark.parametrize(("value", "expected"), [(None, [False, True, False]), ("a", [True, False, False])])
def test_a_value_may_be_none(value: object, expected: list[bool]) -> None:
    assert equal(pd.Series(["a", None, "b"], dtype=object), value).tolist() == expected


def test_the_centre_is_at_all_axes_but_the_free_ones() -> None:
    data = study_of(drawn(np.random.default_rng(2), 5, 1, 1), one_at_a_time(2, 3))
    assert data.is_centre(data.trials).tolist() == [True, *[False] * 4]
    assert data.is_centre(data.trials, ["axis 0"]).tolist() == [True, True, True, False, False]
    assert (data.threshold, data.score, data.average_over) == ("0.5", "mAP@0.5", "0.5:0.5")


@pytest.mark.parametrize(
    ("folds", "least", "floor"),
    [({}, 3, 3), ({"by": "x", "of": 3, "subjects": 30}, 3, 3), ({"by": "x", "of": 30, "subjects": 30}, math.inf, 0)],
)
def test_fewer_seeds_than_give_a_verdict_are_never_asked_for(folds: dict[str, Any], least: float, floor: float) -> None:
    data = study_of(drawn(np.random.default_rng(2), 5, 1, 1), one_at_a_time(2, 3))
    data = dataclasses.replace(data, folds=folds)
    assert (data.least_seeds, data.seeds_floor) == (least, floor)


def test_trials_of_other_code_are_named_above_every_table() -> None:
    data = StudyFrame.__new__(StudyFrame)
    for count, words in ((0, ""), (1, "1 trial that other code trained left out"), (8, "8 trials that other code")):
        object.__setattr__(data, "other_code", count)
        assert code_note(data).startswith(words)
        assert bool(code_note(data)) == (count > 0)
