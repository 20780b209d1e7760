"""Representative segments by loops over one video, written from the equations, and a small batch and method."""

from __future__ import annotations

import itertools
import math

import torch
from hypothesis import strategies as st
from torch import Tensor

from tal_search.methods.representative import Hyperparameters, Representative
from tal_search.nn import representative as parts
from tal_search.nn.batch import Batch

BATCH, CHANNELS, CLASSES, SNIPPETS = 3, 6, 4, 18
seeds = st.integers(0, 10_000)


def rand(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def lengths_mask(seed: int) -> Tensor:
    """bool [B, P]: videos of different lengths, the first the longest."""
    lengths = torch.cat([torch.tensor([SNIPPETS]), 5 + (rand(seed + 1, BATCH - 1) * (SNIPPETS - 5)).long()])
    return torch.arange(SNIPPETS) < lengths[:, None]


def naive_snippet_loss(scores: Tensor, target: Tensor, places: list[list[int]]) -> float:
    """Mean over places (video, snippet) of the focal cross-entropies of all classes."""
    terms = []
    for b, t in places:
        right = [float(p if y else 1 - p) for p, y in zip(scores[b, :, t], target[b, :, t], strict=True)]
        terms.append(sum(-((1 - q) ** 2) * math.log(q) for q in right))
    return sum(terms) / len(terms) if terms else 0.0


def naive_background(scores: list[float], clicked: list[int], labelled: set[int]) -> set[int]:
    """Of one video (without padding), section by section, as LACP grows its pseudo background points."""
    found: set[int] = set()
    for left, right in itertools.pairwise([-1, *clicked, len(scores)] if clicked else []):
        section = range(left + 1, right)
        if not section:
            continue
        seeds = [t for t in section if scores[t] >= parts.CERTAIN and t not in labelled]
        seeds = seeds or [max(section, key=lambda t: scores[t])]
        first = 0 if left == -1 else min(seeds)
        end = len(scores) if right == len(scores) else max(seeds) + 1
        found |= set(seeds) | (set(range(first, end)) - labelled)
    return found


def naive_segment(scores: list[float], clicks: list[bool]) -> tuple[float, tuple[int, int], set[int]] | None:
    """Contrast, borders and outside of the best run of one class of one video (without padding)."""
    best = None
    for level in range(1, parts.LEVELS):
        above = [value >= level / parts.LEVELS * max(scores) for value in scores]
        for first in range(len(scores)):
            for end in range(first + 1, len(scores) + 1):
                whole = all(above[first:end]) and not (first and above[first - 1])
                if not whole or (end < len(scores) and above[end]) or not any(clicks[first:end]):
                    continue
                margin = max(1, int(parts.OUTER * (end - first)))
                outside = [*range(max(0, first - margin), first), *range(end, min(len(scores), end + margin))]
                outer = sum(scores[t] for t in outside) / max(1, len(outside))
                contrast = sum(scores[first:end]) / (end - first) - outer
                if best is None or contrast > best[0] + 1e-12:
                    best = contrast, (first, end), set(outside)
    return best


def make_batch(seed: int = 0, clicks: float = 0.1) -> Batch:
    labels = (rand(seed, BATCH, CLASSES) < 0.4).float()
    labels[:, 0] = 1
    clicked = (rand(seed + 1, BATCH, CLASSES, SNIPPETS) < clicks) & (labels[:, :, None] > 0)
    return Batch(
        rows=torch.arange(BATCH),
        features=rand(seed + 2, BATCH, CHANNELS, SNIPPETS).float() - 0.5,
        labels=labels,
        background_clicks=torch.zeros(BATCH, SNIPPETS, dtype=torch.bool),
        action_clicks=clicked,
        segments=torch.zeros(BATCH, 0, 2),
        segment_labels=torch.zeros(BATCH, 0, dtype=torch.int64),
    )


def make_method(**hyperparameters: object) -> Representative:
    torch.manual_seed(0)
    settings = {"dropout": 0.0, "tau": 6.0, "epochs": 6, **hyperparameters}
    return Representative(Hyperparameters(**settings), CHANNELS, CLASSES)  # type: ignore[arg-type]
