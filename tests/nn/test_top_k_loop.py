"""The k highest of a row, beside a sort."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tal_search.nn import losses


@given(
    st.lists(
        st.sampled_from([*torch.linspace(-3, 3, 7).tolist(), 0.1, -0.0, 1e-40, float("inf"), -float("inf")]), min_size=6
    ),
    st.integers(1, 6),
)
@settings(max_examples=200, deadline=None)
def test_the_k_highest_are_a_partial_sorts_with_the_first_of_equal_ones(row: list[float], k: int) -> None:
    cas = torch.tensor(row).repeat(2, 3, 1).transpose(0, 1)
    _, chosen = losses.highest(cas, k)
    expected = sorted(range(len(row)), key=lambda t: (-row[t], str(row[t]).startswith("-"), t))[:k]
    assert chosen.shape == cas.shape
    assert (chosen == chosen[0, 0]).all()
    assert chosen[0, 0].nonzero().flatten().tolist() == sorted(expected)
