"""Encoder of ActionFormer and ASL: transformer blocks, those after the stem with stride 2, one pyramid level each.

Shapes: B videos, H width, T points of a level. valid: bool [B, T], None where no point is padding. A padded point
changes no other; its own values have no meaning.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tal_search.nn.pyramid.attention import attend, attend_locally

MOST_HEADS = 4
FIRST_SCALE = 1e-4  # LayerScale (Touvron et al., ICCV 2021), so that each block is the identity at first


@dataclass(frozen=True, kw_only=True)
class EncoderSettings:
    """Settings of an encoder.

    width: H, channels; levels: of the pyramid; stem: blocks at full length; theta: share of the channel attention,
    None without its weights; window: points that each one sees, None for all; apart: queries, keys and values have
    a normalised convolution each instead of one together; mlp_ratio: hidden channels of the MLP, in widths;
    layer_scale: whether each branch starts scaled by 1e-4; drop_path: probability that a video skips a branch.
    """

    width: int
    levels: int
    stem: int = 1
    theta: float | None = None
    window: int | None = None
    apart: bool = False
    mlp_ratio: int = 2
    layer_scale: bool = False
    dropout: float = 0.0
    drop_path: float = 0.0


def actionformer_settings(
    *, width: int, levels: int, window: int, drop_path: float, theta: float | None = None, dropout: float = 0.0
) -> EncoderSettings:
    """ActionFormer's encoder; theta: None, as it has no channel attention."""
    return EncoderSettings(
        width=width, levels=levels, stem=2, theta=theta, window=window, apart=True, mlp_ratio=4, layer_scale=True,
        dropout=dropout, drop_path=drop_path,
    )  # fmt: skip


class Block(nn.Module):
    """Pre-norm transformer block with attention over time, mixed with attention over channels if there is a θ.

    f' = (1−θ)·f_ta + θ·f_caᵀ (ASL's notes, Eq. 1-3). A depthwise convolution before the attention applies the stride
    and makes positional encoding unnecessary. In the channel attention, queries and keys of a channel are its values
    over time.
    """

    def __init__(self, settings: EncoderSettings, stride: int) -> None:
        super().__init__()
        width, self.settings, self.stride = settings.width, settings, stride
        self.heads = math.gcd(width, MOST_HEADS)
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.local = _Local(width, stride) if settings.apart else nn.Conv1d(width, width, 3, stride, 1, groups=width)
        self.temporal = nn.Linear(width, 3 * width)
        self.channel = None if settings.theta is None else nn.Linear(width, 3 * width)
        self.out, hidden = nn.Linear(width, width), settings.mlp_ratio * width
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Dropout(settings.dropout), nn.Linear(hidden, width)
        )
        self.dropout = nn.Dropout(settings.dropout)
        self.scales = nn.Parameter(torch.full((2, width), FIRST_SCALE)) if settings.layer_scale else None

    def forward(self, x_BTH: Tensor, valid_BT: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """The block's output and which of its points are valid, every second one of stride 2."""
        normed_BHT = masked(self.norm_1(x_BTH), valid_BT).transpose(1, 2)
        after_BT = None if valid_BT is None else valid_BT[:, :: self.stride]
        mixed_BTH = self.mixed(self.convolved(normed_BHT), after_BT)
        if self.stride > 1:
            x_BTH = _pooled(x_BTH, self.stride, valid_BT)
        x_BTH = x_BTH + self._branch(self.dropout(self.out(mixed_BTH)), 0)
        return x_BTH + self._branch(self.dropout(self.mlp(self.norm_2(x_BTH))), 1), after_BT

    def convolved(self, normed_BHT: Tensor) -> tuple[Tensor, ...]:
        """Inputs [B, T, H] of the projections to queries, keys and values: three, or one for all."""
        if isinstance(self.local, _Local):
            return self.local(normed_BHT)  # type: ignore[no-any-return]
        return (self.local(normed_BHT).transpose(1, 2),)

    def mixed(self, inputs: tuple[Tensor, ...], valid_BT: Tensor | None = None) -> Tensor:
        """f', [B, T, H]."""
        over_time_BTH = self.over_time(inputs, valid_BT)
        if self.settings.theta is None:
            return over_time_BTH
        return (1 - self.settings.theta) * over_time_BTH + self.settings.theta * self.over_channels(inputs, valid_BT)

    def over_time(self, inputs: tuple[Tensor, ...], valid_BT: Tensor | None = None) -> Tensor:
        """f_ta, multi-head attention over time (Eq. 1)."""
        parts = _projected(self.temporal, inputs)
        parts = parts.view(*parts.shape[:2], 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # [B, heads, T, width of a head]
        if self.settings.window is not None:
            attended = attend_locally(query, key, value, self.settings.window, valid_BT)
        else:
            attended = attend(query, key, value, None if valid_BT is None else valid_BT[:, None, None])
        return attended.transpose(1, 2).flatten(2)

    def over_channels(self, inputs: tuple[Tensor, ...], valid_BT: Tensor | None = None) -> Tensor:
        """f_caᵀ, attention over channels (Eq. 2); a padded point adds nothing to a similarity, nor to its √T."""
        assert self.channel is not None
        query, key, value = masked(_projected(self.channel, inputs), valid_BT).transpose(1, 2).chunk(3, dim=1)
        if valid_BT is not None:  # `attend` divides by the root of all points
            query = query * (valid_BT.shape[1] / valid_BT.sum(1).to(query.dtype)).sqrt()[:, None, None]
        return attend(query, key, value).transpose(1, 2)

    def _branch(self, branch_BTH: Tensor, number: int) -> Tensor:
        """A residual branch, scaled, and dropped for some videos in training (Huang et al., ECCV 2016)."""
        if self.scales is not None:
            branch_BTH = branch_BTH * self.scales[number]
        drop = self.settings.drop_path
        if self.training and drop > 0:
            kept_B = torch.rand(len(branch_BTH), device=branch_BTH.device) >= drop
            branch_BTH = branch_BTH * (kept_B / (1 - drop)).to(branch_BTH.dtype)[:, None, None]
        return branch_BTH


class _Local(nn.Module):
    """Depthwise convolutions of queries, keys and values, each with a LayerNorm."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, width, 3, stride, 1, groups=width, bias=False) for _ in range(3)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))

    def forward(self, x_BHT: Tensor) -> tuple[Tensor, ...]:
        pairs = zip(self.convolutions, self.norms, strict=True)
        return tuple(norm(convolution(x_BHT).transpose(1, 2)) for convolution, norm in pairs)


def _projected(linear: nn.Linear, inputs: tuple[Tensor, ...]) -> Tensor:
    """Queries, keys and values, [B, T, 3 H]; inputs: of each, or one for all."""
    if len(inputs) == 1:
        return linear(inputs[0])  # type: ignore[no-any-return]
    parts = zip(inputs, linear.weight.chunk(3), linear.bias.chunk(3), strict=True)
    return torch.cat([functional.linear(x_BTH, weight, bias) for x_BTH, weight, bias in parts], -1)


def _pooled(x_BTH: Tensor, stride: int, valid_BT: Tensor | None) -> Tensor:
    """Maximum of the three points around every second one, or fewer at the ends of the video."""
    if valid_BT is not None:
        x_BTH = x_BTH.masked_fill(~valid_BT[..., None], -math.inf)
    pooled_BTH = functional.max_pool1d(x_BTH.transpose(1, 2), 3, stride, padding=1).transpose(1, 2)
    return masked(pooled_BTH, None if valid_BT is None else valid_BT[:, ::stride])


def masked(x_BTH: Tensor, valid_BT: Tensor | None) -> Tensor:
    """Zeros at padding, so that a convolution sees there what it sees beyond the ends of a video."""
    return x_BTH if valid_BT is None else x_BTH.masked_fill(~valid_BT[..., None], 0.0)


class Encoder(nn.Module):
    """The blocks, and the LayerNorm of each level."""

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__()
        strides = [1] * settings.stem + [2] * (settings.levels - 1)
        self.blocks = nn.ModuleList(Block(settings, stride) for stride in strides)
        self.norms = nn.ModuleList(nn.LayerNorm(settings.width) for _ in range(settings.levels))

    def forward(self, x_BTH: Tensor, valid_BT: Tensor | None) -> list[tuple[Tensor, Tensor | None]]:
        """Features [B, T_l, H] of each level, zero at padding, and which points are valid; T_l = ⌈T / 2^l⌉."""
        levels: list[tuple[Tensor, Tensor | None]] = []
        below = len(self.blocks) - len(self.norms)  # blocks of the stem before the one that gives the first level
        for number, block in enumerate(self.blocks):
            x_BTH, valid_BT = block(x_BTH, valid_BT)
            if number >= below:
                levels.append((masked(self.norms[number - below](x_BTH), valid_BT), valid_BT))
        return levels
