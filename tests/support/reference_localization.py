"""Localization in plain NumPy: slow, and what the compiled one must equal to the last bit. Rules thresholds and basnet.

Shapes: N videos, C classes (background has index C in a CAS), T snippets, F frames of one video, R thresholds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.types import Detections, Floats, Ints


def localize(activations: Activations, classes: tuple[str, ...], inference: Inference) -> Detections:
    """Detections of every video, videos in order, classes in order, by falling score within a class."""
    rows: list[tuple[int, int, Floats]] = []
    for number in range(len(activations.videos)):
        for label, segments in _localize_video(activations, number, inference):
            rows.append((number, label, segments))
    table = np.concatenate([segments for _, _, segments in rows]) if rows else np.zeros((0, 3))
    counts = [len(segments) for _, _, segments in rows]
    return Detections(
        videos=activations.videos,
        classes=classes,
        video=np.repeat(np.array([row[0] for row in rows], np.int64), counts),
        label=np.repeat(np.array([row[1] for row in rows], np.int64), counts),
        segment=table[:, :2],
        score=table[:, 2],
    )


def _localize_video(activations: Activations, number: int, inference: Inference) -> list[tuple[int, Floats]]:
    scores = activations.scores[number, :-1].astype(np.float64)
    confident = np.flatnonzero(scores >= inference.class_threshold)
    if not len(confident):
        return []
    if inference.rule == "basnet" and confident.tolist() == [0]:
        return []
    basnet, snippets = inference.rule == "basnet", activations.cas.shape[-1]
    frames = 24 * snippets if basnet else int(activations.frames[number])
    upsampled = from_starts if basnet else from_centres
    cas_KF = upsampled(_normalised(activations.cas[number, confident].astype(np.float64)), frames)
    attention_F = upsampled(_normalised(activations.attention[number].astype(np.float64)), frames)
    attention_runs = find_runs(_thresholded(attention_F, _thresholds(inference, "attention")) > 0)[1:]
    if basnet or not inference.attention_proposals:
        attention_runs = attention_runs[0][:0], attention_runs[1][:0]
    seconds = activations.duration[number] / frames
    found = []
    for label, cas_F in zip(confident, cas_KF, strict=True):
        runs = _scored_runs(cas_F, attention_runs, inference)
        runs[:, 2] += inference.score_weight * (1.0 if basnet else scores[label])
        runs = _long_instances(runs, frames, inference)
        runs[:, :2] *= seconds
        found.append((int(label), runs[suppress(runs, inference.nms, release=inference.overlap == "release")]))
    return found


def _normalised(sequence: Floats) -> Floats:
    """Min-max over time, both ends clipped at 0 from below; shifted alone where nothing is left between them."""
    low, high = (np.maximum(end, 0.0)[..., None] for end in (sequence.min(-1), sequence.max(-1)))
    shifted = sequence - low
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.select([high > low, high == low], [shifted / (high - low), shifted], 0.0)


def from_centres(sequence: Floats, frames: int) -> Floats:
    """Linear between the middles of snippets, held before the first and after the last."""
    snippets = sequence.shape[-1]
    position = np.clip((np.arange(frames) + 0.5) * snippets / frames - 0.5, 0, snippets - 1)
    left = np.minimum(position.astype(np.int64), max(snippets - 2, 0))
    share = position - left
    found: Floats = sequence[..., left] * (1 - share) + sequence[..., np.minimum(left + 1, snippets - 1)] * share
    return found


def from_starts(sequence: Floats, frames: int) -> Floats:
    """Linear between the starts of snippets; the line through the last two goes on to the end."""
    snippets = sequence.shape[-1]
    position = np.arange(frames) * (snippets / frames)
    left = np.clip(np.searchsorted(np.arange(snippets), position) - 1, 0, max(snippets - 2, 0))
    rise = sequence[..., np.minimum(left + 1, snippets - 1)] - sequence[..., left]
    found: Floats = rise * (position - left) + sequence[..., left]
    return found


def _long_instances(runs: Floats, frames: int, inference: Inference) -> Floats:
    """ActivityNet's and HACS's rule, run by run: both ends trimmed, and a whole-video segment for every run."""
    longer = []
    for first, end, score in runs:
        cut = inference.trim * (end - first)
        longer.append((first + cut, end - cut, score))
    if inference.whole_video > 0:
        longer += [(0.0, float(frames), inference.whole_video)] * len(runs)
    return np.array(longer).reshape(-1, 3)


def _thresholds(inference: Inference, sequence: str) -> Floats:
    low, high, step = (getattr(inference, f"{sequence}_{part}") for part in ("low", "high", "step"))
    return np.arange(low, high, step)


def _thresholded(sequence_F: Floats, thresholds_R: Floats) -> Floats:
    """The sequence with everything below each threshold set to zero: [R, F]."""
    return np.where(sequence_F >= thresholds_R[:, None], sequence_F, 0.0)


def _scored_runs(cas_F: Floats, attention_runs: tuple[Ints, Ints], inference: Inference) -> Floats:
    """Rows (first frame, last frame + 1, inner − outer contrast) of every threshold, class sequence first."""
    kept_RF = _thresholded(cas_F, _thresholds(inference, "activation"))
    row, first, last = find_runs(kept_RF > 0)
    sequences = np.concatenate([kept_RF, cas_F[None]])  # attention runs are scored on the unthresholded sequence
    row = np.concatenate([row, np.full(len(attention_runs[0]), len(kept_RF))])
    first, last = np.concatenate([first, attention_runs[0]]), np.concatenate([last, attention_runs[1]])
    mirrored = inference.rule == "basnet"
    contrast = inner_outer(sequences, row, first, last, inference.outer_margin, mirrored=mirrored)
    return np.stack([first.astype(np.float64), last + 1.0, contrast], axis=1)


def find_runs(mask_RF: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints]:
    """Runs of True in each row: (row, first, last), both ends included.

    A row whose only True is position 0 has no run (a detail of the released code).
    """
    mask_RF = mask_RF.copy()
    lonely = mask_RF[:, 0] & (mask_RF.sum(1) == 1)
    mask_RF[lonely, 0] = False
    edges = np.diff(np.pad(mask_RF.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    row, first = np.nonzero(edges == 1)
    _, after = np.nonzero(edges == -1)
    return row, first, after - 1


def inner_outer(
    sequences_RF: Floats, row: Ints, first: Ints, last: Ints, margin: float, *, mirrored: bool = False
) -> Floats:
    """Mean inside a run minus mean outside it, `margin` run lengths each side (0 where the outside is empty).

    Positions are truncated to integers as in the released codes. The right side is the left's mirror image in BaS-Net's
    and ends one frame before it in BackTAL's; the detections of each are reproduced only so.
    """
    total = np.pad(np.cumsum(sequences_RF, axis=1), ((0, 0), (1, 0)))
    length = last - first + 1
    outer_first = np.maximum(0, np.trunc(first - margin * length)).astype(np.int64)
    outer_end = np.minimum(sequences_RF.shape[1], np.trunc(last + margin * length) + int(mirrored)).astype(np.int64)
    outer_end = np.maximum(outer_end, last + 1)
    inner_sum = total[row, last + 1] - total[row, first]
    outer_sum = total[row, outer_end] - total[row, outer_first] - inner_sum
    outer_length = outer_end - outer_first - length
    return inner_sum / length - np.where(outer_length > 0, outer_sum / np.maximum(outer_length, 1), 0.0)


def suppress(segments: Floats, threshold: float, *, release: bool = False) -> Ints:
    """Greedy non-maximum suppression of rows (start, end, score): indices kept, by falling score.

    A row overlapping a kept one by more than `threshold` goes. release: 1 second is added to every length and
    intersection before the overlap is taken, and an overlap of `threshold` goes too.
    """
    extra = 1.0 if release else 0.0
    order = np.argsort(-segments[:, 2], kind="stable")
    start, end = segments[order, 0], segments[order, 1]
    length = end - start + extra
    alive = np.ones(len(order), np.bool_)
    kept = []
    for index in range(len(order)):
        if not alive[index]:
            continue
        kept.append(order[index])
        later = slice(index + 1, None)
        shared = np.minimum(end[index], end[later]) - np.maximum(start[index], start[later]) + extra
        shared = np.maximum(shared, 0.0)
        union = length[index] + length[later] - shared
        alive[later] &= (shared / union < threshold) if release else (shared <= threshold * union)
    return np.array(kept, np.int64)
