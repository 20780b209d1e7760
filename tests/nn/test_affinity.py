"""The fast affinity convolutions against the equation written as loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from tal_search.methods.backtal import BackTAL, Hyperparameters
from tal_search.nn import affinity
from tal_search.nn.two_branch import TwoBranchNetwork
from tal_search.types import VideoSet

TAPS = (1, 3, 5, 7, 9)


def cosine_by_loops(embedding_BET: Tensor, taps: int) -> Tensor:
    batch, _, snippets = embedding_BET.shape
    out = torch.zeros(batch, taps, snippets, dtype=embedding_BET.dtype)
    for i in range(taps):
        for t in range(snippets):
            other = t - taps // 2 + i
            if 0 <= other < snippets:
                out[:, i, t] = functional.cosine_similarity(embedding_BET[:, :, t], embedding_BET[:, :, other])
    out[:, taps // 2] = 1
    return out


def paper_by_loops(x_BDT: Tensor, weight_HDh: Tensor, a_BhT: Tensor) -> Tensor:
    """f_t = Σ_i W_i · (a[i, t] · x[t − ⌊h/2⌋ + i])."""
    taps, snippets = weight_HDh.shape[-1], x_BDT.shape[-1]
    out = torch.zeros(len(x_BDT), len(weight_HDh), snippets, dtype=x_BDT.dtype)
    for t in range(snippets):
        for i in range(taps):
            other = t - taps // 2 + i
            if 0 <= other < snippets:
                out[:, :, t] += (a_BhT[:, i, t, None] * x_BDT[:, :, other]) @ weight_HDh[:, :, i].T
    return out


def release_by_unfolding(x_BDT: Tensor, weight_HDh: Tensor, a_BhT: Tensor) -> Tensor:
    """Channel-major rows c·h + i of the unfolded input, each weighted by a[⌊row / D⌋, t]."""
    batch, channels, snippets = x_BDT.shape
    taps = weight_HDh.shape[-1]
    padded = functional.pad(x_BDT, (taps // 2, taps // 2))
    out = torch.zeros(batch, len(weight_HDh), snippets, dtype=x_BDT.dtype)
    for row in range(channels * taps):
        channel, tap = divmod(row, taps)
        modulated = padded[:, channel, tap : tap + snippets] * a_BhT[:, row // channels]
        out += weight_HDh[None, :, channel, tap, None] * modulated[:, None]
    return out


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


@pytest.mark.parametrize("convolution", ["paper", "release", "ordinary"])
@pytest.mark.parametrize("taps", [1, 3, 7])
def test_branches_are_the_network_on_x_and_on_weighted_x(convolution: str, taps: int) -> None:
    torch.manual_seed(taps)
    network = TwoBranchNetwork(
        6, 3, hidden=5, embedding_hidden=4, filter_hidden=4, embedding_dim=3, taps=taps, dropout=0.5,
        convolution=convolution,
    ).double().eval()  # fmt: skip
    x = torch.randn(2, 6, 13, dtype=torch.float64)
    reference = {"paper": paper_by_loops, "release": release_by_unfolding}.get(
        convolution, lambda inputs, weight, _: functional.conv1d(inputs, weight, padding=taps // 2)
    )
    output = network(x)
    a = cosine_by_loops(output.embedding, taps)

    def branch(inputs: Tensor) -> Tensor:
        first = functional.leaky_relu(reference(inputs, network.base_module.conv_1.weight, a), 0.01)
        second = functional.leaky_relu(reference(first, network.base_module.conv_2.weight, a), 0.01)
        return functional.conv1d(second, network.classifier_module.conv.weight)

    torch.testing.assert_close(output.cas_base, branch(x))
    torch.testing.assert_close(output.cas_supp, branch(x * output.filter))


@pytest.mark.parametrize("taps", [3, 5])
def test_what_is_kept_of_a_video_holds_the_mask_that_weighed_its_taps(taps: int) -> None:
    torch.manual_seed(0)
    settings = Hyperparameters(kernel_size=taps, embedding_dim=4)
    method = BackTAL(settings, 6, 3)
    features = torch.randn(2, 6, 9)
    videos = VideoSet.labelled(
        videos=("a", "b"), features=features.numpy(), labels=np.zeros((2, 3), np.float32), duration=np.ones(2),
        frames=np.ones(2, np.int64),
    )  # fmt: skip
    kept = method.activations(videos)
    with torch.no_grad():
        expected = cosine_by_loops(method.network(features).embedding, taps)
    assert kept.affinity is not None
    assert torch.from_numpy(kept.affinity).allclose(expected, atol=1e-6)
    assert BackTAL(replace(settings, affinity=False), 6, 3).activations(videos).affinity is None
