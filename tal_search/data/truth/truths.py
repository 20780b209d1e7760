"""Properties derived from a ground truth: video labels, durations, instances of no length, background gaps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tal_search.types import Annotations, Floats, Ints


def present(truth: Annotations) -> NDArray[np.float32]:
    """Video labels float32 [N, C]: 1 where a video has an instance of the class."""
    labels_NC = np.zeros((len(truth.videos), len(truth.classes)), np.float32)
    labels_NC[truth.video, truth.label] = 1
    return labels_NC


def stated_seconds(truth: Annotations) -> dict[str, float]:
    """Durations by video, infinite where the ground truth gives none, so that no click is outside."""
    stated = zip(truth.videos, truth.duration.tolist(), strict=True)
    return {video: seconds if np.isfinite(seconds) else np.inf for video, seconds in stated}


def lasting(truth: Annotations) -> Annotations:
    """The ground truth without instances of no length, which show nothing and cannot be clicked."""
    kept = truth.segment[:, 1] > truth.segment[:, 0]
    return replace(truth, video=truth.video[kept], label=truth.label[kept], segment=truth.segment[kept])


def within(truth: Annotations, seconds: Floats) -> Annotations:
    """The ground truth with instances clipped to their video, seconds [N] long, without those wholly outside it."""
    segments = truth.segment.clip(0, seconds[truth.video, None])
    return lasting(replace(truth, segment=segments))


def background_gaps(truth: Annotations, row: int, duration: float) -> Floats:
    """Gaps without any instance in video `row`, head and tail included: float64 [G, 2] seconds."""
    segments = np.sort(truth.segment[truth.video == row].reshape(-1, 2).clip(0, duration), axis=0)
    start = np.concatenate([[0.0], np.maximum.accumulate(segments[:, 1])])
    end = np.concatenate([segments[:, 0], [duration]])
    return np.stack([start, end], 1)[end > start]


def rows_by_video(truth: Annotations) -> list[Ints]:
    """Rows of the instances of each video."""
    order = np.argsort(truth.video, kind="stable")
    return np.split(order, np.searchsorted(truth.video[order], np.arange(1, len(truth.videos))))
