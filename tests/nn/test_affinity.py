"""The fast affinity convolutions against the equation written as loops."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from tal_search.nn import affinity
from tests.support.affinity_loops import cosine_by_loops, paper_by_loops, release_by_unfolding

TAPS = (1, 3, 5, 7, 9)


def tensors(taps: int, channels: int = 5, hidden: int = 4, snippets: int = 12) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(taps + 10 * channels + 100 * snippets)
    x = torch.randn(2, channels, snippets, generator=generator, dtype=torch.float64)
    weight = torch.randn(hidden, channels, taps, generator=generator, dtype=torch.float64)
    embedding = functional.normalize(torch.randn(2, 3, snippets, generator=generator, dtype=torch.float64), dim=1)
    return x, weight, affinity.local_similarity(embedding, taps)


@pytest.mark.parametrize("taps", TAPS)
def test_local_similarity_is_the_cosine(taps: int) -> None:
    embedding = functional.normalize(torch.randn(2, 4, 11, dtype=torch.float64), dim=1)
    torch.testing.assert_close(affinity.local_similarity(embedding, taps), cosine_by_loops(embedding, taps))


@pytest.mark.parametrize("taps", TAPS)
def test_paper_convolution_equals_the_equation(taps: int) -> None:
    x, weight, a = tensors(taps)
    ours = affinity.affinity_convolution(x.transpose(0, 1), weight, a).transpose(0, 1)
    torch.testing.assert_close(ours, paper_by_loops(x, weight, a))


@pytest.mark.parametrize("taps", TAPS)
@pytest.mark.parametrize("channels", [1, 4, 5, 6, 9])  # multiples of h and not
def test_release_convolution_equals_the_unfolded_one(taps: int, channels: int) -> None:
    x, weight, a = tensors(taps, channels)
    torch.testing.assert_close(affinity.release_affinity_convolution(x, weight, a), release_by_unfolding(x, weight, a))


@given(st.sampled_from(TAPS), st.integers(1, 7), st.integers(1, 14))
@settings(max_examples=40, deadline=None)
def test_both_variants_on_short_videos(taps: int, channels: int, snippets: int) -> None:
    x, weight, a = tensors(taps, channels, 3, snippets)
    ours = affinity.affinity_convolution(x.transpose(0, 1), weight, a).transpose(0, 1)
    torch.testing.assert_close(ours, paper_by_loops(x, weight, a))
    torch.testing.assert_close(affinity.release_affinity_convolution(x, weight, a), release_by_unfolding(x, weight, a))


@pytest.mark.parametrize("taps", [1, 3, 5])
def test_gradients_of_weigh_taps(taps: int) -> None:
    products = torch.randn(taps * 3, 2, 6, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 2, taps, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda p, w: affinity.weigh_taps(p, w, affinity.tap_offsets(taps)), (products, weights)
    )
