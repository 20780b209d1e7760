"""Affinity convolutions as loops over the equation, beside the fast ones of `nn.affinity`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


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
