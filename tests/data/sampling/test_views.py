"""Test videos as sampled: features, times and lengths; padding never gets in."""

from __future__ import annotations

import numpy as np
import pytest

from tal_search.data.sampling.settings import SplitSampling
from tal_search.data.sampling.views import at_test, lengths_at_test
from tal_search.types import VideoSet

LENGTHS = (9, 4)
PADDING = 99.0


def stored(rows: list[int]) -> VideoSet:
    """Videos of 9 and 4 stored snippets, 0.5 s each from 0.25 s on, padded to 9; channel 0 counts snippets from 0."""
    features = np.full((2, 3, 9), PADDING, np.float32)
    for row, length in enumerate(LENGTHS):
        features[row, :, :length] = np.arange(length)
    length = np.array(LENGTHS)
    videos = VideoSet.labelled(
        videos=("long", "short"), features=features, labels=np.ones((2, 1), np.float32), frames=np.array([250, 125]),
        duration=length * 0.5 + 0.5, length=length, start=np.full(2, 0.25), extent=length * 0.5,
    )  # fmt: skip
    return videos.subset(np.array(rows))


NATIVE, UNIFORM, RESCALE = (SplitSampling(kind=kind) for kind in ("native", "uniform", "rescale"))
BOUNDED = SplitSampling(kind="uniform", least=5, most=6)


@pytest.mark.parametrize(
    ("sampling", "lengths"), [(NATIVE, [9, 4]), (UNIFORM, [3, 3]), (RESCALE, [3, 3]), (BOUNDED, [6, 5])]
)
def test_lengths_at_test(sampling: SplitSampling, lengths: list[int]) -> None:
    assert lengths_at_test(stored([0, 1]).timeline, sampling, 3).tolist() == lengths


@pytest.mark.parametrize("row", [0, 1])
def test_native_videos_are_whole_without_padding(row: int) -> None:
    seen = at_test(stored([row]), NATIVE, 750)
    assert seen.features.shape == (1, 3, LENGTHS[row])
    assert seen.features[0, 0].tolist() == list(range(LENGTHS[row]))
    assert seen.timeline.step.tolist() == [0.5]
    assert seen.timeline.start.tolist() == [0.25]


@pytest.mark.parametrize(("row", "taken"), [(0, [0, 3, 6]), (1, [0, 1, 2])])
def test_uniform_takes_the_first_of_each_part_and_spreads_over_the_stored_time(row: int, taken: list[int]) -> None:
    seen = at_test(stored([row]), UNIFORM, 3)
    assert seen.features[0, 0].tolist() == taken
    assert seen.timeline.step.tolist() == [LENGTHS[row] * 0.5 / 3]


def test_rescaled_videos_cover_their_duration_evenly() -> None:
    seen = at_test(stored([0, 1]), RESCALE, 20)
    assert seen.length is None
    assert seen.timeline.extent.tolist() == [5.0, 2.5]
    for row, features in enumerate(seen.features[:, 0]):
        seconds = seen.timeline.seconds(np.array([row]), np.arange(20.0)[None] + 0.5)[0]
        expected = np.clip((seconds - 0.25) / 0.5 - 0.5, 0, LENGTHS[row] - 1)  # channel 0 is the snippet's number
        assert np.allclose(features, expected, atol=1e-5)


def test_videos_of_several_lengths_are_refused() -> None:
    with pytest.raises(AssertionError, match="one length"):
        at_test(stored([0, 1]), NATIVE, 3)
