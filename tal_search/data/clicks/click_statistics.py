"""Statistics of clicks against the ground truth: misses, slips, and positions within gaps or instances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tal_search.data.clicks.clicks import Clicks
from tal_search.data.truth.truths import background_gaps, lasting, rows_by_video
from tal_search.types import BACKGROUND_CLICKS, Annotations, Floats


@dataclass(frozen=True, kw_only=True)
class ClickStatistics:
    """videos: how many have a click; minutes: total duration. inside: clicks in an instance, ends included (action
    clicks: of their class).

    spans: for background clicks, gaps between instances with head and tail of each video; for action clicks, instances
    longer than 0 s. missed: spans without a click. deciles: shares [10] of the clicks in a span, by their relative
    position in it (in the shortest one where instances overlap).
    """

    kind: str
    clicks: int
    videos: int
    minutes: float
    inside: int
    spans: int
    missed: int
    deciles: tuple[float, ...]


def statistics_of(clicks: Clicks, truth: Annotations) -> ClickStatistics:
    """Statistics of `clicks`, whose videos are those of `truth` in the same order; every video needs a duration."""
    truth = lasting(truth)
    background = clicks.kind == BACKGROUND_CLICKS
    inside = spans = missed = 0
    positions: list[Floats] = []
    for video, rows in enumerate(rows_by_video(truth)):
        mine = clicks.video == video
        time_M, label_M = clicks.time[mine], clicks.label[mine]
        segment_K2, label_K = truth.segment[rows], truth.label[rows]
        in_instance_MK = (segment_K2[:, 0] <= time_M[:, None]) & (time_M[:, None] <= segment_K2[:, 1])
        if not background:
            in_instance_MK &= label_M[:, None] == label_K
        inside += int(in_instance_MK.any(1).sum())
        span_S2, within_MS = segment_K2, in_instance_MK
        if background:
            span_S2 = background_gaps(truth, video, float(truth.duration[video]))
            within_MS = (span_S2[:, 0] <= time_M[:, None]) & (time_M[:, None] < span_S2[:, 1])
        spans += len(span_S2)
        missed += int((~within_MS.any(0)).sum())
        positions.append(_positions(time_M, span_S2, within_MS))
    share = np.concatenate(positions)
    deciles = np.histogram(share, 10, (0.0, 1.0))[0] / max(1, len(share))
    return ClickStatistics(
        kind=clicks.kind, clicks=len(clicks.time), videos=len(np.unique(clicks.video)),
        minutes=float(truth.duration.sum()) / 60, inside=inside, spans=spans, missed=missed, deciles=tuple(deciles),
    )  # fmt: skip


def _positions(time_M: Floats, span_S2: Floats, within_MS: NDArray[np.bool_]) -> Floats:
    """Relative position, 0 to 1, of each click that lies in a span."""
    chosen = within_MS.any(1)
    if not chosen.any():
        return np.zeros(0)
    length_S = span_S2[:, 1] - span_S2[:, 0]
    span_M = np.where(within_MS, length_S, np.inf)[chosen].argmin(1)
    return np.asarray((time_M[chosen] - span_S2[span_M, 0]) / length_S[span_M])
