"""Localization: detections from class activation sequences (BackTAL paper Sec. 3.5; details as in its released code).

`rule: basnet` is BaS-Net's, from which BackTAL's derives, as in its released code. `rule: mean` is SF-Net's, with one
threshold per class, the mean of its sequence (SF-Net paper, Sec. 3.5, and its released code for details the paper
omits). DGAM's, `rule: streams`, is in `streams`.

Shapes: N videos, C classes (background has index C in a CAS), T snippets, R thresholds, P pairs of a video and a class
whose video score is high enough, n proposals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from tal_search.files.heartbeat import beat
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.streams import find_runs, localize_streams
from tal_search.types import Detections, Floats, Ints

BASNET_SCALE = 24  # upsampled positions per snippet in BaS-Net's release, used in place of frames
MEAN_RULE_UNIT = 100.0  # the release divides its scores by 100, which changes no order


def localize(activations: Activations, classes: tuple[str, ...], inference: Inference) -> Detections:
    """Detections of all videos, ordered by video, class and descending score."""
    return next(localize_many(activations, classes, (inference,)))


def localize_many(
    activations: Activations, classes: tuple[str, ...], settings: Sequence[Inference]
) -> Iterator[Detections]:
    """Detections at each setting, in order.

    Consecutive settings of equal `proposal_key` share their proposals, so sort settings by it: each then costs only its
    scores and suppression. The proposals of one key at a time are in memory.
    """
    for _, neighbours in groupby(settings, key=proposal_key):
        sharing = list(neighbours)
        if sharing[0].rule == "streams":
            yield from map(activations.inside, localize_streams(activations, classes, sharing))
            continue
        proposals = _propose(activations, sharing[0], min(inference.class_threshold for inference in sharing))
        for inference in sharing:
            yield activations.inside(_detect(proposals, activations.videos, classes, inference))


def proposal_key(inference: Inference) -> tuple[float, ...]:
    """The settings that proposals depend on, except the class threshold, which only selects among them."""
    if inference.rule == "mean":
        return (inference.actionness_weight,)
    if inference.rule == "streams":
        streams = (inference.rgb_share, inference.rgb_threshold, inference.flow_threshold)
        return *streams, inference.smoothing, inference.outer_margin
    names = ("low", "high", "step")
    activation = (getattr(inference, f"activation_{name}") for name in names)
    shared = *activation, inference.outer_margin, inference.trim, float(inference.whole_video > 0)
    if inference.rule == "basnet":
        return -1.0, *shared  # no threshold is negative
    if not inference.attention_proposals:
        return shared
    return *shared, *(getattr(inference, f"attention_{name}") for name in names)


@dataclass(frozen=True, kw_only=True)
class _Proposals:
    """Runs of all thresholds, before scores are weighted and overlapping runs suppressed.

    video, label int64 [P]; video_score float64 [P]; level float64 [P], compared with the class threshold;
    segment float64 [n, 2] seconds; contrast float64 [n], inner mean minus outer mean (rule mean: the highest value);
    bounds int64 [P + 1]: pair p has the proposals from bounds[p] to bounds[p + 1]; whole int64 [≤ P], the proposals
    that are whole videos.
    """

    video: Ints
    label: Ints
    video_score: Floats
    level: Floats
    segment: Floats
    contrast: Floats
    bounds: Ints
    whole: Ints = field(default_factory=lambda: np.zeros(0, np.int64))


def _propose(activations: Activations, inference: Inference, class_threshold: float) -> _Proposals:
    if inference.rule == "mean":
        return _propose_above_mean(activations, inference.actionness_weight, class_threshold)
    scores = activations.scores[:, :-1].astype(np.float64)
    confident = scores >= class_threshold
    basnet = inference.rule == "basnet"
    with_attention = inference.attention_proposals and not basnet
    thresholds = (
        _thresholds(inference, "activation"),
        _thresholds(inference, "attention")[: None if with_attention else 0],
    )
    tables, counts = [np.zeros((0, 3))], [np.zeros(0, np.int64)]
    for number in np.flatnonzero(confident.any(axis=1)).tolist():
        beat("localizing, video %d of %d", number + 1, len(confident))
        table, rows = _propose_in(activations, number, np.flatnonzero(confident[number]), thresholds, inference)
        tables.append(table)
        counts.append(rows)
    joined = np.concatenate(tables)
    bounds = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    last = bounds[1:][np.diff(bounds) > 0] - 1
    video, label = np.nonzero(confident)
    return _Proposals(
        video=video,
        label=label,
        video_score=np.ones(len(video)) if basnet else scores[video, label],
        level=scores[video, label],
        segment=joined[:, :2].copy(),
        contrast=joined[:, 2].copy(),
        bounds=bounds,
        whole=last if inference.whole_video > 0 else last[:0],
    )


def _propose_in(
    activations: Activations, number: int, labels: Ints, thresholds: tuple[Floats, Floats], inference: Inference
) -> tuple[Floats, Ints]:
    """Rows (start s, end s, contrast) of one video, class by class; and the number of rows of each of `labels`."""
    from tal_search.localization import proposal_loops

    times = activations.timeline
    length, start, extent = (column[number] for column in (times.length, times.start, times.extent))
    cas_KT = normalise(activations.cas[number, labels, :length].astype(np.float64))
    attention_T = normalise(activations.attention[number, :length].astype(np.float64))
    basnet = inference.rule == "basnet"
    frames = BASNET_SCALE * cas_KT.shape[1] if basnet else int(activations.frames[number])
    table, rows = proposal_loops.propose(
        cas_KT, attention_T, frames, *thresholds, float(inference.outer_margin), basnet
    )
    if inference.trim > 0:
        table[:, :2] += inference.trim * (table[:, 1] - table[:, 0])[:, None] * np.array([1, -1])
    if inference.whole_video > 0:
        video = (np.array([0.0, activations.duration[number]]) - start) / extent * frames
        table, rows = _with_whole_video(table, rows, video)
    table[:, :2] *= extent / frames
    table[:, :2] += start
    activations.clip(table[:, :2], np.full(len(table), number))
    return table, rows


def _with_whole_video(table: Floats, rows: Ints, video: Floats) -> tuple[Floats, Ints]:
    """Append the whole video, its start and end in frames, to the runs of each class that has any.

    table: rows (first frame, last frame + 1, contrast) class by class; rows [K]: their number per class.
    """
    ends = np.cumsum(rows)[rows > 0]
    return np.insert(table, ends, [*video, 0.0], axis=0), rows + (rows > 0)


def _propose_above_mean(activations: Activations, actionness_weight: float, class_threshold: float) -> _Proposals:
    """SF-Net's rule: runs of at least two snippets where a class's activation + weighted actionness exceeds its mean.

    A class needs a positive video score above the share `class_threshold` of the video's highest.
    """
    scores = activations.scores[:, :-1].astype(np.float64)
    level = np.where(scores > 0, scores / np.maximum(scores.max(1, keepdims=True), np.finfo(np.float64).tiny), -1.0)
    level = np.nextafter(level, -1.0)  # a class must exceed the share, not just reach it
    video, label = np.nonzero(level >= class_threshold)
    sequence_PT = activations.cas[video, label].astype(np.float64)
    sequence_PT += actionness_weight * activations.attention[video].astype(np.float64)
    times = activations.timeline
    mean_P1 = sequence_PT.mean(1, keepdims=True)
    if activations.length is not None:
        padding_PT = np.arange(sequence_PT.shape[1]) >= times.length[video, None]
        mean_P1 = sequence_PT.mean(1, keepdims=True, where=~padding_PT)
        sequence_PT[padding_PT] = -np.inf
    pair, first, end = find_runs(sequence_PT > mean_P1)
    pair, first, end = (array[end - first >= 2] for array in (pair, first, end))
    snippets = sequence_PT.shape[1]
    ends_within_2n = ((snippets + 1) * pair + np.stack([first, end])).T.ravel()  # the column added holds end = T
    padded = np.pad(sequence_PT, ((0, 0), (0, 1)))
    return _Proposals(
        video=video,
        label=label,
        video_score=scores[video, label] / MEAN_RULE_UNIT,
        level=level[video, label],
        segment=activations.clip(times.seconds(video[pair], np.stack([first, end], axis=1)), video[pair]),
        contrast=np.maximum.reduceat(padded.ravel(), ends_within_2n)[::2] / MEAN_RULE_UNIT,
        bounds=np.searchsorted(pair, np.arange(len(video) + 1)),
    )


def _detect(
    proposals: _Proposals, videos: tuple[str, ...], classes: tuple[str, ...], inference: Inference
) -> Detections:
    from tal_search.localization import proposal_loops

    pair = np.repeat(np.arange(len(proposals.video)), np.diff(proposals.bounds))
    score = proposals.contrast + inference.score_weight * proposals.video_score[pair]
    score[proposals.whole] = inference.whole_video
    confident = np.flatnonzero(_confident(proposals, inference))
    extra = 1.0 if inference.overlap == "release" else 0.0
    kept = proposal_loops.suppress(proposals.segment, score, proposals.bounds, confident, float(inference.nms), extra)
    return Detections(
        videos=videos,
        classes=classes,
        video=proposals.video[pair[kept]],
        label=proposals.label[pair[kept]],
        segment=proposals.segment[kept],
        score=score[kept],
    )


def _confident(proposals: _Proposals, inference: Inference) -> NDArray[np.bool_]:
    """Pairs that reach the class threshold, bool [P]."""
    confident = proposals.level >= inference.class_threshold
    if inference.rule == "basnet":  # as released: a video whose only class is the first one has no detection
        confident &= np.isin(proposals.video, proposals.video[confident & (proposals.label > 0)])
    return confident


def _thresholds(inference: Inference, sequence: str) -> Floats:
    low, high, step = (getattr(inference, f"{sequence}_{part}") for part in ("low", "high", "step"))
    return np.arange(low, high, step, dtype=np.float64)


def normalise(sequence: Floats) -> Floats:
    """Min-max normalisation over the last axis, with minimum and maximum at least 0.

    A sequence that is flat or nowhere positive is only shifted, as in the released codes, and has no positive value.
    """
    low = np.maximum(sequence.min(-1, keepdims=True), 0.0)
    high = np.maximum(sequence.max(-1, keepdims=True), 0.0)
    span = high - low
    return np.where(span >= 0, (sequence - low) / np.where(span > 0, span, 1.0), 0.0)  # NaN becomes no activation
