"""The affinity convolution: a temporal convolution whose taps are weighted by local similarity (paper Sec. 3.4).

Shapes: B videos, D input channels, H output channels, T snippets, h taps (odd), E embedding channels, G groups of
weights applied to the same products (the base and the suppressed branch).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def shifted(sequence: Tensor, offset: int) -> Tensor:
    """`out[..., t] = sequence[..., t + offset]`, zero outside."""
    if offset == 0:
        return sequence
    if abs(offset) >= sequence.shape[-1]:
        return torch.zeros_like(sequence)
    if offset > 0:
        return functional.pad(sequence[..., offset:], (0, offset))
    return functional.pad(sequence[..., :offset], (-offset, 0))


def local_similarity(embedding_BET: Tensor, taps: int) -> Tensor:
    """Cosine of each snippet with its `taps` neighbours: [B, h, T], 1 at the centre, 0 outside the video (Eq. 14).

    `embedding_BET` has unit length over its channels.
    """
    rows = [torch.ones_like(embedding_BET[:, 0])]
    for offset in range(1, taps // 2 + 1):  # cosine is symmetric: the left neighbour's is the right one's, shifted
        right = (embedding_BET * shifted(embedding_BET, offset)).sum(1)
        rows = [shifted(right, -offset), *rows, right]
    return torch.stack(rows, dim=1)


def tap_offsets(taps: int) -> tuple[int, ...]:
    """Where each tap reads, relative to the snippet it contributes to."""
    return tuple(tap - taps // 2 for tap in range(taps))


def weigh_taps(products_BhHT: Tensor, weights_GBhT: Tensor, offsets: tuple[int, ...]) -> Tensor:
    """Σ_i weights[g, b, i, t] · products[b, i, :, t + offsets[i]]: [G, B, H, T] (Eq. 15-16, past the product)."""
    weights_GBhT = weights_GBhT.to(products_BhHT.dtype)
    out: Tensor = _WeighTaps.apply(products_BhHT, weights_GBhT, offsets)  # type: ignore[no-untyped-call]
    return out


def tap_products(features_BDT: Tensor, weight_HDh: Tensor) -> Tensor:
    """W_i · x for every tap in one matrix product: [B, h, H, T].

    Similarities are scalars per position and commute with W_i, so this is computed once for whatever weighs the taps.
    """
    hidden, channels, taps = weight_HDh.shape
    stacked = weight_HDh.permute(2, 0, 1).reshape(taps * hidden, channels)
    return torch.matmul(stacked, features_BDT).view(len(features_BDT), taps, hidden, -1)


def affinity_convolution(features_BDT: Tensor, weight_HDh: Tensor, similarity_BhT: Tensor) -> Tensor:
    """f_t = Σ_i W_i · (a[i, t] · x[t − ⌊h/2⌋ + i]): [B, H, T] (variant paper, Eq. 14-16)."""
    offsets = tap_offsets(weight_HDh.shape[-1])
    return weigh_taps(tap_products(features_BDT, weight_HDh), similarity_BhT[None], offsets)[0]


def release_affinity_convolution(features_BDT: Tensor, weight_HDh: Tensor, similarity_BhT: Tensor) -> Tensor:
    """The convolution of the released checkpoints: [B, H, T].

    There the unfolded input is channel-major (row c·h + i) while the similarities are laid tap-major, so row r is
    weighted by a[⌊r/D⌋, t]. Rows that share a similarity are a run of channels: one ordinary convolution per run.
    """
    _, channels, taps = weight_HDh.shape
    rows = torch.arange(channels * taps, device=weight_HDh.device).view(channels, taps)
    parts = []
    for group in range(taps):
        first, last = group * channels // taps, ((group + 1) * channels - 1) // taps + 1
        mine = (rows[first:last] // channels == group).to(weight_HDh.dtype)
        parts.append(
            functional.conv1d(features_BDT[:, first:last], weight_HDh[:, first:last] * mine, padding=taps // 2)
        )
    return weigh_taps(torch.stack(parts, dim=1), similarity_BhT[None], (0,) * taps)[0]


class _WeighTaps(torch.autograd.Function):
    """`weigh_taps` without padded or multiplied copies of the products: half the time of a training step at T = 750."""

    @staticmethod
    def forward(ctx: Any, products: Tensor, weights: Tensor, offsets: tuple[int, ...]) -> Tensor:
        ctx.save_for_backward(products, weights)
        ctx.offsets = offsets
        groups, batch, _, snippets = weights.shape
        out = products.new_zeros(groups, batch, products.shape[2], snippets)
        for tap, offset in enumerate(offsets):
            to, source = _overlap(offset, snippets)
            for group in range(groups):
                out[group, ..., to].addcmul_(products[:, tap, :, source], weights[group, :, tap, None, to])
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor, Tensor, None]:
        (grad_out,) = grads
        products, weights = ctx.saved_tensors
        groups, _, _, snippets = weights.shape
        grad_products, grad_weights = torch.zeros_like(products), torch.zeros_like(weights)
        for tap, offset in enumerate(ctx.offsets):
            to, source = _overlap(offset, snippets)
            for group in range(groups):
                grad = grad_out[group, ..., to]
                grad_products[:, tap, :, source].addcmul_(grad, weights[group, :, tap, None, to])
                grad_weights[group, :, tap, to] = (grad * products[:, tap, :, source]).sum(1)
        return grad_products, grad_weights, None


def _overlap(offset: int, snippets: int) -> tuple[slice, slice]:
    """Snippets that receive from inside the video, and the snippets they receive from."""
    first, last = max(0, -offset), max(0, snippets - max(0, offset))
    first = min(first, last)
    return slice(first, last), slice(first + offset, last + offset) if last > first else slice(0, 0)
