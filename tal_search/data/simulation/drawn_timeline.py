"""Timelines of action instances drawn to match THUMOS14: durations, counts, gaps, coverage, co-occurrence.

Duration, count and length of a video are log-normal around the means of its first class, with the correlations between
videos of one class. `thumos14_moments` has the measured numbers, `docs/datasets.md` the limits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tal_search.data.simulation.thumos14_moments import (
    CLASSES,
    COMPANIONS,
    COUNT_LENGTH,
    LENGTH_WITHIN,
    SECONDS_COUNT,
    SECONDS_LENGTH,
    SPREAD,
)
from tal_search.types import Annotations, Floats, Ints

CORRELATION = [[1, SECONDS_COUNT, SECONDS_LENGTH], [SECONDS_COUNT, 1, COUNT_LENGTH], [SECONDS_LENGTH, COUNT_LENGTH, 1]]
SECONDS_SCALE = (4.98, 0.88)
SECONDS_QUANTILES = ([-3, -1.645, -0.674, 0, 0.674, 1.645, 3], np.log([9, 32, 88, 157, 229, 695, 1680]))
MOST_INSTANCES = 220  # of the first class, in one video
LENGTH_RANGE = (0.2, 118.0)  # seconds of an instance
MOST_COVERED = 0.95  # share of a video that its instances may take
# Standard deviation of the log gaps of a video, and of its head and tail, which are longer and vary more.
GAP_SPREAD, EDGE_SPREAD, EDGE_TIMES = 0.95, 1.2, 2.0
OTHER_CLASS = 0.02  # share of videos with half of their instances of one other class (8 of 410)


@dataclass(frozen=True)
class _Video:
    """Parameters of one video: duration, number of instances, and mean of their log seconds."""

    seconds: float
    count: int
    log_length: float


def class_moments(names: tuple[str, ...], generator: np.random.Generator) -> Floats:
    """Moments of each class as in CLASSES: [C, 3]; a class not listed there takes those of another, at random."""
    rows = generator.permutation(list(CLASSES.values()))
    return np.array([CLASSES.get(name, rows[place % len(rows)]) for place, name in enumerate(names)])


def draw_timeline(
    prefix: str, videos: int, names: tuple[str, ...], moments_C3: Floats, generator: np.random.Generator
) -> Annotations:
    """Annotations of `videos` simulated videos named PREFIX_0000 and so on; times in seconds, rounded to 0.1 s.

    The C classes `names` take turns as the first class of a video. Instances of one class do not overlap; those of a
    companion class overlap its partner's.
    """
    first_N = generator.permutation(np.arange(videos) % len(names))
    durations, rows, labels, segments = [], [], [], []
    for row, first in enumerate(first_N.tolist()):
        video = _draw_video(moments_C3[first], generator)
        label_K, segment_K2 = _draw_instances(video, first, names, generator)
        durations.append(video.seconds)
        rows.append(np.full(len(label_K), row))
        labels.append(label_K)
        segments.append(segment_K2)
    return Annotations(
        videos=tuple(f"{prefix}_{row:04d}" for row in range(videos)),
        classes=names,
        video=np.concatenate(rows).astype(np.int64),
        label=np.concatenate(labels).astype(np.int64),
        segment=np.concatenate(segments),
        duration=np.array(durations),
    )


def _draw_video(moments_3: Floats, generator: np.random.Generator) -> _Video:
    normal_3 = np.linalg.cholesky(CORRELATION) @ generator.standard_normal(3)
    seconds, count, length = moments_3 + SPREAD * normal_3
    seconds = np.interp((seconds - SECONDS_SCALE[0]) / SECONDS_SCALE[1], *SECONDS_QUANTILES)
    return _Video(
        seconds=round(float(np.exp(seconds)), 1),
        count=int(np.clip(np.round(np.exp(count)), 1, MOST_INSTANCES)),
        log_length=float(length),
    )


def _draw_instances(
    video: _Video, first: int, names: tuple[str, ...], generator: np.random.Generator
) -> tuple[Ints, Floats]:
    """Labels [K] and segments [K, 2] of one video in order of time: as many of `video.count` as fit into it."""
    room = MOST_COVERED * video.seconds
    length_K = np.exp(video.log_length + LENGTH_WITHIN * generator.standard_normal(video.count))
    length_K = np.clip(length_K, *LENGTH_RANGE).clip(0, room / 2 if names[first] in COMPANIONS else room)
    own_K2 = np.stack([np.zeros(video.count), length_K], 1)
    other, other_K2, seen_K = _companions(names, first, length_K, generator)
    both_K2 = np.stack([np.minimum(own_K2[:, 0], other_K2[:, 0]), np.maximum(own_K2[:, 1], other_K2[:, 1])], 1)
    taken_K2 = np.where(seen_K[:, None], both_K2, own_K2)
    extent_K = np.diff(taken_K2, axis=1)[:, 0]
    fits_K = np.cumsum(extent_K) <= room + 1e-9
    label_K = np.full(video.count, first)
    if generator.random() < OTHER_CLASS:
        label_K[1:][generator.random(video.count - 1) < 0.5] = generator.integers(len(names))
    shift_K = _starts(extent_K[fits_K], video.seconds, generator) - taken_K2[fits_K, 0]
    seen_K = seen_K[fits_K]
    segments = [own_K2[fits_K] + shift_K[:, None], (other_K2[fits_K] + shift_K[:, None])[seen_K]]
    label_K = np.concatenate([label_K[fits_K], np.full(seen_K.sum(), other)])
    segment_K2 = _rounded(np.concatenate(segments), video.seconds)
    order = np.lexsort((label_K, segment_K2[:, 0]))
    return label_K[order], segment_K2[order]


def _companions(
    names: tuple[str, ...], first: int, length_K: Floats, generator: np.random.Generator
) -> tuple[int, Floats, NDArray[np.bool_]]:
    """Companion of the first class: its label, segments [K, 2] relative to the partner's start, and which exist [K]."""
    companion = COMPANIONS.get(names[first])
    if companion is None or companion.name not in names or generator.random() >= companion.videos:
        return first, np.zeros((len(length_K), 2)), np.zeros(len(length_K), np.bool_)
    own_K = length_K * np.exp(companion.spread * generator.standard_normal(len(length_K)))
    start_K = companion.after * length_K - companion.before * own_K
    seen_K = generator.random(len(length_K)) < companion.instances
    return names.index(companion.name), np.stack([start_K, start_K + own_K], 1), seen_K


def _starts(extent_K: Floats, seconds: float, generator: np.random.Generator) -> Floats:
    """Start of each of the successive extents in a video of `seconds`, with random gaps between them."""
    gap_G = np.exp(GAP_SPREAD * generator.standard_normal(len(extent_K) + 1))
    gap_G[[0, -1]] = EDGE_TIMES * np.exp(EDGE_SPREAD * generator.standard_normal(2))
    gap_G *= (seconds - extent_K.sum()) / gap_G.sum()
    starts_K: Floats = np.cumsum(gap_G[:-1]) + np.cumsum(extent_K) - extent_K
    return starts_K


def _rounded(segment_K2: Floats, seconds: float) -> Floats:
    """Segments rounded to 0.1 s as in the ground truth; none becomes empty or leaves its video."""
    segment_K2 = np.round(segment_K2, 1)
    segment_K2[:, 1] = np.maximum(segment_K2[:, 1], segment_K2[:, 0] + 0.1)
    return np.clip(segment_K2, 0, [seconds - 0.1, seconds])
