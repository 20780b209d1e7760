"""The affinity convolution: a temporal convolution whose taps are weighted by local similarity (paper Sec. 3.4).

Shapes: B videos, D input channels, H output channels, T snippets, h taps (odd), E embedding channels, R = h·H rows, G
groups of weights applied to the same products (the base and the suppressed branch), N = B·T. Channels come first
([D, B, T]), so that a layer is one matrix product over all snippets of the batch, without a copy before or after it.
"""

from __future__ import annotations

from functools import lru_cache
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
    """Offset at which each tap reads, relative to the snippet it contributes to."""
    return tuple(tap - taps // 2 for tap in range(taps))


def store_tap_major(layer: nn.Conv1d) -> None:
    """Store a convolution's weight [H, D, h] in memory as [h, H, D], so that `tap_rows` needs no copy."""
    layer.weight = nn.Parameter(layer.weight.detach().permute(2, 0, 1).contiguous().permute(1, 2, 0))


def tap_rows(weight_HDh: Tensor) -> Tensor:
    """W_i of all taps stacked, [h·H, D]: one matrix product gives W_i · x for all taps.

    Similarities are scalars per position and commute with W_i, so one product serves every weighting of the taps.
    """
    return weight_HDh.permute(2, 0, 1).flatten(0, 1)


def multiply(rows_RD: Tensor, inputs_DBT: Tensor) -> Tensor:
    """One matrix product over all snippets of the batch: [R, B, T]."""
    return (rows_RD @ inputs_DBT.flatten(1)).view(len(rows_RD), *inputs_DBT.shape[1:])


def weigh_taps(products_RBT: Tensor, weights_GBhT: Tensor, offsets: tuple[int, ...]) -> Tensor:
    """Σ_i weights[g, b, i, t] · products[i, :, b, t + offsets[i]]: [H, G·B, T] (Eq. 15-16, after the product).

    `products_RBT` has the rows of `tap_rows`, h·H. Values outside the video are zero.
    """
    _, batch, taps, snippets = weights_GBhT.shape
    # All videos in one row, N = B·T: a tap is then a shift of the whole row, and values read from a neighbouring video
    # get weight zero.
    weights = weights_GBhT.to(products_RBT.dtype) * _inside(offsets, snippets, products_RBT.device, products_RBT.dtype)
    weights_hGN = weights.permute(2, 0, 1, 3).flatten(2)
    products_hHN = products_RBT.view(taps, -1, batch * snippets)
    out: Tensor = _WeighTaps.apply(products_hHN, weights_hGN, offsets, snippets)  # type: ignore[no-untyped-call]
    return out


def affinity_convolution(inputs_DBT: Tensor, weight_HDh: Tensor, similarity_BhT: Tensor) -> Tensor:
    """f_t = Σ_i W_i · (a[i, t] · x[t − ⌊h/2⌋ + i]): [H, B, T] (variant paper, Eq. 14-16)."""
    products = multiply(tap_rows(weight_HDh), inputs_DBT)
    return weigh_taps(products, similarity_BhT[None], tap_offsets(weight_HDh.shape[-1]))


def release_affinity_convolution(features_BDT: Tensor, weight_HDh: Tensor, similarity_BhT: Tensor) -> Tensor:
    """The convolution of the released checkpoints: [B, H, T].

    There the unfolded input is channel-major (row c·h + i) while the similarities are tap-major, so row r is weighted
    by a[⌊r/D⌋, t]. Rows that share a similarity are a run of channels: one ordinary convolution per run.
    """
    _, channels, taps = weight_HDh.shape
    rows = torch.arange(channels * taps, device=weight_HDh.device).view(channels, taps)
    parts = []
    for group in range(taps):
        first, last = group * channels // taps, ((group + 1) * channels - 1) // taps + 1
        mask = (rows[first:last] // channels == group).to(weight_HDh.dtype)
        part_BHT = functional.conv1d(features_BDT[:, first:last], weight_HDh[:, first:last] * mask, padding=taps // 2)
        parts.append(part_BHT.transpose(0, 1))
    return weigh_taps(torch.cat(parts), similarity_BhT[None], (0,) * taps).transpose(0, 1)


class _WeighTaps(torch.autograd.Function):
    """`weigh_taps` on rows of N snippets, without padded or multiplied copies of the products."""

    @staticmethod
    def forward(ctx: Any, products_hHN: Tensor, weights_hGN: Tensor, offsets: tuple[int, ...], snippets: int) -> Tensor:
        ctx.save_for_backward(products_hHN, weights_hGN)
        ctx.offsets = offsets
        products, weights = products_hHN.unsqueeze(2).unbind(), weights_hGN.unbind()
        first, *others = sorted(range(len(offsets)), key=lambda tap: abs(offsets[tap]))
        assert offsets[first] == 0  # this tap initialises every snippet of the output
        hidden, length = products_hHN.shape[1:]
        result = products_hHN.new_empty(hidden, weights_hGN.shape[1] * length // snippets, snippets)
        out_HGN = result.view(hidden, -1, length)
        torch.mul(products[first], weights[first], out=out_HGN)
        for tap in others:
            to, source = _overlap(offsets[tap], length)
            out_HGN[..., to].addcmul_(products[tap][..., source], weights[tap][:, to])
        return result  # not a view, which an in-place activation would copy

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor, Tensor | None, None, None]:
        products_hHN, weights_hGN = ctx.saved_tensors
        groups = weights_hGN.shape[1]
        grad_HGN = grads[0].reshape(products_hHN.shape[1], groups, -1)
        grad_products = torch.empty_like(products_hHN)
        grad_weights = torch.zeros_like(weights_hGN) if ctx.needs_input_grad[1] else None
        for tap, offset in enumerate(ctx.offsets):
            to, source = _overlap(offset, grad_HGN.shape[-1])
            grad_product, grad_to, weight = grad_products[tap], grad_HGN[..., to], weights_hGN[tap][:, to]
            if offset:
                unread = slice(0, source.start) if offset > 0 else slice(source.stop, None)
                grad_product[:, unread].zero_()
            torch.mul(grad_to[:, 0], weight[0], out=grad_product[:, source])
            for group in range(1, groups):
                grad_product[:, source].addcmul_(grad_to[:, group], weight[group])
            if grad_weights is not None:
                grad_weights[tap][:, to] = (grad_to * products_hHN[tap][:, None, source]).sum(0)
        return grad_products, grad_weights, None, None


def _overlap(offset: int, length: int) -> tuple[slice, slice]:
    """Target positions whose source lies inside the row, and these sources."""
    offset = max(-length, min(length, offset))
    first, last = max(0, -offset), length - max(0, offset)
    return slice(first, last), slice(first + offset, last + offset)


@lru_cache(maxsize=64)
def _inside(offsets: tuple[int, ...], snippets: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """1 where a tap reads inside its video, else 0: [h, T]."""
    read = torch.arange(snippets) + torch.tensor(offsets)[:, None]
    return ((read >= 0) & (read < snippets)).to(device, dtype)
