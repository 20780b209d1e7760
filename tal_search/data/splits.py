"""Disjoint splits: training and test videos, training videos held out for selection, and a subset's ground truth."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tal_search.data.truth.labels import named
from tal_search.errors import LISTED, InputError
from tal_search.text.name_patterns import group_of, pattern_problem
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


def protocol_holdout(
    videos: tuple[str, ...], labels_NC: NDArray[np.float32], protocol: Mapping[str, Any]
) -> tuple[Ints, Ints]:
    """Rows to train on and rows held out by the protocol: whole groups where it has `holdout_by`, else videos by class.

    Raises InputError where no video can be held out, or the expression finds nothing in a video's name.
    """
    fraction, seed, by = protocol["holdout_fraction"], protocol["holdout_seed"], protocol.get("holdout_by")
    if by is None:
        return holdout_split(labels_NC, fraction, seed)
    return group_holdout(group_names(videos, by), fraction, seed)


def group_names(videos: tuple[str, ...], by: str) -> tuple[str, ...]:
    """The group of each video: the first bracket of the regular expression `by`, or all that it matches in the name.

    Raises InputError for an expression that is none or could take forever, and naming videos in which it finds nothing.
    """
    problem = pattern_problem(by, max(map(len, videos), default=0))
    if problem is not None:
        raise InputError(f"protocol.holdout_by is '{by}', which {problem}")
    names = [group_of(video, by) for video in videos]
    without = [video for video, name in zip(videos, names, strict=True) if not name]
    if without:
        raise InputError(
            f"protocol.holdout_by is {by}, which matches nothing in {len(without)} of {len(videos)} training videos "
            f"({named(without)}); correct the expression, or leave it out to hold out single videos"
        )
    return tuple(name for name in names if name)


def group_holdout(groups: tuple[str, ...], fraction: float, seed: int) -> tuple[Ints, Ints]:
    """Rows to train on and rows held out, both sorted: all videos of ⌊fraction · groups⌉ groups drawn at random.

    groups: by video, such as the person it shows. Raises InputError where that holds out no group or leaves none.
    """
    names = sorted(set(groups))
    count = round(fraction * len(names))
    if not 0 < count < len(names):
        raise InputError(
            f"protocol.holdout_fraction is {fraction:g}, which holds out {count} of the {len(names)} groups that "
            "protocol.holdout_by makes of the training videos; at least one must be held out and one stay"
        )
    drawn = {names[index] for index in np.random.default_rng(seed).permutation(len(names))[:count]}
    held_N = np.array([group in drawn for group in groups])
    return np.flatnonzero(~held_N), np.flatnonzero(held_N)


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
