"""Resampling in time: linear interpolation of features, and clicks on another grid."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tal_search.data.features.npz import rescale, rescale_clicks
from tal_search.data.features.resampling import interpolate, resample


def naive_rescale(features: np.ndarray, snippets: int) -> np.ndarray:
    """From the definition, one output at a time."""
    stored = features.shape[1]
    columns = []
    for t in range(snippets):
        position = min(max((t + 0.5) * stored / snippets - 0.5, 0.0), stored - 1.0)
        left = int(position)
        right = min(left + 1, stored - 1)
        columns.append(features[:, left] * (1 - (position - left)) + features[:, right] * (position - left))
    return np.stack(columns, 1)


@given(st.integers(1, 30), st.integers(1, 50), st.integers(0, 5))
def test_rescale_equals_its_definition(stored: int, snippets: int, seed: int) -> None:
    features = np.random.default_rng(seed).standard_normal((3, stored)).astype(np.float32)
    rescaled = rescale(features, snippets)
    assert rescaled.dtype == np.float32
    np.testing.assert_allclose(rescaled, naive_rescale(features, snippets), atol=1e-5)
    np.testing.assert_array_equal(rescale(features, stored), features)


def test_rescale_keeps_a_line_straight() -> None:
    line = np.arange(20, dtype=np.float32)[None]
    np.testing.assert_allclose(rescale(line, 10), np.arange(0.5, 20, 2)[None], atol=1e-6)


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 60))
def test_rescaled_clicks_stay_at_their_time(clicks: list[bool], snippets: int) -> None:
    rescaled = rescale_clicks(np.array(clicks), snippets)
    expected = {(2 * index + 1) * snippets // (2 * len(clicks)) for index, clicked in enumerate(clicks) if clicked}
    assert set(np.flatnonzero(rescaled)) == expected


@given(st.integers(1, 20), st.lists(st.floats(-5, 25), min_size=1, max_size=30), st.integers(0, 5))
def test_interpolation_is_numpys_along_the_last_axis(stored: int, positions: list[float], seed: int) -> None:
    sequence = np.random.default_rng(seed).standard_normal((2, 3, stored))
    interpolated = interpolate(sequence, np.array(positions))
    expected = [[np.interp(positions, np.arange(stored), row) for row in rows] for rows in sequence]
    np.testing.assert_allclose(interpolated, expected, atol=1e-12)


def test_the_dtype_is_that_of_the_sequence() -> None:
    for dtype in (np.float16, np.float32, np.float64):
        assert resample(np.ones((2, 5), dtype), 7).dtype == dtype
