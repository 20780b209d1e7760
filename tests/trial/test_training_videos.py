"""Batches drawn from stored snippets: features, clicks and instances follow; padding is zero and masked."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from tal_search.data.sampling.settings import Sampling, SplitSampling
from tal_search.nn.batch import Batch
from tal_search.trial.training_videos import TrainingVideos, sampled_once
from tal_search.types import VideoSet

COUNT, LONGEST = 5, 40


@cache
def stored() -> VideoSet:
    """Videos of 12 to 40 stored snippets of 0.4 s from -0.1 s on; channel 0 numbers the snippets from 1.

    Each has a background click in snippet 2, an action click of class 1 in its last snippet, and an instance of class 0
    from snippet 3 to 6.
    """
    length = np.array([40, 12, 25, 18, 31])
    features = np.zeros((COUNT, 3, LONGEST), np.float16)
    background = np.zeros((COUNT, LONGEST), np.bool_)
    action = np.zeros((COUNT, 2, LONGEST), np.bool_)
    for row, snippets in enumerate(length):
        features[row, :, :snippets] = np.arange(snippets) + 1
        background[row, 2] = action[row, 1, snippets - 1] = True
    videos = VideoSet.labelled(
        videos=tuple("abcde"), features=features, labels=np.ones((COUNT, 2), np.float32),
        duration=length * 0.4, frames=length * 10, background_clicks=background,
        length=length, start=np.full(COUNT, -0.1), extent=length * 0.4,
    )  # fmt: skip
    segments = np.tile(np.array([[[3.0, 6.0], [0.0, 0.0]]], np.float32), (COUNT, 1, 1))
    return replace(
        videos, action_clicks=action, segments=segments, segment_labels=np.tile([[0, -1]], (COUNT, 1)).astype(np.int64)
    )


def drawing(kind: str, seed: int = 0, **settings: object) -> TrainingVideos:
    sampling = SplitSampling(kind=kind, **settings)  # type: ignore[arg-type]
    training = TrainingVideos(stored(), Sampling(training=sampling), 10, seed)
    training.begin(1, 3)
    return training


def draw(training: TrainingVideos, rows: tuple[int, ...] = (0, 1, 2, 3, 4)) -> Batch:
    return training.draw(np.array(rows), torch.from_numpy(stored().features))


def test_native_batches_are_padded_with_zeros_and_say_where() -> None:
    batch = draw(drawing("native"), (1, 2))
    assert batch.features.shape == (2, 3, 25)
    assert batch.length is not None
    assert batch.valid is not None
    assert batch.length.tolist() == [12, 25]
    assert batch.valid.sum(1).tolist() == [12, 25]
    assert not batch.features[0, :, 12:].any()
    assert batch.features[0, 0, :12].tolist() == list(range(1, 13))
    assert batch.background_clicks.nonzero().tolist() == [[0, 2], [1, 2]]
    assert batch.action_clicks.nonzero().tolist() == [[0, 1, 11], [1, 1, 24]]
    assert batch.segments[:, 0].tolist() == [[3.0, 6.0]] * 2


def test_equal_lengths_need_no_mask() -> None:
    batch = draw(drawing("native"), (2, 2))
    assert batch.length is None
    assert batch.valid is None
    assert draw(drawing("crop", lengths=(8,))).length is None


@pytest.mark.parametrize("kind", ["random_perturbed", "random"])
def test_sampled_batches_have_t_snippets_each_and_keep_all_supervision(kind: str) -> None:
    for seed in range(5):
        batch = draw(drawing(kind, seed))
        assert batch.features.shape == (COUNT, 3, 10)
        assert batch.length is None
        assert batch.background_clicks.sum(1).tolist() == [1] * COUNT
        assert batch.action_clicks.sum((1, 2)).tolist() == [1] * COUNT
        assert batch.position is not None
        assert (batch.features[:, 0] == batch.position + 1).all(), "features are those of the snippets taken"
        row, place = batch.background_clicks.nonzero(as_tuple=True)
        distance = (batch.position[row] - 2).abs()
        assert (distance.gather(1, place[:, None])[:, 0] == distance.amin(1)).all()


def test_crops_take_turns_and_drop_what_lies_outside() -> None:
    training = drawing("crop", lengths=(5, 20))
    shapes, seen = [], set()
    for _ in range(60):
        batch = draw(training)
        shapes.append(batch.features.shape[2])
        assert batch.position is not None
        for row in range(COUNT):
            position = batch.position[row][batch.position[row] >= 0]
            clicked = batch.background_clicks[row].nonzero()[:, 0]
            assert bool((position == 2).any()) == bool(len(clicked))
            assert (position[clicked] == 2).all()
            held = max(0.0, min(6.0, float(position[-1]) + 1) - max(3.0, float(position[0])))
            assert (batch.segment_labels[row, 0] == 0) == (held >= 1.5), "half of the instance"
            seen.add(int(batch.segment_labels[row, 0]))
    assert shapes == [5, 20] * 30
    assert seen == {0, -1}


def test_draws_depend_on_seed_and_epoch_only() -> None:
    first, again, other = drawing("random"), drawing("random"), drawing("random", seed=1)
    assert torch.equal(draw(first).features, draw(again).features)
    assert not torch.equal(draw(first).features, draw(other).features)
    resumed = drawing("random")
    first.begin(7, 3)
    resumed.begin(7, 3)
    assert torch.equal(draw(first).features, draw(resumed).features)


def test_whole_videos_before_an_epoch_have_all_snippets() -> None:
    batch = drawing("crop", lengths=(5,)).whole(np.array([1, 0]), torch.from_numpy(stored().features))
    assert batch.length is not None
    assert batch.length.tolist() == [12, 40]
    assert batch.position is None
    assert batch.background_clicks.nonzero().tolist() == [[0, 2], [1, 2]]


@pytest.mark.parametrize("kind", ["rescale", "uniform"])
def test_what_every_step_would_sample_alike_is_sampled_once_and_keeps_its_times(kind: str) -> None:
    videos = stored()
    once = sampled_once(videos, SplitSampling(kind=kind), 15)
    assert once.features.shape == (COUNT, 3, 15)
    extent = videos.duration if kind == "rescale" else videos.timeline.extent
    start = 0.0 if kind == "rescale" else -0.1
    row, place = np.nonzero(once.background_clicks)
    clicked = -0.1 + 2.5 * 0.4
    assert row.tolist() == list(range(COUNT))
    assert place.tolist() == [int((clicked - start) / seconds * 15) for seconds in extent]
    seconds = start + once.segments[:, 0].astype(np.float64) / 15 * extent[:, None]
    assert np.allclose(seconds, [-0.1 + 3 * 0.4, -0.1 + 6 * 0.4], atol=1e-5)


def test_a_window_keeps_the_labels_of_the_classes_clicked_in_it() -> None:
    """Class 1 is clicked in the last snippet only; class 0 nowhere, so that nothing says where it is."""
    training, seen = drawing("crop", lengths=(12,)), set()
    for _ in range(20):
        batch = draw(training)
        assert batch.position is not None
        last = torch.from_numpy(stored().timeline.length - 1)[:, None]
        assert torch.equal(batch.labels[:, 1] == 1, (batch.position == last).any(1))
        assert (batch.labels[:, 0] == 1).all()
        seen |= set(batch.labels[:, 1].tolist())
    assert seen == {0.0, 1.0}
    assert (draw(drawing("random")).labels == 1).all()
    assert (training.whole(np.arange(COUNT), torch.from_numpy(stored().features)).labels == 1).all()


def test_batches_drawn_anew_take_the_training_videos_whose_crops_hold_a_click() -> None:
    sampling = Sampling(training=SplitSampling(kind="crop", lengths=(14, 30), batches="anew"))
    training = TrainingVideos(stored(), sampling, 10, 0, np.array([0, 1, 2, 3]), 3)
    training.begin(1, 3)
    seen: dict[int, int] = {}
    for _ in range(60):
        batch = draw(training, ())
        assert 1 <= len(batch.rows) <= 3
        assert len(batch.rows.unique()) == len(batch.rows)
        assert batch.action_clicks.any(2).any(1).all()
        for row in batch.rows.tolist():
            seen[row] = seen.get(row, 0) + 1
    assert set(seen) == {0, 1, 2, 3}, "not the one that is held out"
    assert seen[1] == max(seen.values()), "the shortest is whole, and its last snippet always there"
    assert {len(draw(training, ()).rows) for _ in range(40)} <= {1, 2, 3}


def test_batches_drawn_anew_take_any_crop_where_no_click_is_read() -> None:
    sampling = Sampling(training=SplitSampling(kind="crop", lengths=(8,), batches="anew"))
    videos = replace(stored(), action_clicks=np.zeros_like(stored().action_clicks))
    training = TrainingVideos(videos, sampling, 10, 0, np.arange(COUNT), 2)
    training.begin(1, 3)
    rows = [tuple(draw(training, ()).rows.tolist()) for _ in range(30)]
    assert {len(pair) for pair in rows} == {2}
    assert len(set(rows)) > 5
