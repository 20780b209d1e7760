"""The steps of the plain code, which `localize` is compared with, beside loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.support import reference_localization


def runs_by_loop(mask: np.ndarray) -> list[tuple[int, int]]:
    runs, start = [], None
    for position, inside in enumerate([*mask, False]):
        if inside and start is None:
            start = position
        if not inside and start is not None:
            runs.append((start, position - 1))
            start = None
    return [] if runs == [(0, 0)] else runs


@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 4), st.integers(1, 15))))
def test_runs_equal_the_loop(mask: np.ndarray) -> None:
    row, first, last = reference_localization.find_runs(mask)
    expected = [(r, *run) for r in range(len(mask)) for run in runs_by_loop(mask[r])]
    assert list(zip(row.tolist(), first.tolist(), last.tolist(), strict=True)) == expected


@given(
    hnp.arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1)),
    st.data(),
    st.sampled_from([0.0, 0.25, 1.0, 20.0]),
    st.booleans(),
)
def test_contrast_equals_the_loop(sequence: np.ndarray, data: st.DataObject, margin: float, mirrored: bool) -> None:
    first = data.draw(st.integers(0, len(sequence) - 1))
    last = data.draw(st.integers(first, len(sequence) - 1))
    length = last - first + 1
    left = range(max(0, int(np.trunc(first - margin * length))), first)
    right = range(last + 1, min(len(sequence), int(last + margin * length) + mirrored))
    outside = [sequence[i] for i in (*left, *right)]
    expected = sequence[first : last + 1].mean() - (np.mean(outside) if outside else 0.0)
    zero = np.zeros(1, np.int64)
    ours = reference_localization.inner_outer(
        sequence[None], zero, zero + first, zero + last, margin, mirrored=mirrored
    )
    assert ours[0] == pytest.approx(expected, abs=1e-9)


@given(
    st.lists(st.tuples(st.floats(0, 50), st.floats(0.1, 20), st.floats(0, 1)), max_size=12),
    st.floats(0.1, 0.9),
    st.booleans(),
)
@settings(deadline=None)
def test_suppression_equals_the_loop(rows: list[tuple[float, float, float]], threshold: float, release: bool) -> None:
    segments = np.array([(s, s + d, p) for s, d, p in rows]).reshape(-1, 3)
    extra = 1.0 if release else 0.0
    kept: list[int] = []
    for index in np.argsort(-segments[:, 2], kind="stable"):
        a = segments[index]
        clear = True
        for other in kept:
            b = segments[other]
            shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]) + extra)
            union = (a[1] - a[0] + extra) + (b[1] - b[0] + extra) - shared
            clear = clear and (shared / union < threshold if release else shared <= threshold * union)
        if clear:
            kept.append(int(index))
    assert reference_localization.suppress(segments, threshold, release=release).tolist() == kept
