"""Compiled loops that match detections with instances, one for each protocol.

Shapes: R thresholds, D detections and G instances of one class.
"""

from __future__ import annotations

import numpy as np

from tal_search.files.compiled import compiled, inlined
from tal_search.types import Floats, Ints


@compiled
def match_detections(segment_D: Floats, video_D: Ints, segment_G: Floats, first_G: Ints, thresholds_R: Floats) -> Ints:
    """Detections choose: the instance that each takes at each tIoU threshold, -1 for none: int [R, D].

    Detections are in order of descending score; video v has instances first_G[v] to first_G[v + 1], video -1 has none.
    Each detection takes the free instance of best overlap that reaches the threshold. Of equal overlaps it takes the
    later instance, as in the released ActivityNet evaluator; this matters at low thresholds, where one detection covers
    several instances of equal length (0.08 points of mAP@0.1 on a released THUMOS14 detection file).
    """
    instance = np.full((len(thresholds_R), len(segment_D)), -1)
    taken = np.zeros((len(thresholds_R), len(segment_G)), np.bool_)
    overlap = np.empty(len(segment_G))
    for d in range(len(segment_D)):
        if video_D[d] < 0:
            continue
        instances = range(first_G[video_D[d]], first_G[video_D[d] + 1])
        highest = 0.0
        for g in instances:
            overlap[g] = _overlap(segment_D[d], segment_G[g])
            highest = max(highest, overlap[g])
        for r in range(len(thresholds_R)):
            best, wanted = -1, thresholds_R[r]
            if wanted <= highest:
                for g in instances:
                    if overlap[g] >= wanted and not taken[r, g]:
                        best, wanted = g, overlap[g]
            if best >= 0:
                taken[r, best] = True
                instance[r, d] = best
    return instance


@compiled
def match_instances(segment_D: Floats, video_D: Ints, segment_G: Floats, first_G: Ints, thresholds_R: Floats) -> Ints:
    """Instances choose, as in the THUMOS14 toolkit; arguments and result as of `match_detections`.

    In input order, each instance of a video takes the free detection of highest overlap, if that exceeds the threshold;
    of equal overlaps the detection of higher score. Scores matter in no other way.
    """
    instance = np.full((len(thresholds_R), len(segment_D)), -1)
    overlap = np.empty(len(segment_D))
    first_V, next_D = (
        np.full(len(first_G) - 1, -1),
        np.full(len(segment_D), -1),
    )  # linked lists: first detection of each video, next of each detection
    for d in range(len(segment_D) - 1, -1, -1):
        if video_D[d] >= 0:
            next_D[d] = first_V[video_D[d]]
            first_V[video_D[d]] = d
    for v in range(len(first_V)):
        for g in range(first_G[v], first_G[v + 1]):
            highest, d = 0.0, first_V[v]
            while d >= 0:
                overlap[d] = _overlap_in_span(segment_D[d], segment_G[g])
                highest = max(highest, overlap[d])
                d = next_D[d]
            for r in range(len(thresholds_R)):
                best, wanted, d = -1, thresholds_R[r], first_V[v]
                while d >= 0 and wanted < highest:
                    if overlap[d] > wanted and instance[r, d] < 0:
                        best, wanted = d, overlap[d]
                    d = next_D[d]
                if best >= 0:
                    instance[r, best] = g
    return instance


@inlined
def _overlap(a: Floats, b: Floats) -> float:
    """tIoU of two segments (start, end) in seconds; 0 where neither has a length."""
    shared = max(min(a[1], b[1]) - max(a[0], b[0]), 0.0)
    union = (a[1] - a[0]) + (b[1] - b[0]) - shared
    return shared / union if union > 0 else 0.0


@inlined
def _overlap_in_span(a: Floats, b: Floats) -> float:
    """The same with the toolkit's rounding: the union of overlapping segments is the span from start to end of both."""
    shared = min(a[1], b[1]) - max(a[0], b[0])
    return shared / (max(a[1], b[1]) - min(a[0], b[0])) if shared > 0 else 0.0
