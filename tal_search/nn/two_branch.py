"""The two-branch network of BackTAL and its BaS-Net ancestor (paper Fig. 3; layers as in the released code).

Shapes: B videos, D input channels, H hidden channels, E embedding channels, C classes, T snippets, h taps (odd).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tal_search.nn import affinity

# The released network's; the paper does not state one.
NEGATIVE_SLOPE = 0.01


@dataclass(frozen=True)
class Output:
    """Both branches: CAS [B, C+1, T]; unit embedding [B, E, T]; filter weights w_t [B, 1, T]."""

    cas_base: Tensor
    cas_supp: Tensor
    embedding: Tensor
    filter: Tensor


class Embedding(nn.Module):
    """Conv1d(D→hidden, 3) LeakyReLU Conv1d(hidden→E, 3), unit length over channels."""

    def __init__(self, channels: int, hidden: int, dimension: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv1d(channels, hidden, 3, padding=1)
        self.conv_2 = nn.Conv1d(hidden, dimension, 3, padding=1)

    def forward(self, features_BDT: Tensor) -> Tensor:
        hidden = functional.leaky_relu(self.conv_1(features_BDT), NEGATIVE_SLOPE)
        return functional.normalize(self.conv_2(hidden), dim=1)


class Filter(nn.Module):
    """Conv1d(D→hidden, 1) LeakyReLU Conv1d(hidden→1, 1) sigmoid: the weight w_t of the suppressed branch."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        # Sequential only for the released parameter names (filter_module.conv_1.0.weight).
        self.conv_1 = nn.Sequential(nn.Conv1d(channels, hidden, 1))
        self.conv_2 = nn.Sequential(nn.Conv1d(hidden, 1, 1))

    def forward(self, features_BDT: Tensor) -> Tensor:
        hidden = functional.leaky_relu(self.conv_1(features_BDT), NEGATIVE_SLOPE)
        return torch.sigmoid(self.conv_2(hidden))


class Base(nn.Module):
    """Weights of the two temporal convolutions; how their taps are weighted is the network's choice."""

    def __init__(self, channels: int, hidden: int, taps: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv1d(channels, hidden, taps, padding=taps // 2, bias=False)
        self.conv_2 = nn.Conv1d(hidden, hidden, taps, padding=taps // 2, bias=False)


class Classifier(nn.Module):
    """Dropout and Conv1d(H→C+1, 1) without bias."""

    def __init__(self, hidden: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.conv = nn.Conv1d(hidden, classes + 1, 1, bias=False)

    def forward(self, hidden_BHT: Tensor) -> Tensor:
        return self.conv(self.dropout(hidden_BHT))  # type: ignore[no-any-return]


class TwoBranchNetwork(nn.Module):
    """Base branch on x, suppressed branch on w_t·x, shared weights. Parameter names are the release's.

    convolution: "paper" or "release" affinity convolutions, or "ordinary".
    """

    def __init__(
        self, channels: int, classes: int, *, hidden: int, embedding_hidden: int, filter_hidden: int,
        embedding_dim: int, taps: int, dropout: float, convolution: str,
    ) -> None:  # fmt: skip
        super().__init__()
        self.convolution = convolution
        self.taps = taps
        self.embedding_module = Embedding(channels, embedding_hidden, embedding_dim)
        self.filter_module = Filter(channels, filter_hidden)
        self.base_module = Base(channels, hidden, taps)
        self.classifier_module = Classifier(hidden, classes, dropout)

    def forward(self, features_BDT: Tensor) -> Output:
        embedding = self.embedding_module(features_BDT)
        weight = self.filter_module(features_BDT)
        similarity = affinity.local_similarity(embedding, self.taps)
        first = self._first_layer(features_BDT, weight, similarity, both=True)
        cas = self._classify(first, torch.cat([similarity, similarity]))
        base, suppressed = cas.chunk(2)
        return Output(cas_base=base, cas_supp=suppressed, embedding=embedding, filter=weight)

    def suppressed(self, features_BDT: Tensor) -> tuple[Tensor, Tensor]:
        """The suppressed branch alone, all that localization reads: CAS [B, C+1, T] and the first layer [B, H, T]."""
        similarity = affinity.local_similarity(self.embedding_module(features_BDT), self.taps)
        first = self._first_layer(features_BDT, self.filter_module(features_BDT), similarity, both=False)
        return self._classify(first, similarity), first

    def _first_layer(self, features: Tensor, weight: Tensor, similarity: Tensor, *, both: bool) -> Tensor:
        """LeakyReLU of the first convolution, the base branch stacked over the suppressed one: [2B or B, H, T]."""
        if self.convolution == "paper":  # w_t is a scalar per position: one matrix product serves both branches
            offsets = affinity.tap_offsets(self.taps)
            products = affinity.tap_products(features, self.base_module.conv_1.weight)
            neighbours = torch.stack([affinity.shifted(weight[:, 0], offset) for offset in offsets], dim=1)
            suppressed = similarity * neighbours
            weights = torch.stack([similarity, suppressed]) if both else suppressed[None]
            out = affinity.weigh_taps(products, weights, offsets).flatten(0, 1)
        else:
            inputs = torch.cat([features, weight * features]) if both else weight * features
            out = self._convolve(inputs, self.base_module.conv_1, torch.cat([similarity] * (2 if both else 1)))
        return functional.leaky_relu(out, NEGATIVE_SLOPE)

    def _convolve(self, inputs: Tensor, layer: nn.Conv1d, similarity: Tensor) -> Tensor:
        if self.convolution == "ordinary":
            return layer(inputs)  # type: ignore[no-any-return]
        if self.convolution == "release":
            return affinity.release_affinity_convolution(inputs, layer.weight, similarity)
        return affinity.affinity_convolution(inputs, layer.weight, similarity)

    def _classify(self, first_BHT: Tensor, similarity: Tensor) -> Tensor:
        second = self._convolve(first_BHT, self.base_module.conv_2, similarity)
        return self.classifier_module(functional.leaky_relu(second, NEGATIVE_SLOPE))  # type: ignore[no-any-return]
