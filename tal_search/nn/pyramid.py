"""Feature pyramid of ASL: transformer blocks with attention over time and over channels, and its two heads.

Shapes: B videos, D input channels, H width, T snippets, C classes, L levels, P points of all levels. Level l has
⌈T / 2^l⌉ points; all times are in snippets, from 0 to T.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

MOST_HEADS = 4
MLP_RATIO = 2
HEAD_LAYERS = 2  # hidden layers of each head
RARE = 0.01  # initial score of every class, so that background does not dominate the first steps (RetinaNet)


@dataclass(frozen=True)
class Output:
    """At every point: class logits [B, P, C]; segments [B, P, 2], start and end in snippets, start < point < end;
    `levels`, the pyramid's features, [B, T_l, H] each."""

    logits: Tensor
    segments: Tensor
    levels: tuple[Tensor, ...]


class Block(nn.Module):
    """Transformer block with attention f' = (1−θ)·f_ta + θ·f_caᵀ (notes, Eq. 1-3); stride 2 halves the points.

    A depthwise convolution before the attention applies the stride and makes positional encoding unnecessary. In the
    channel attention, queries and keys of a channel are its values over time.
    """

    def __init__(self, width: int, stride: int, theta: float, dropout: float) -> None:
        super().__init__()
        self.stride, self.theta, self.heads = stride, theta, math.gcd(width, MOST_HEADS)
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.local = nn.Conv1d(width, width, 3, stride, padding=1, groups=width)
        self.temporal, self.channel = nn.Linear(width, 3 * width), nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, MLP_RATIO * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(MLP_RATIO * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BTH: Tensor) -> Tensor:
        local_BTH = self.local(self.norm_1(x_BTH).transpose(1, 2)).transpose(1, 2)
        mixed_BTH = (1 - self.theta) * self.over_time(local_BTH) + self.theta * self.over_channels(local_BTH)
        if self.stride > 1:
            x_BTH = functional.max_pool1d(x_BTH.transpose(1, 2), 3, self.stride, padding=1).transpose(1, 2)
        x_BTH = x_BTH + self.dropout(self.out(mixed_BTH))
        return x_BTH + self.dropout(self.mlp(self.norm_2(x_BTH)))  # type: ignore[no-any-return]

    def over_time(self, x_BTH: Tensor) -> Tensor:
        """f_ta, multi-head attention over time (Eq. 1)."""
        batch, points, width = x_BTH.shape
        parts = self.temporal(x_BTH).view(batch, points, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # [B, heads, T, width of a head]
        return _attend(query, key, value).transpose(1, 2).reshape(batch, points, width)

    def over_channels(self, x_BTH: Tensor) -> Tensor:
        """f_caᵀ, attention over channels (Eq. 2)."""
        query, key, value = self.channel(x_BTH).transpose(1, 2).chunk(3, dim=1)  # [B, H, T]
        return _attend(query, key, value).transpose(1, 2)


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(QKᵀ/√d)·V, where d is the last axis."""
    similarity = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    return similarity.softmax(-1) @ value


class Convolution(nn.Module):
    """Conv1d of three taps, LayerNorm over channels, ReLU, on [B, T, H]."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv1d(channels, width, 3, padding=1, bias=False), nn.LayerNorm(width)

    def forward(self, x_BTH: Tensor) -> Tensor:
        hidden_BTH: Tensor = self.norm(self.conv(x_BTH.transpose(1, 2)).transpose(1, 2))
        return functional.relu(hidden_BTH)


class Head(nn.Module):
    """Hidden convolutions and one that gives `outputs` values per point; shared by all levels."""

    def __init__(self, width: int, outputs: int, start: float) -> None:
        super().__init__()
        self.hidden = nn.Sequential(*(Convolution(width, width) for _ in range(HEAD_LAYERS)))
        self.out = nn.Conv1d(width, outputs, 3, padding=1)
        assert self.out.bias is not None
        nn.init.constant_(self.out.bias, start)

    def forward(self, x_BTH: Tensor) -> Tensor:
        values_BOT: Tensor = self.out(self.hidden(x_BTH).transpose(1, 2))
        return values_BOT.transpose(1, 2)


class PyramidNetwork(nn.Module):
    """Two convolutions, a block at full length, a block of stride 2 per further level; two heads on every level."""

    def __init__(self, channels: int, classes: int, *, width: int, levels: int, theta: float, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Sequential(Convolution(channels, width), Convolution(width, width))
        self.blocks = nn.ModuleList(Block(width, 1 if level == 0 else 2, theta, dropout) for level in range(levels))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(levels))
        self.classifier = Head(width, classes, -math.log((1 - RARE) / RARE))
        self.regressor = Head(width, 2, 1.0)
        self.scales = nn.Parameter(torch.ones(levels))  # of the distances, relative to the level's stride

    def forward(self, features_BDT: Tensor) -> Output:
        x_BTH, levels = self.embedding(features_BDT.transpose(1, 2)), []
        for block, norm in zip(self.blocks, self.norms, strict=True):
            x_BTH = block(x_BTH)
            levels.append(norm(x_BTH))
        logits, segments = [], []
        for number, level_BTH in enumerate(levels):
            logits.append(self.classifier(level_BTH))
            # softplus instead of the usual ReLU, so that a distance of zero still gets a gradient
            distances_BT2 = functional.softplus(self.regressor(level_BTH).float() * self.scales[number])
            segments.append(decode(distances_BT2, number))
        return Output(torch.cat(logits, 1), torch.cat(segments, 1), tuple(levels))


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
