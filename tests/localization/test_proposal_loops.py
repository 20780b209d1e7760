"""Gaussian Soft-NMS against its description."""

from __future__ import annotations

import itertools
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tal_search.localization.proposal_loops import soften
from tal_search.types import Floats


def slow_soften(segments: Floats, score: Floats, sigma: float, least: float) -> Floats:
    """Soft-NMS of one group from its description."""
    left, kept = dict(enumerate(score.tolist())), [0.0] * len(score)
    while left and max(left.values()) >= least:
        best = max(left, key=lambda index: (left[index], -index))
        kept[best] = left.pop(best)
        for other in left:
            shared = min(segments[best][1], segments[other][1]) - max(segments[best][0], segments[other][0])
            union = np.ptp(segments[best]) + np.ptp(segments[other]) - max(shared, 0.0)
            left[other] *= math.exp(-((max(shared, 0.0) / union) ** 2) / sigma)
    return np.array(kept)


@given(st.integers(0, 10_000), st.lists(st.integers(0, 12), max_size=4), st.sampled_from([0.1, 0.5, 2.0]))
@settings(max_examples=60, deadline=None)
def test_soft_nms_equals_the_slow_one_in_each_group(seed: int, sizes: list[int], sigma: float) -> None:
    generator = np.random.default_rng(seed)
    bounds = np.concatenate([[0], np.cumsum(np.array(sizes, np.int64))])
    start = generator.integers(0, 8, bounds[-1]).astype(np.float64)
    segments = np.stack([start, start + generator.integers(1, 6, bounds[-1])], 1)
    scores = generator.integers(1, 9, bounds[-1]) / 8
    found = soften(segments, scores, bounds, sigma, 0.05)
    parts = [
        slow_soften(segments[first:end], scores[first:end], sigma, 0.05) for first, end in itertools.pairwise(bounds)
    ]
    np.testing.assert_allclose(found, np.concatenate([*parts, np.zeros(0)]), rtol=1e-12)
