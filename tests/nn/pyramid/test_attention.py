"""Attention over all points and over a window against a loop over the queries."""

from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tal_search.nn.pyramid.attention import attend, attend_locally


def slow(query: Tensor, key: Tensor, value: Tensor, radius: int, length: int) -> Tensor:
    """One head of one video, [length, d]: each query sees the keys at most `radius` away."""
    rows = []
    for t in range(length):
        seen = [s for s in range(length) if abs(s - t) <= radius]
        weights = [math.exp(float(query[t] @ key[s]) / math.sqrt(query.shape[1])) for s in seen]
        rows.append(sum(w * value[s] for w, s in zip(weights, seen, strict=True)) / sum(weights))
    return torch.stack(rows)  # type: ignore[arg-type]


@given(st.integers(0, 10_000), st.integers(1, 75), st.sampled_from([1, 3, 5, 19]), st.booleans())
@settings(max_examples=25, deadline=None)
def test_windowed_attention_equals_the_loop(seed: int, points: int, window: int, padded: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    query, key, value = torch.randn(3, 2, 2, points, 3, generator=generator, dtype=torch.float64)
    lengths = [points, 1 + seed % points] if padded else [points, points]
    valid = torch.arange(points) < torch.tensor(lengths)[:, None] if padded else None
    found = attend_locally(query, key, value, window, valid)
    assert found.shape == query.shape
    assert found.isfinite().all()
    for video, length in enumerate(lengths):
        for head in range(2):
            expected = slow(query[video, head], key[video, head], value[video, head], window // 2, length)
            torch.testing.assert_close(found[video, head, :length], expected, rtol=1e-10, atol=1e-12)


def test_a_window_over_everything_is_attention_over_everything() -> None:
    query, key, value = torch.randn(3, 1, 2, 40, 3, dtype=torch.float64)
    torch.testing.assert_close(attend_locally(query, key, value, 79, None), attend(query, key, value))


def test_a_query_without_a_key_is_finite_and_has_a_finite_gradient() -> None:
    query, key, value = (torch.randn(1, 3, 2, requires_grad=True) for _ in range(3))
    found = attend(query, key, value, torch.zeros(3, dtype=torch.bool))
    found.sum().backward()  # type: ignore[no-untyped-call]
    assert found.isfinite().all()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in (query, key, value))
