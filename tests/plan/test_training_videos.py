"""Training videos are counted as the training split has them."""

from __future__ import annotations

from tal_search.data.load import load_truths
from tal_search.plan.training_videos import training_videos
from tests.support.small_plans import planned


def test_held_out_videos_are_not_trained_on() -> None:
    dataset = planned("quickstart").dataset
    videos = len(load_truths(dataset)[0].videos)
    assert training_videos(dataset, {"selection": "last"}) == videos
    holdout = {"selection": "holdout", "holdout_fraction": 0.2, "holdout_seed": 0}
    assert 0 < training_videos(dataset, holdout) < videos
