"""Disjoint splits: training and test videos, training videos held out for selection, and a subset's ground truth."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tal_search.errors import LISTED, InputError
from tal_search.types import Annotations, Ints


def require_disjoint(train: Iterable[str], test: Iterable[str]) -> None:
    """Raise InputError naming videos that are in both splits: their test scores would be training scores."""
    both = sorted({*train} & {*test})
    if both:
        more = f" and {len(both) - LISTED} more" if len(both) > LISTED else ""
        names = f"{', '.join(both[:LISTED])}{more}"
        raise InputError(
            f"videos in the training split and in the test split ({len(both)}): {names}; remove each from one of them"
        )


def holdout_split(labels_NC: NDArray[np.float32], fraction: float, seed: int) -> tuple[Ints, Ints]:
    """Rows to train on and rows held out, stratified by each video's first class; both sorted.

    Of each class ⌊fraction · its videos⌉ are held out, and at least one always stays for training. Raises InputError
    where that holds out no video at all.
    """
    generator = np.random.default_rng(seed)
    first = labels_NC.argmax(1)
    held: list[int] = []
    for label in np.unique(first):
        rows = generator.permutation(np.flatnonzero(first == label))
        held.extend(rows[: min(round(fraction * len(rows)), len(rows) - 1)])
    if not held:
        raise InputError(
            f"protocol.holdout_fraction is {fraction:g}, which holds out none of the {len(first)} training videos "
            "(the share of each class, rounded, and never all of it); raise it, or use more videos"
        )
    held_rows = np.array(sorted(held), np.int64)
    return np.setdiff1d(np.arange(len(labels_NC)), held_rows), held_rows


def restrict(truth: Annotations, videos: tuple[str, ...]) -> Annotations:
    """The ground truth restricted to `videos`."""
    position = {name: index for index, name in enumerate(videos)}
    kept = np.array([truth.videos[index] in position for index in truth.video], np.bool_)
    new_index = np.array([position.get(name, -1) for name in truth.videos], np.int64)
    duration = dict(zip(truth.videos, truth.duration, strict=True))
    return dataclasses.replace(
        truth,
        videos=videos,
        video=new_index[truth.video[kept]],
        label=truth.label[kept],
        segment=truth.segment[kept],
        duration=np.array([duration.get(name, np.nan) for name in videos]),
        ambiguous=truth.ambiguous and restrict(truth.ambiguous, videos),
    )
