"""Feature pyramid of ActionFormer and ASL: projection, encoder, and two heads that all levels share.

Shapes: B videos, D input channels, H width, T snippets, C classes, L levels, P points of all levels. Level l has
⌈T / 2^l⌉ points; all times are in snippets, from 0 to T. valid: bool [B, T], None where no snippet is padding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tal_search.files.heartbeat import beat
from tal_search.nn.arrays import evaluated, full
from tal_search.nn.pyramid.encoder import Encoder, EncoderSettings, masked

HEAD_LAYERS = 2  # hidden layers of each head
RARE = 0.01  # initial score of every class, so that background does not dominate the first steps (RetinaNet)


@dataclass(frozen=True)
class Output:
    """At every point: class logits [B, P, C]; segments [B, P, 2], start and end in snippets, start ≤ point ≤ end (both
    < where distances are softplus); `levels`, the pyramid's features, [B, T_l, H] each; valid bool [B, P], None where
    no point is padding."""

    logits: Tensor
    segments: Tensor
    levels: tuple[Tensor, ...]
    valid: Tensor | None

    @property
    def lengths(self) -> list[int]:
        """Points of each level."""
        return [level.shape[1] for level in self.levels]


class Convolution(nn.Module):
    """Conv1d of three taps, LayerNorm over channels, ReLU, on [B, T, H]; zero at padding."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv1d(channels, width, 3, padding=1, bias=False), nn.LayerNorm(width)

    def forward(self, x_BTH: Tensor, valid_BT: Tensor | None = None) -> Tensor:
        hidden_BTH: Tensor = self.norm(self.conv(x_BTH.transpose(1, 2)).transpose(1, 2))
        return masked(functional.relu(hidden_BTH), valid_BT)


class Head(nn.Module):
    """Hidden convolutions and one that gives `outputs` values per point; shared by all levels."""

    def __init__(self, width: int, outputs: int, start: float) -> None:
        super().__init__()
        self.hidden = nn.ModuleList(Convolution(width, width) for _ in range(HEAD_LAYERS))
        self.out = nn.Conv1d(width, outputs, 3, padding=1)
        assert self.out.bias is not None
        nn.init.constant_(self.out.bias, start)

    def forward(self, x_BTH: Tensor, valid_BT: Tensor | None = None) -> Tensor:
        for layer in self.hidden:
            x_BTH = layer(x_BTH, valid_BT)
        values_BOT: Tensor = self.out(x_BTH.transpose(1, 2))
        return values_BOT.transpose(1, 2)


class PyramidNetwork(nn.Module):
    """Two convolutions, the encoder, and two heads on every level.

    relu: distances are ReLU, as ActionFormer's; else softplus, so that a distance of zero still gets a gradient.
    """

    def __init__(self, channels: int, classes: int, settings: EncoderSettings, *, relu: bool = False) -> None:
        super().__init__()
        width = settings.width
        self.embedding = nn.ModuleList([Convolution(channels, width), Convolution(width, width)])
        self.encoder, self.relu = Encoder(settings), relu
        self.classifier = Head(width, classes, -math.log((1 - RARE) / RARE))
        self.regressor = Head(width, 2, 0.0 if relu else 1.0)
        self.scales = nn.Parameter(torch.ones(settings.levels))  # of the distances, relative to the level's stride

    def forward(self, features_BDT: Tensor, valid_BT: Tensor | None = None) -> Output:
        x_BTH = masked(features_BDT.transpose(1, 2), valid_BT)
        for layer in self.embedding:
            x_BTH = layer(x_BTH, valid_BT)
        levels = self.encoder(x_BTH, valid_BT)
        positive = functional.relu if self.relu else functional.softplus
        logits, segments = [], []
        for number, (level_BTH, seen_BT) in enumerate(levels):
            logits.append(self.classifier(level_BTH, seen_BT))
            scaled_BT2 = full(self.regressor(level_BTH, seen_BT)) * self.scales[number]
            segments.append(decode(positive(scaled_BT2), number))
        valid_BP = None if valid_BT is None else torch.cat([seen for _, seen in levels], 1)
        return Output(torch.cat(logits, 1), torch.cat(segments, 1), tuple(level for level, _ in levels), valid_BP)


def decode(distances_BT2: Tensor, level: int) -> Tensor:
    """Segments [B, T_l, 2] in snippets from distances to start and end, which are in strides of 2^level snippets."""
    time_T = locations(distances_BT2.shape[1], level, distances_BT2.device)
    before_BT, after_BT = (distances_BT2 * 2**level).unbind(2)
    return torch.stack([time_T - before_BT, time_T + after_BT], 2)


def locations(points: int, level: int, device: torch.device) -> Tensor:
    """Times of a level's points, i·2^level + .5 snippets, [T_l].

    Convolutions and pooling of stride 2 with padding 1 are centred on every second point, starting with the first, so a
    point lies at the middle of snippet i·2^level (as in ActionFormer), not of the 2^level snippets.
    """
    return torch.arange(points, device=device) * float(2**level) + 0.5


def level_lengths(snippets: int, levels: int) -> list[int]:
    """Points of each level, ⌈T / 2^l⌉."""
    return [math.ceil(snippets / 2**level) for level in range(levels)]


def evaluated_points(
    pyramid: PyramidNetwork, features_NDT: NDArray[np.floating]
) -> Iterator[tuple[NDArray[np.floating], ...]]:
    """Class scores [P, C] and segments [P, 2] in snippets of each video in turn; all T snippets are the video's."""

    def outputs(features: Tensor) -> tuple[Tensor, ...]:
        beat("evaluating")
        output = pyramid(features)
        return full(output.logits).sigmoid(), output.segments

    return zip(*evaluated(pyramid, features_NDT, outputs), strict=True)
