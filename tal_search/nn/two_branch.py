"""The two-branch network of BackTAL and its BaS-Net ancestor (paper Fig. 3; layers as in the released code).

Shapes: B videos, D input channels, H hidden channels, E embedding channels, C classes, T snippets, h taps (odd), G
branches. Inside the network channels come first ([H, B, T]), so that a layer is one matrix product over all snippets of
the batch, without a copy before or after it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tal_search.nn import affinity, losses
from tal_search.nn.arrays import evaluated, full

NEGATIVE_SLOPE = 0.01  # of LeakyReLU, from the released network; the paper does not state it


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

    def forward(self, products_RBT: Tensor, valid_BT: Tensor | None = None) -> Tensor:
        """From the first layer's tap products, `tap_rows(conv_1.weight) · x`, to [B, E, T]; zero where not valid."""
        hidden = _kept(_activate(_ordinary(products_RBT, self.conv_1)), valid_BT)
        embedding = _ordinary(affinity.multiply(affinity.tap_rows(self.conv_2.weight), hidden), self.conv_2)
        return _kept(_unit(full(embedding.transpose(0, 1))), valid_BT, 1)


class Filter(nn.Module):
    """Conv1d(D→hidden, 1) LeakyReLU Conv1d(hidden→1, 1) sigmoid: the weight w_t of the suppressed branch."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        # Sequential only to keep the released parameter names (filter_module.conv_1.0.weight).
        self.conv_1 = nn.Sequential(nn.Conv1d(channels, hidden, 1))
        self.conv_2 = nn.Sequential(nn.Conv1d(hidden, 1, 1))

    def forward(self, products_RBT: Tensor, valid_BT: Tensor | None = None) -> Tensor:
        """From `tap_rows(conv_1.weight) · x` to [B, 1, T]; zero where not valid."""
        first, second = self.layers()
        hidden = _activate(_ordinary(products_RBT, first))
        weight = _ordinary(affinity.multiply(affinity.tap_rows(second.weight), hidden), second)
        return _kept(torch.sigmoid(full(weight.transpose(0, 1))), valid_BT, 1)

    def layers(self) -> tuple[nn.Conv1d, nn.Conv1d]:
        first, second = self.conv_1[0], self.conv_2[0]
        assert isinstance(first, nn.Conv1d)
        assert isinstance(second, nn.Conv1d)
        return first, second


class Base(nn.Module):
    """Weights of the two temporal convolutions; the network weighs their taps."""

    def __init__(self, channels: int, hidden: int, taps: int, *, biases: bool) -> None:
        super().__init__()
        self.conv_1 = nn.Conv1d(channels, hidden, taps, padding=taps // 2, bias=biases)
        self.conv_2 = nn.Conv1d(hidden, hidden, taps, padding=taps // 2, bias=biases)


class Classifier(nn.Module):
    """Dropout and Conv1d(H→C+1, 1) without bias."""

    def __init__(self, hidden: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.conv = nn.Conv1d(hidden, classes + 1, 1, bias=False)

    def forward(self, hidden_HBT: Tensor) -> Tensor:
        """To the CAS [B, C+1, T]."""
        if self.training:
            hidden_HBT = dropout(hidden_HBT, self.dropout)
        return affinity.multiply(affinity.tap_rows(self.conv.weight), hidden_HBT).transpose(0, 1)


class TwoBranchNetwork(nn.Module):
    """Base branch on x, suppressed branch on w_t·x, with shared weights. Parameter names are the release's.

    convolution: "paper" or "release" affinity convolutions, or "ordinary", the only one that needs no embedding
    (embedding_dim = 0). biases: of the two temporal convolutions, only in BaS-Net's release. scale: factor of the
    features.
    """

    def __init__(
        self, channels: int, classes: int, *, hidden: int, embedding_hidden: int, filter_hidden: int,
        embedding_dim: int, taps: int, dropout: float, convolution: str, biases: bool = False, scale: float = 1.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.convolution = convolution
        self.taps, self.scale = taps, scale
        assert convolution == "ordinary" or (embedding_dim and not biases)
        self.embedding_module = Embedding(channels, embedding_hidden, embedding_dim) if embedding_dim else None
        self.filter_module = Filter(channels, filter_hidden)
        self.base_module = Base(channels, hidden, taps, biases=biases)
        self.classifier_module = Classifier(hidden, classes, dropout)
        for module in self.modules():
            if isinstance(module, nn.Conv1d):
                affinity.store_tap_major(module)

    def forward(self, features_BDT: Tensor, valid_BT: Tensor | None = None) -> Output:
        """Both branches; snippets that are not valid are padding, whose features are zero and whose CAS has no meaning.

        valid_BT: bool, None where all are.
        """
        features_BDT = self._scaled(features_BDT)
        embedding, weight, similarity, products = self._read(features_BDT, valid_BT)
        ones = torch.ones_like(weight)
        first = self._first_layer(features_BDT, products, similarity, torch.stack([ones, weight]))
        first = _kept(first, None if valid_BT is None else torch.cat([valid_BT, valid_BT]))
        base, suppressed = self._classify(first, torch.cat([similarity, similarity])).chunk(2)
        return Output(cas_base=base, cas_supp=suppressed, embedding=embedding, filter=weight)

    def suppressed(self, features_BDT: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The suppressed branch only: CAS [B, C+1, T], first layer [B, H, T] and similarities [B, h, T]."""
        features_BDT = self._scaled(features_BDT)
        _, weight, similarity, products = self._read(features_BDT)
        first = self._first_layer(features_BDT, products, similarity, weight[None])
        return self._classify(first, similarity), first.transpose(0, 1), similarity

    def _scaled(self, features_BDT: Tensor) -> Tensor:
        return features_BDT if self.scale == 1 else features_BDT * self.scale

    def _read(self, features_BDT: Tensor, valid_BT: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Embedding, w_t, similarities [B, h, T] and, except in variant release, the first convolution's tap products
        [h·H, B, T]: all from one matrix product on x."""
        layers = [self.filter_module.layers()[0], self.base_module.conv_1]
        if self.embedding_module is not None:
            layers.insert(0, self.embedding_module.conv_1)
        rows = [affinity.tap_rows(layer.weight) for layer in layers]
        if self.convolution == "release":
            rows[-1] = rows[-1][:0]
        products = affinity.multiply(torch.cat(rows), features_BDT.transpose(0, 1))
        *for_embedding, for_filter, for_base = torch.split(products, [len(part) for part in rows])
        embedding = features_BDT[:, :0]
        if self.embedding_module is not None:
            embedding = self.embedding_module(*for_embedding, valid_BT)
        if self.convolution == "ordinary":  # an affinity convolution with all similarities 1
            batch, _, snippets = features_BDT.shape
            similarity = embedding.new_ones(batch, self.taps, snippets)
        else:
            similarity = affinity.local_similarity(embedding, self.taps)
        return embedding, self.filter_module(for_filter, valid_BT), similarity, for_base

    def _first_layer(self, features: Tensor, products: Tensor, similarity: Tensor, gates_GB1T: Tensor) -> Tensor:
        """LeakyReLU of the first convolution of each gate's branch: [H, G·B, T]."""
        if self.convolution == "release":
            inputs = (gates_GB1T * features).flatten(0, 1).transpose(0, 1)
            repeated = torch.cat([similarity] * len(gates_GB1T))
            return _activate(self._convolve(inputs, self.base_module.conv_1, repeated))
        offsets = affinity.tap_offsets(self.taps)
        neighbours = torch.stack([affinity.shifted(gates_GB1T[:, :, 0], offset) for offset in offsets], dim=2)
        summed = affinity.weigh_taps(products, similarity * neighbours, offsets)
        return _activate(_biased(summed, self.base_module.conv_1))

    def _convolve(self, inputs_DBT: Tensor, layer: nn.Conv1d, similarity: Tensor) -> Tensor:
        if self.convolution == "release":
            inputs_BDT = inputs_DBT.transpose(0, 1)
            return affinity.release_affinity_convolution(inputs_BDT, layer.weight, similarity).transpose(0, 1)
        return affinity.affinity_convolution(inputs_DBT, layer.weight, similarity)

    def _classify(self, first_HBT: Tensor, similarity: Tensor) -> Tensor:
        second = _biased(self._convolve(first_HBT, self.base_module.conv_2, similarity), self.base_module.conv_2)
        return self.classifier_module(_activate(second))  # type: ignore[no-any-return]


def read_out(
    network: TwoBranchNetwork, features_NDT: NDArray[np.floating], k_ratio: float
) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]:
    """For localization, of the suppressed branch: CAS [N, C+1, T], norm of the first layer [N, T], video scores
    [N, C+1], and the similarities [N, h, T] that weigh its taps. The network is left in evaluation mode.
    """

    def outputs(features: Tensor) -> tuple[Tensor, ...]:
        cas, hidden, similarity = network.suppressed(features)
        cas = full(cas)
        scores = losses.video_scores(cas, losses.top_k(k_ratio, cas.shape[-1])).softmax(1)
        return cas, _squares(full(hidden))[:, 0].sqrt(), scores, full(similarity)

    cas, attention, scores, similarity = evaluated(network, features_NDT, outputs)
    return cas, attention, scores, similarity


def _ordinary(products_RBT: Tensor, layer: nn.Conv1d) -> Tensor:
    """Ordinary convolution of `layer`, from its tap products: [H, B, T]."""
    assert layer.bias is not None
    taps = layer.kernel_size[0]
    ones = products_RBT.new_ones(1, products_RBT.shape[1], taps, products_RBT.shape[2])
    summed = affinity.weigh_taps(products_RBT, ones, affinity.tap_offsets(taps)) if taps > 1 else products_RBT
    return summed + layer.bias.to(summed.dtype)[:, None, None]


def _biased(summed_HBT: Tensor, layer: nn.Conv1d) -> Tensor:
    """Add the layer's bias, if it has one; in place, as nothing else reads the sum."""
    return summed_HBT if layer.bias is None else summed_HBT.add_(layer.bias.to(summed_HBT.dtype)[:, None, None])


def dropout(hidden: Tensor, share: float) -> Tensor:
    """Dropout with its share rounded to 16 bits.

    On a CPU PyTorch draws one random number per element in a single thread; here four elements share one number.
    """
    if not hidden.is_cpu:
        return functional.dropout(hidden, share)
    count, dropped = hidden.numel(), round(share * 2**16)
    if dropped == 0:
        return hidden
    numbers = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    last = dropped - 2**15 - 1  # the highest number that is dropped; clamping, unlike comparing, is vectorised
    kept = numbers.view(torch.int16)[:count].view(hidden.shape).clamp_(last, last + 1).sub_(last)
    return hidden * kept.to(hidden.dtype).mul_(2**16 / (2**16 - dropped))


def _activate(hidden: Tensor) -> Tensor:
    return functional.leaky_relu_(hidden, NEGATIVE_SLOPE)  # in place, as nothing else reads the sum


def _unit(vectors_BET: Tensor) -> Tensor:
    """Each vector divided by its length, at least 1e-12."""
    return vectors_BET * _squares(vectors_BET).clamp_min(1e-24).rsqrt()  # the clamp also keeps the gradient at 0 finite


def _kept(values: Tensor, valid_BT: Tensor | None, channels: int = 0) -> Tensor:
    """The values, zero where not valid; channels: which of the three axes is not B or T."""
    return values if valid_BT is None else values * valid_BT.unsqueeze(channels)


def _squares(vectors_BET: Tensor) -> Tensor:
    """Squared lengths over E, [B, 1, T]: ten times as fast as `norm` over an axis that is not the last."""
    squares: Tensor = (vectors_BET * vectors_BET).sum(1, keepdim=True)
    return squares
