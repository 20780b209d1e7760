"""Timing of stored snippets: real times, and the numbers of released features."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tal_search.data.features.layouts import LAYOUTS
from tal_search.data.features.timing import Timing
from tests.support.make_layouts import EVENLY


@given(
    stored=st.integers(1, 60),
    snippets=st.integers(1, 90),
    stride=st.floats(1, 32),
    offset=st.floats(0, 32),
    fps=st.floats(5, 60),
    length=st.floats(0.5, 1.5),
)
def test_snippets_stay_at_their_real_time(
    stored: int, snippets: int, stride: float, offset: float, fps: float, length: float
) -> None:
    """Features that say their own time: read at the middle of every part of the video, they say that middle."""
    timing = Timing(stride=stride, offset=offset, fps=fps)
    centres = [(index * stride + offset) / fps for index in range(stored)]
    duration = length * (stored * stride + 2 * offset) / fps
    features_DT = np.array([centres, [-second for second in centres]], np.float32)
    sampled = timing.sampled(features_DT, snippets, duration, fps)
    for t in range(snippets):
        middle = (t + 0.5) / snippets * duration
        assert sampled[0, t] == pytest.approx(min(max(middle, centres[0]), centres[-1]), abs=1e-4, rel=1e-5)
        assert sampled[1, t] == -sampled[0, t]


def test_layouts_in_use_have_the_timing_of_their_releases() -> None:
    assert LAYOUTS["basnet"].timing == Timing(stride=16, offset=8, fps=25)
    assert LAYOUTS["actionformer"].timing == Timing(stride=4, offset=8, fps=None)
    assert LAYOUTS["backtal"].timing == LAYOUTS["hdf5"].timing == EVENLY


def test_without_a_stride_snippets_cover_the_video_evenly() -> None:
    features_DT = np.arange(8, dtype=np.float32)[None]
    np.testing.assert_allclose(EVENLY.sampled(features_DT, 4, 99.0, None), [[0.5, 2.5, 4.5, 6.5]])


def test_only_whole_windows_count_in_the_expected_number_of_snippets() -> None:
    """ActionFormer's: windows of 16 frames, 4 apart; the last one ends at or before the video's last frame."""
    timing = Timing(stride=4, offset=8)
    assert timing.expected(duration=10, fps=30) == (300 - 16) / 4 + 1
    assert timing.expected(duration=0.1, fps=30) == 1
