"""Objectives are means over repeats, and never of test scores."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tal_search.proposers.objectives import observe, values
from tests.support.small_records import trial_of
from tests.support.small_trials import make_result


def test_objectives_are_means_over_the_repeats_in_the_studys_order() -> None:
    seen = [
        observe(trial_of(seed), replace(make_result(trial_of(seed).spec), holdout_mAP=(0.0, mAP, 0.0), seconds=seconds))
        for seed, (mAP, seconds) in enumerate([(0.2, 3.0), (0.4, 5.0)])
    ]
    assert values({"training_seconds": "minimize", "mAP": "maximize"}, iter(seen)) == [4.0, pytest.approx(0.3)]
    assert values({"annotation_seconds": "minimize"}, seen) == [48.0]


def test_a_trial_without_held_out_videos_is_refused() -> None:
    trial = trial_of()
    with pytest.raises(ValueError, match="never reads test scores"):
        observe(trial, make_result(trial.spec))
