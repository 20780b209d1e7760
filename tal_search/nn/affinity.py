"""The affinity convolution: a temporal convolution whose taps are weighted by local similarity (paper Sec. 3.4).

Shapes: B videos, D input channels, H output channels, T snippets, h taps (odd), E embedding channels, R = h·H rows, G
groups of weights applied to the same products (the base and the suppressed branch). Channels come first ([D, B, T]): a
layer is then one matrix product over all snippets of the batch, without a copy before or after it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
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


def store_tap_major(layer: nn.Conv1d) -> None:
    """Lay a convolution's weight [H, D, h] out in memory as [h, H, D], so that `tap_rows` copies nothing."""
    layer.weight = nn.Parameter(layer.weight.detach().permute(2, 0, 1).contiguous().permute(1, 2, 0))


def tap_rows(weight_HDh: Tensor) -> Tensor:
    """W_i of every tap under one another, [h·H, D]: one matrix product gives W_i · x for all taps.

    Similarities are scalars per position and commute with W_i, so this is computed once for whatever weighs the taps.
    """
    return weight_HDh.permute(2, 0, 1).flatten(0, 1)


def multiply(rows_RD: Tensor, inputs_DBT: Tensor) -> Tensor:
    """One matrix product over all snippets of the batch: [R, B, T]."""
    return (rows_RD @ inputs_DBT.flatten(1)).view(len(rows_RD), *inputs_DBT.shape[1:])


def weigh_taps(products_RBT: Tensor, weights_GBhT: Tensor, offsets: tuple[int, ...]) -> Tensor:
    """Σ_i weights[g, b, i, t] · products[i, :, b, t + offsets[i]]: [H, G·B, T] (Eq. 15-16, past the product).

    `products_RBT` has the rows of `tap_rows`, h·H.
    """
    products_hHBT = products_RBT.view(len(offsets), -1, *products_RBT.shape[1:])
    out: Tensor = _WeighTaps.apply(products_hHBT, weights_GBhT.to(products_RBT.dtype), offsets)  # type: ignore[no-untyped-call]
    return out


def affinity_convolution(inputs_DBT: Tensor, weight_HDh: Tensor, similarity_BhT: Tensor) -> Tensor:
    """f_t = Σ_i W_i · (a[i, t] · x[t − ⌊h/2⌋ + i]): [H, B, T] (variant paper, Eq. 14-16)."""
    products = multiply(tap_rows(weight_HDh), inputs_DBT)
    return weigh_taps(products, similarity_BhT[None], tap_offsets(weight_HDh.shape[-1]))


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
        part_BHT = functional.conv1d(features_BDT[:, first:last], weight_HDh[:, first:last] * mine, padding=taps // 2)
        parts.append(part_BHT.transpose(0, 1))
    return weigh_taps(torch.cat(parts), similarity_BhT[None], (0,) * taps).transpose(0, 1)


class _WeighTaps(torch.autograd.Function):
    """`weigh_taps` without padded or multiplied copies of the products: half the time of a training step at T = 750."""

    @staticmethod
    def forward(ctx: Any, products_hHBT: Tensor, weights_GBhT: Tensor, offsets: tuple[int, ...]) -> Tensor:
        ctx.save_for_backward(products_hHBT, weights_GBhT)
        ctx.offsets = offsets
        groups, batch, taps, snippets = weights_GBhT.shape
        result = products_hHBT.new_empty(products_hHBT.shape[1], groups * batch, snippets)
        out = result.view(-1, groups, batch, snippets)
        for group in range(groups):
            first, *others = sorted(range(taps), key=lambda tap: abs(offsets[tap]))  # the first covers every snippet
            torch.mul(products_hHBT[first], weights_GBhT[group, :, first], out=out[:, group])
            for tap in others:
                to, source = _overlap(offsets[tap], snippets)
                out[:, group, :, to].addcmul_(products_hHBT[tap, ..., source], weights_GBhT[group, :, tap, to])
        return result

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor, Tensor, None]:
        products, weights = ctx.saved_tensors
        groups, batch, _, snippets = weights.shape
        grad_out = grads[0].unflatten(1, (groups, batch))
        grad_products, grad_weights = torch.empty_like(products), torch.zeros_like(weights)
        for tap, offset in enumerate(ctx.offsets):
            to, source = _overlap(offset, snippets)
            grad_products[tap, ..., : source.start] = 0
            grad_products[tap, ..., source.stop :] = 0
            torch.mul(grad_out[:, 0, :, to], weights[0, :, tap, to], out=grad_products[tap, ..., source])
            for group in range(1, groups):
                grad_products[tap, ..., source].addcmul_(grad_out[:, group, :, to], weights[group, :, tap, to])
            for group in range(groups if ctx.needs_input_grad[1] else 0):
                grad_weights[group, :, tap, to] = (grad_out[:, group, :, to] * products[tap, ..., source]).sum(0)
        return grad_products, grad_weights, None


def _overlap(offset: int, snippets: int) -> tuple[slice, slice]:
    """Snippets that receive from inside the video, and the snippets they receive from."""
    first, last = max(0, -offset), max(0, snippets - max(0, offset))
    first = min(first, last)
    return slice(first, last), slice(first + offset, last + offset) if last > first else slice(0, 0)
