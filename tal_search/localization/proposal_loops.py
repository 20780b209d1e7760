"""Compiled loops of localization: proposals, non-maximum suppression, Soft-NMS.

Shapes: K classes and F frames of one video, n proposals, R thresholds.
"""

from __future__ import annotations

import numpy as np

from tal_search.files.compiled import compiled, inlined
from tal_search.types import Floats, Ints


@compiled
def propose(
    cas_KT: Floats, attention_T: Floats, frames: int, activation_R: Floats, attention_R: Floats, margin: float,
    basnet: bool,
) -> tuple[Floats, Ints]:  # fmt: skip
    """Rows (first frame, last frame + 1, inner − outer contrast) [n, 3] of one video by class; rows per class [K].

    The runs of every threshold of the class sequence come first, then those of the attention sequence, if it has
    thresholds. basnet: upsampling and the ends of outer regions are those of BaS-Net's release.
    """
    rows, count, spans, span_count = np.empty((256, 3)), 0, np.empty((256, 3)), 0
    counts = np.zeros(len(cas_KT), np.int64)
    totals = np.zeros(frames + 1)
    if len(attention_R) > 0:
        attention_F = _upsample(attention_T, frames, basnet)
        for threshold in attention_R:
            spans, span_count = _runs(attention_F, threshold, totals, spans, span_count)
    for k in range(len(cas_KT)):
        cas_F = _upsample(cas_KT[k], frames, basnet)
        before = count
        for threshold in activation_R:
            first = count
            rows, count = _runs(cas_F, threshold, totals, rows, count)
            _contrast(totals, rows[first:count], margin, basnet)
        if span_count > 0:
            for index in range(frames):  # attention runs are scored on the class sequence without a threshold
                totals[index + 1] = totals[index] + cas_F[index]
            rows = _copied(spans, span_count, _with_room(rows, count + span_count), count)
            _contrast(totals, rows[count : count + span_count], margin, basnet)
            count += span_count
        counts[k] = count - before
    return rows[:count], counts


@inlined
def _upsample(sequence_T: Floats, length: int, starts: bool) -> Floats:
    """`resampling.resample` for one sequence, five times as fast as NumPy.

    starts: a snippet's value is at its start instead of its middle, and the last two are extrapolated to the end. The
    order of operations is that of BaS-Net's release, as rounding decides which values are just 0 or at a threshold.
    """
    stored = len(sequence_T)
    upsampled = np.empty(length)
    for index in range(length):
        if starts:
            position = index * (stored / length)
            left = max(min(int(np.ceil(position)) - 1, stored - 2), 0)
            right = min(left + 1, stored - 1)
            upsampled[index] = (sequence_T[right] - sequence_T[left]) * (position - left) + sequence_T[left]
        else:
            position = min(max((index + 0.5) * stored / length - 0.5, 0.0), stored - 1.0)
            left = min(int(position), max(stored - 2, 0))
            share = position - left
            upsampled[index] = sequence_T[left] * (1 - share) + sequence_T[min(left + 1, stored - 1)] * share
    return upsampled


@inlined
def _runs(sequence_F: Floats, threshold: float, totals: Floats, rows: Floats, count: int) -> tuple[Floats, int]:
    """Add a row (first, last + 1, _) for each run of positive values at or above the threshold.

    `totals` [F + 1] becomes the cumulative sum of the sequence with values below the threshold set to zero. Returns the
    rows, in a larger array if necessary, and their number. A run of position 0 only does not count if it is the only
    run (a detail of the released code).
    """
    frames, index, before, total = len(sequence_F), 0, count, 0.0
    while index < frames:
        while index < frames and not (sequence_F[index] >= threshold and sequence_F[index] > 0):
            index += 1
            totals[index] = total
        start = index
        while index < frames and sequence_F[index] >= threshold and sequence_F[index] > 0:
            total += sequence_F[index]
            index += 1
            totals[index] = total
        if index > start:
            rows = _with_room(rows, count + 1)
            rows[count, 0], rows[count, 1] = start, index
            count += 1
    lonely = count == before + 1 and rows[before, 0] == 0 and rows[before, 1] == 1
    return rows, before if lonely else count


@inlined
def _with_room(rows: Floats, count: int) -> Floats:
    """The rows in an array with room for `count` rows."""
    if count <= len(rows):
        return rows
    return _copied(rows, len(rows), np.empty((2 * count, 3)), 0)


@inlined
def _copied(source: Floats, count: int, target: Floats, position: int) -> Floats:
    """Copy the source's first rows into the target from `position` on. Numba takes seconds to compile a slice."""
    for index in range(count):
        for column in range(3):
            target[position + index, column] = source[index, column]
    return target


@inlined
def _contrast(totals: Floats, rows: Floats, margin: float, mirrored: bool) -> None:
    """Write into column 2 the mean inside a run minus the mean outside, `margin` run lengths each side.

    The outside's mean is 0 if it is empty. Positions are truncated to integers as in the released codes. To reproduce
    their detections, the right side mirrors the left one in BaS-Net's and ends one frame earlier in BackTAL's.
    """
    beyond = 1.0 if mirrored else 0.0
    for index in range(len(rows)):
        first, end = int(rows[index, 0]), int(rows[index, 1])
        length = end - first
        outer_first = int(max(0.0, np.trunc(first - margin * length)))
        outer_end = max(int(min(len(totals) - 1.0, np.trunc(end - 1 + margin * length) + beyond)), end)
        inner = totals[end] - totals[first]
        outer = totals[outer_end] - totals[outer_first] - inner
        outer_length = outer_end - outer_first - length
        rows[index, 2] = inner / length - (outer / outer_length if outer_length > 0 else 0.0)


@compiled
def suppress(segments: Floats, score: Floats, bounds: Ints, groups: Ints, threshold: float, extra: float) -> Ints:
    """Greedy non-maximum suppression within each group: the indices kept, by descending score within a group.

    segments [n, 2], score [n]; group p is rows bounds[p] to bounds[p + 1]; `groups`: the groups to treat, in order. A
    row that overlaps a kept one by more than `threshold` is removed; ties go to the first. `extra` seconds are added to
    every length and intersection; if it is positive, an overlap equal to `threshold` is removed too, and the order of
    operations is that of the released codes, as rounding decides such ties.
    """
    kept, count = np.empty(len(score), np.int64), 0
    for group in groups:
        order = np.argsort(-score[bounds[group] : bounds[group + 1]], kind="mergesort")
        before = count
        for position in order:
            index = bounds[group] + position
            start, end = segments[index, 0], segments[index, 1]
            clear = True
            for earlier in range(before, count):
                other = kept[earlier]
                shared = min(end, segments[other, 1]) - max(start, segments[other, 0]) + extra
                shared = max(shared, 0.0)
                lengths = (segments[other, 1] - segments[other, 0] + extra) + (end - start + extra)
                if extra > 0:
                    clear = shared / (lengths - shared) < threshold
                else:
                    clear = shared <= threshold * (lengths - shared)
                if not clear:
                    break
            if clear:
                kept[count] = index
                count += 1
    return kept[:count]


@compiled
def soften(segments: Floats, score: Floats, bounds: Ints, sigma: float, least: float) -> Floats:
    """Gaussian Soft-NMS (Bodla et al. 2017) within each group: the new scores [n], 0 for removed rows.

    segments [n, 2], score [n]; group p is rows bounds[p] to bounds[p + 1]. Repeatedly keeps the remaining row with the
    highest score, the first of equal ones, and multiplies every other score by exp(−tIoU² / sigma), until no score
    reaches `least`, which is above 0.
    """
    left, kept = score.copy(), np.zeros(len(score))
    for group in range(len(bounds) - 1):
        first, end = bounds[group], bounds[group + 1]
        while end > first:
            best = first + np.argmax(left[first:end])
            if left[best] < least:
                break
            kept[best], left[best] = left[best], 0.0
            for other in range(first, end):
                if left[other] >= least:
                    left[other] *= np.exp(-(_overlap(segments[best], segments[other]) ** 2) / sigma)
    return kept


@inlined
def _overlap(a: Floats, b: Floats) -> float:
    """tIoU of two segments (start, end) in seconds; 0 if neither has a length."""
    shared = max(min(a[1], b[1]) - max(a[0], b[0]), 0.0)
    union = (a[1] - a[0]) + (b[1] - b[0]) - shared
    return shared / union if union > 0 else 0.0
