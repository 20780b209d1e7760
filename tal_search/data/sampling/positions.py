"""Which stored snippets a step of training or a test video takes. Shapes: B videos, T snippets taken."""

from __future__ import annotations

import numpy as np

from tal_search.data.sampling.settings import CROP, NATIVE, PERTURBED, RANDOM, UNIFORM, SplitSampling
from tal_search.types import Ints


def parts(length: int, snippets: int) -> Ints:
    """The first stored snippet of each of T equal parts, ⌊j · L / T⌋."""
    return np.arange(snippets) * length // snippets


def sampled(kind: str, length: int, snippets: int, generator: np.random.Generator) -> Ints:
    """T of L stored snippets in their order, int64 [T]; kind: uniform, random_perturbed or random."""
    first = parts(length, snippets)
    if kind == UNIFORM or (kind == PERTURBED and length == snippets):  # T = L: all of them, as released
        return first
    if kind == PERTURBED:  # the first of the next part may be drawn as well, as released
        last = np.append(first[1:], length - 1)
        return generator.integers(first, last, endpoint=True)
    assert kind == RANDOM, kind
    extra = snippets - length
    if extra <= 0:
        return np.sort(generator.choice(length, snippets, replace=False))
    return np.sort(np.append(np.arange(length), generator.integers(0, length, extra)))


def windows(lengths_B: Ints, most: int | None, generator: np.random.Generator) -> tuple[Ints, Ints]:
    """First snippet and number of snippets [B] of a window of at most `most` at random in each sequence."""
    taken = lengths_B if most is None else np.minimum(lengths_B, most)
    return generator.integers(0, lengths_B - taken, endpoint=True), taken


def drawn(
    sampling: SplitSampling, lengths_B: Ints, snippets: int, step: int, generator: np.random.Generator
) -> tuple[Ints, Ints]:
    """The stored snippets that step `step` (from 0) takes, int64 [B, T], -1 for padding, and how many of each video.

    lengths_B: L of each video; snippets: T of the sampled kinds.
    """
    if sampling.kind in (CROP, NATIVE):
        most = sampling.lengths[step % len(sampling.lengths)] if sampling.kind == CROP else sampling.most
        first, taken = windows(lengths_B, most, generator)
        place = np.arange(taken.max())
        return np.where(place < taken[:, None], first[:, None] + place, -1), taken
    rows = [sampled(sampling.kind, int(length), snippets, generator) for length in lengths_B]
    return np.stack(rows), np.full(len(rows), snippets)


def snippets_at_test(sampling: SplitSampling, length: int, snippets: int) -> int:
    """How many snippets are sampled of a test video with L stored ones: T, or L within `least` and `most`."""
    if sampling.least is None and sampling.most is None:
        return snippets
    taken = max(length, sampling.least or 1)
    return taken if sampling.most is None else min(taken, sampling.most)
