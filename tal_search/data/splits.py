"""Holding out training videos, and the ground truth of a part of the videos."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tal_search.types import Annotations, Ints


def holdout_split(labels_NC: NDArray[np.float32], fraction: float, seed: int) -> tuple[Ints, Ints]:
    """Rows to train on and rows held out, stratified by each video's first class; both sorted.

    Every class gives ⌊fraction · its videos⌉ videos, and always keeps at least one for training.
    """
    generator = np.random.default_rng(seed)
    first = labels_NC.argmax(1)
    held: list[int] = []
    for label in np.unique(first):
        rows = generator.permutation(np.flatnonzero(first == label))
        held.extend(rows[: min(round(fraction * len(rows)), len(rows) - 1)])
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
    )
