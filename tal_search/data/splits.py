"""Splits that share no video: training and test, held-out training videos, and the ground truth of a part of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tal_search.errors import InputError
from tal_search.types import Annotations, Ints

LISTED = 20  # videos named one by one; the rest are counted


def shared_videos(train: Iterable[str], test: Iterable[str]) -> list[str]:
    """A sentence where a video is in both splits: its score would be of what was trained on."""
    both = sorted({*train} & {*test})
    if not both:
        return []
    more = f" and {len(both) - LISTED} more" if len(both) > LISTED else ""
    named = f"{', '.join(both[:LISTED])}{more}"
    return [f"videos in the training split and in the test split ({len(both)}): {named}; remove each from one of them"]


def holdout_split(labels_NC: NDArray[np.float32], fraction: float, seed: int) -> tuple[Ints, Ints]:
    """Rows to train on and rows held out, stratified by each video's first class; both sorted.

    Every class gives ⌊fraction · its videos⌉ videos, and always keeps at least one for training. Raises InputError
    where that holds out none at all.
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
            "(of each class its share, rounded, and never all); raise it, or use more videos"
        )
    held_rows = np.array(sorted(held), np.int64)
    return np.setdiff1d(np.arange(len(labels_NC)), held_rows), held_rows


def restrict(truth: Annotations, videos: tuple[str, ...]) -> Annotations:
    """The ground truth of `videos` alone."""
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
