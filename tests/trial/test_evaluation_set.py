"""Videos to evaluate: a few of one length at a time, the longest first, each once; detections in their order."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tal_search.data.sampling.settings import SplitSampling
from tal_search.trial.evaluation_set import VIDEOS_AT_ONCE, Evaluation, joined_detections
from tal_search.types import Annotations, Detections, VideoSet

COUNT, SHORTEST, LONGEST = 40, 5, 9
NOTHING = np.zeros(0, np.int64)


@cache
def videos() -> VideoSet:
    """Forty videos of 5 to 9 stored snippets of half a second; channel 0 is the video's number."""
    length = SHORTEST + np.arange(COUNT) % (LONGEST - SHORTEST + 1)
    features = np.zeros((COUNT, 2, LONGEST), np.float32)
    features[:, 0] = np.where(np.arange(LONGEST) < length[:, None], np.arange(COUNT)[:, None], 99.0)
    return VideoSet.labelled(
        videos=tuple(f"v{row}" for row in range(COUNT)), features=features, labels=np.ones((COUNT, 1), np.float32),
        duration=length * 0.5, frames=length * 12, length=length, start=np.zeros(COUNT), extent=length * 0.5,
    )  # fmt: skip


def evaluation(rows: np.ndarray | None, sampling: SplitSampling | None, count: int = COUNT) -> Evaluation:
    whole = videos().subset(np.arange(count))
    truth = Annotations(
        videos=whole.videos, classes=("a",), video=NOTHING, label=NOTHING, segment=np.zeros((0, 2)),
        duration=whole.duration,
    )  # fmt: skip
    return Evaluation("test", whole, truth, rows, sampling, 4)


@pytest.mark.parametrize("rows", [None, np.array([31, 2, 3, 17])])
def test_native_videos_come_by_length_each_once_and_without_padding(rows: np.ndarray | None) -> None:
    asked = evaluation(rows, SplitSampling(kind="native"))
    batches = list(asked.batches())
    lengths = [batch.features.shape[2] for batch in batches]
    assert lengths == sorted(lengths, reverse=True)
    seen = [name for batch in batches for name in batch.videos]
    assert sorted(seen) == sorted(asked.names)
    for batch in batches:
        assert batch.features[:, 0].tolist() == [[int(name[1:])] * batch.features.shape[2] for name in batch.videos]
        assert batch.timeline.length.tolist() == [batch.features.shape[2]] * len(batch.videos)


@pytest.mark.parametrize("kind", ["uniform", "rescale"])
def test_videos_of_one_length_come_in_order_and_a_few_at_a_time(kind: str) -> None:
    batches = list(evaluation(None, SplitSampling(kind=kind)).batches())
    assert [name for batch in batches for name in batch.videos] == list(videos().videos)
    assert {batch.features.shape[2] for batch in batches} == {4}
    assert max(len(batch.videos) for batch in batches) == VIDEOS_AT_ONCE


def test_videos_that_have_t_snippets_already_are_taken_as_they_are() -> None:
    even = replace(videos(), length=None, start=None, extent=None)
    asked = replace(evaluation(np.array([3, 1]), None), videos=even)
    (batch,) = asked.batches()
    assert batch.videos == asked.names == ("v3", "v1")
    np.testing.assert_array_equal(batch.features, even.features[[3, 1]])


def test_detections_of_parts_are_in_the_order_of_the_videos() -> None:
    def part(names: tuple[str, ...], video: list[int], score: list[float]) -> Detections:
        return Detections(
            videos=names, classes=("a", "b"), video=np.array(video), label=np.array(video) % 2,
            segment=np.array([[value, value + 1] for value in score]), score=np.array(score),
        )  # fmt: skip

    parts = [part(("c", "a"), [0, 0, 1], [0.9, 0.8, 0.7]), part(("b",), [0], [0.6])]
    joined = joined_detections(parts, ("a", "b", "c"), ("a", "b"))
    assert joined.video.tolist() == [0, 1, 2, 2]
    assert joined.score.tolist() == [0.7, 0.6, 0.9, 0.8], "the order within a video stays"
    assert joined.label.tolist() == [1, 0, 0, 0]
    assert joined.segment[:, 0].tolist() == joined.score.tolist()
