"""Random sampling weights, stretches and masks of short videos for tests of compensation sampling."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

SNIPPETS = 24


def draw_weights(seed: int) -> list[list[float]]:
    """One to three videos; about half of the weights are 1, the others up to 16."""
    random = np.random.default_rng(seed)
    shape = random.integers(1, 4), SNIPPETS
    return np.where(random.random(shape) < 0.5, 1.0, random.uniform(1, 16, shape)).astype(np.float32).tolist()


weights = st.integers(0, 10_000).map(draw_weights)
stretches = st.sampled_from([1.0, 1.5, 2.0, 8.0])
masks = st.integers(0, 2**SNIPPETS - 1).map(lambda bits: [bool(bits >> t & 1) for t in range(SNIPPETS)])
