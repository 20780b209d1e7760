"""Random instances of a few videos."""

from __future__ import annotations

import torch
from torch import Tensor

BATCH, CLASSES, SNIPPETS = 3, 3, 24


def problem(seed: int, most: int) -> tuple[Tensor, Tensor]:
    """Up to `most` instances a video, some shorter than a snippet, on a grid of quarters: segments and labels."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.randint(0, 4 * SNIPPETS - 1, (BATCH, most), generator=generator).double() / 4
    length = torch.randint(1, 50, (BATCH, most), generator=generator).double() / 4
    segments = torch.stack([start, (start + length).clamp_max(SNIPPETS)], 2)
    labels = torch.randint(0, CLASSES, (BATCH, most), generator=generator)
    count = torch.randint(0, most + 1, (BATCH, 1), generator=generator)
    absent = torch.arange(most) >= count
    return segments.masked_fill(absent[..., None], 0), labels.masked_fill(absent, -1)


def listed(segments: Tensor, labels: Tensor, video: int) -> list[tuple[float, float, int]]:
    pairs = zip(segments[video].tolist(), labels[video].tolist(), strict=True)
    return [(start, end, label) for (start, end), label in pairs if label >= 0]
