"""Attention over all points or over a window, without the points that are padding.

Shapes: B videos, h heads, T points, d values of a head; N blocks of R points, which see S = R + window − 1 keys.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

MOST_ROWS = 32  # of a block; more rows need fewer blocks, but more products outside the window


def attend(query: Tensor, key: Tensor, value: Tensor, allowed: Tensor | None = None) -> Tensor:
    """softmax(QKᵀ/√d)·V, where d is the last axis; allowed bool, broadcast to QKᵀ: the keys that each query sees.

    A query that sees no key gets a finite value without a meaning.
    """
    similarity = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    if allowed is not None:
        similarity = similarity.masked_fill(~allowed, torch.finfo(similarity.dtype).min)
    return similarity.softmax(-1) @ value


def attend_locally(query: Tensor, key: Tensor, value: Tensor, window: int, valid_BT: Tensor | None) -> Tensor:
    """`attend` where each query sees the keys at most (window − 1) / 2 points away; all [B, h, T, d].

    In blocks of queries, so that time and memory grow with T · window instead of T².
    """
    points, radius = query.shape[2], window // 2
    rows = min(MOST_ROWS, points)
    after = -points % rows
    queries = functional.pad(query, (0, 0, 0, after)).unfold(2, rows, rows).transpose(-1, -2)  # [B, h, N, R, d]
    blocks = [
        functional.pad(part, (0, 0, radius, after + radius)).unfold(2, rows + 2 * radius, rows)  # [B, h, N, d, S]
        for part in (key, value)
    ]
    if valid_BT is None:
        valid_BT = torch.ones(1, points, dtype=torch.bool, device=query.device)
    seen = functional.pad(valid_BT, (radius, after + radius)).unfold(1, rows + 2 * radius, rows)  # [B, N, S]
    row, column = torch.arange(rows, device=query.device)[:, None], torch.arange(rows + 2 * radius, device=query.device)
    near_RS = (column >= row) & (column <= row + 2 * radius)
    keys, values = (block.transpose(-1, -2) for block in blocks)
    return attend(queries, keys, values, near_RS & seen[:, None, :, None]).flatten(2, 3)[:, :, :points]
