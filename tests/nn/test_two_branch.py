"""The two-branch network: its branches against loops, its biases, and the network without an embedding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tal_search.methods import basnet
from tal_search.methods.backtal import BackTAL, Hyperparameters
from tal_search.nn.two_branch import TwoBranchNetwork
from tal_search.types import VideoSet
from tests.support.affinity_loops import cosine_by_loops, paper_by_loops, release_by_unfolding


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


def test_a_bias_is_added_in_either_branch_as_an_ordinary_convolution_adds_it() -> None:
    torch.manual_seed(0)
    network = basnet.BaSNet(basnet.Hyperparameters(variant="release", dropout=0.0), 8, 3).network
    features = torch.randn(2, 8, 20)
    found = network(features)
    for cas, inputs in ((found.cas_base, features), (found.cas_supp, found.filter * features)):
        hidden = functional.leaky_relu(network.base_module.conv_1(inputs), 0.01)
        hidden = functional.leaky_relu(network.base_module.conv_2(hidden), 0.01)
        torch.testing.assert_close(cas, network.classifier_module.conv(hidden))


def test_its_network_is_backtals_with_ordinary_convolutions_and_no_embedding() -> None:
    widths = {"hidden": 6, "filter_hidden": 3, "taps": 3, "dropout": 0.5, "convolution": "ordinary"}
    with_embedding = TwoBranchNetwork(8, 4, embedding_hidden=3, embedding_dim=2, **widths)
    without = TwoBranchNetwork(8, 4, embedding_hidden=0, embedding_dim=0, **widths)
    state = {name: value for name, value in with_embedding.state_dict().items() if "embedding" not in name}
    without.load_state_dict(state)
    with_embedding.eval()
    without.eval()
    features = torch.randn(2, 8, 20)
    one, other = with_embedding(features), without(features)
    for name in ("cas_base", "cas_supp", "filter"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name))
    assert other.embedding.shape == (2, 0, 20)
