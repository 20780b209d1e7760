"""Seconds and positions are inverse to each other, wherever snippets lie in a video."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tal_search.timeline import Timeline


@pytest.fixture
def timeline() -> Timeline:
    """Ten even snippets of 20 s; 7 snippets from -0.1 s on, 0.5 s each."""
    return Timeline(length=np.array([10, 7]), start=np.array([0.0, -0.1]), extent=np.array([20.0, 3.5]))


def test_even_snippets_cover_a_video_exactly() -> None:
    even = Timeline.even(np.array([3, 7]), np.array([0.1, 12.3]))
    rows = np.array([0, 1])
    assert even.seconds(rows, even.length.astype(np.float64)).tolist() == [0.1, 12.3]
    assert even.positions(rows, np.array([0.1, 12.3])).tolist() == [3.0, 7.0]


def test_times_go_to_positions_and_back(timeline: Timeline) -> None:
    rows = np.array([0, 1, 1])
    seconds = np.array([[0.0, 7.3], [0.0, 3.4], [1.2, 99.0]])
    assert timeline.positions(rows, seconds).shape == (3, 2)
    assert np.allclose(timeline.seconds(rows, timeline.positions(rows, seconds)), seconds)
    assert timeline.step.tolist() == [2.0, 0.5]


def test_a_time_belongs_to_the_snippet_that_covers_it(timeline: Timeline) -> None:
    middles = timeline.seconds(np.ones(7, np.int64), np.arange(7) + 0.5)
    assert np.allclose(middles, 0.15 + 0.5 * np.arange(7))
    assert timeline.snippets(np.ones(7, np.int64), middles).tolist() == list(range(7))
    outside = timeline.snippets(np.array([0, 1, 1]), np.array([20.0, -5.0, 50.0]))
    assert outside.tolist() == [9, 0, 6], "before the first and after the last"


@given(
    length=st.integers(1, 3000), start=st.floats(-5, 5), step=st.floats(0.01, 10), share=st.floats(-0.5, 1.5),
    snippet=st.integers(0, 10**6),
)  # fmt: skip
def test_any_time_goes_to_a_position_and_back_and_every_snippet_holds_its_middle(
    length: int, start: float, step: float, share: float, snippet: int
) -> None:
    one, row = Timeline(length=np.array([length]), start=np.array([start]), extent=np.array([length * step])), [0]
    rows, seconds = np.array(row), np.array([start + share * length * step])
    assert one.seconds(rows, one.positions(rows, seconds)) == pytest.approx(seconds, abs=1e-9 * (1 + length * step))
    middle = one.seconds(rows, np.array([snippet % length + 0.5]))
    assert one.snippets(rows, middle).tolist() == [snippet % length]
