"""Detections from regressed segments: Gaussian Soft-NMS in each class, and the highest scores of a video.

Shapes: N videos, P points, C classes, M candidates of a video.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tal_search.files.heartbeat import beat
from tal_search.localization.proposal_loops import soften
from tal_search.types import Detections, Floats, Ints, VideoSet

LEAST_SCORE = 0.001  # of a detection, before and after Soft-NMS
MOST_OF_VIDEO = 200  # detections per video


class Candidates(NamedTuple):
    """Segments of one video before Soft-NMS, by class, then by descending score: label int64 [M], segment [M, 2] in
    seconds, score [M]."""

    label: Ints
    segment: Floats
    score: Floats


def detections(
    videos: VideoSet,
    classes: tuple[str, ...],
    outputs: Iterable[tuple[NDArray[np.floating], ...]],
    candidates: Callable[[Floats, Floats], Candidates],
    sigma: float,
) -> Detections:
    """The highest-scoring segments of every video after Soft-NMS within each class, width σ.

    outputs: of each video, scores [P, C] and segments [P, 2] in snippets; candidates: chooses from scores and segments
    in seconds, which are clipped to the video. In order of videos, then classes, then descending score.
    """
    timeline, tables = videos.timeline, [np.zeros((0, 5))]
    for row, (score_PC, segment_P2) in enumerate(outputs):
        beat("localizing, video %d of %d", row + 1, len(videos.videos))
        seconds_P2 = timeline.seconds(np.array([row]), segment_P2.astype(np.float64)[None])[0]
        seconds_P2 = seconds_P2.clip(0, videos.duration[row])
        kept = softened(candidates(score_PC.astype(np.float64), seconds_P2), len(classes), sigma)
        rows = np.column_stack([np.full(len(kept.score), row), kept.label, kept.segment, kept.score])
        tables.append(rows)
    table = np.concatenate(tables)
    return Detections(
        videos=videos.videos, classes=classes, video=table[:, 0].astype(np.int64), label=table[:, 1].astype(np.int64),
        segment=table[:, 2:4], score=table[:, 4],
    )  # fmt: skip


def softened(candidates: Candidates, classes: int, sigma: float) -> Candidates:
    """The MOST_OF_VIDEO highest scores of one video after Soft-NMS within each of its classes."""
    label, segment, score = candidates
    score = soften(segment, score, np.searchsorted(label, np.arange(classes + 1)), sigma, LEAST_SCORE)
    best = np.argsort(-score, kind="stable")[:MOST_OF_VIDEO]
    best = best[score[best] > 0]
    best = best[np.lexsort([-score[best], label[best]])]
    return Candidates(label[best], segment[best], score[best])


def of_each_class(score_PC: Floats, segment_P2: Floats, most: int) -> Candidates:
    """The `most` segments of each class with the highest scores."""
    score_CM = score_PC.T * (segment_P2[:, 1] > segment_P2[:, 0])
    order_CM = np.argsort(-score_CM, axis=1, kind="stable")[:, :most]
    score_CM = np.take_along_axis(score_CM, order_CM, axis=1)
    label, place = np.nonzero(score_CM >= LEAST_SCORE)
    return Candidates(label, segment_P2[order_CM[label, place]], score_CM[label, place])


def of_each_level(
    score_PC: Floats, segment_P2: Floats, lengths: list[int], most: int, least_seconds: float
) -> Candidates:
    """The `most` pairs of point and class with the highest scores above LEAST_SCORE of each pyramid level, those of
    segments longer than `least_seconds`; lengths: points of each level."""
    parts, first = [], 0
    for points in lengths:
        score_N = score_PC[first : first + points].ravel()
        order_N = np.argsort(-score_N, kind="stable")[:most]
        order_N = order_N[score_N[order_N] > LEAST_SCORE]
        parts.append(order_N + first * score_PC.shape[1])
        first += points
    point, label = np.divmod(np.concatenate(parts), score_PC.shape[1])
    long = segment_P2[point, 1] - segment_P2[point, 0] > least_seconds
    point, label = point[long], label[long]
    order = np.lexsort([-score_PC[point, label], label])
    point, label = point[order], label[order]
    return Candidates(label, segment_P2[point], score_PC[point, label])
