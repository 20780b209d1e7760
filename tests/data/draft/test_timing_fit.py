"""Stride, window and fps from lengths alone: recovered where they can be, and not invented where they cannot."""

from __future__ import annotations

import numpy as np
import pytest

from tal_search.data.draft.timing_fit import fit_timing
from tal_search.data.features.timing import Timing


def lengths(frames: np.ndarray, stride: int, window: int) -> np.ndarray:
    return (frames - window) // stride + 1


def drawn(low: int, high: int, number: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, number)


@pytest.mark.parametrize(
    ("stride", "window", "fps"),
    [(8, 32, 30.0), (25, 50, 50.0), (4, 16, 29.97), (16, 16, 25.0), (1, 1, 10.0), (5, 15, 15.0)],
)
def test_whole_windows_give_stride_and_window(stride: int, window: int, fps: float) -> None:
    frames = drawn(500, 20_000, 200)
    fit = fit_timing(lengths(frames, stride, window), frames / fps, np.full(200, fps))
    assert fit.timing == Timing(stride=stride, offset=window / 2, fps=fps)
    assert (fit.fitting, fit.others, fit.certain) == (1.0, (), True)
    assert fit.window is not None
    assert fit.window[0] <= window <= fit.window[1]


def test_frame_rates_of_their_own_are_kept() -> None:
    frames, fps = drawn(2000, 9000), np.where(np.arange(40) % 2, 24.0, 30.0)
    fit = fit_timing(lengths(frames, 16, 16), frames / fps, fps)
    assert (fit.timing.stride, fit.timing.fps) == (16, None)


def test_without_frame_rates_a_regular_time_is_written_at_a_familiar_rate() -> None:
    frames = drawn(2000, 9000)
    fit = fit_timing(lengths(frames, 16, 16), frames / 25, np.full(40, np.nan))
    assert (fit.timing.stride, fit.timing.fps) == (16, 25.0)


def test_a_wrong_frame_rate_of_the_ground_truth_is_not_believed() -> None:
    """Features at 25 frames a second of videos that the ground truth gives 30."""
    frames = drawn(2000, 9000)
    fit = fit_timing(lengths(frames, 16, 16), frames / 25, np.full(40, 30.0))
    assert (fit.timing.stride, fit.timing.fps) == (16, 25.0)


def test_a_few_videos_may_be_wrong() -> None:
    frames = drawn(2000, 9000)
    snippets = lengths(frames, 8, 32)
    snippets[:3] //= 2
    fit = fit_timing(snippets, frames / 30, np.full(40, 30.0))
    assert (fit.timing.stride, fit.fitting) == (8, 37 / 40)


def test_durations_in_whole_seconds_give_the_stride_and_half_of_it_as_the_offset() -> None:
    frames = drawn(20_000, 90_000)
    fit = fit_timing(lengths(frames, 16, 16), np.round(frames / 30), np.full(40, 30.0))
    assert (fit.timing, fit.window) == (Timing(stride=16, offset=8, fps=30.0), None)


def test_a_padded_last_window_shows() -> None:
    frames = drawn(2000, 9000, 200)
    fit = fit_timing(-(-frames // 8), frames / 30, np.full(200, 30.0))
    assert (fit.timing.stride, fit.timing.offset, fit.beyond) == (8, 4, True)


def test_videos_of_one_length_leave_the_stride_open() -> None:
    fit = fit_timing(np.full(20, 40), np.full(20, 40.0), np.full(20, 25.0))
    assert fit.others
    assert not fit.certain


def test_rescaled_features_have_no_stride() -> None:
    fit = fit_timing(np.full(20, 100), np.linspace(20, 60, 20), np.full(20, 25.0))
    assert (fit.timing.stride, fit.rescaled) == (None, 100)


def test_lengths_that_follow_no_stride_give_none() -> None:
    fit = fit_timing(drawn(50, 500, seed=3), drawn(30, 300, seed=4).astype(float), np.full(40, 25.0))
    assert fit.timing.stride is None
    assert fit.rescaled is None


def test_what_is_asked_for_is_kept() -> None:
    frames = drawn(2000, 9000)
    fit = fit_timing(lengths(frames, 8, 32), frames / 30, np.full(40, 30.0), Timing(stride=8, offset=7))
    assert fit.timing == Timing(stride=8, offset=7, fps=30.0)
