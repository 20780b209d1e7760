"""Rule streams: RGB and flow propose runs separately, then non-maximum suppression merges them (released DGAM).

Shapes: N videos, S = 2 streams (RGB, flow), C classes (no background), T snippets, U = 20·T positions, P pairs of a
class and a stream of one video, n proposals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tal_search.errors import InputError
from tal_search.files.heartbeat import beat
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.types import Detections, Floats, Ints

UPSAMPLING = 20  # positions per snippet
ATTENTION_SHARE = 0.2  # share of λ² in the sequence compared with the threshold; the rest is λ·σ(CAM)
OUTER_WEIGHT = 0.3  # weight of the mean before a run, and of the mean after it


@dataclass(frozen=True)
class StreamProposals:
    """Runs of both streams, by video, class and stream, before classes are chosen and overlapping runs suppressed.

    video, label, stream int64 [n]; segment float64 [n, 2] seconds; contrast float64 [n], inner minus outer means.
    """

    video: Ints
    label: Ints
    stream: Ints
    segment: Floats
    contrast: Floats


def localize_streams(
    activations: Activations, classes: tuple[str, ...], settings: Sequence[Inference]
) -> Iterator[Detections]:
    """Detections at each of several settings with the same proposals, in order.

    Raises InputError if the activations have no streams.
    """
    if activations.stream_cas is None or activations.stream_attention is None or activations.stream_scores is None:
        raise InputError("inference.rule is streams, but these activations are of one stream; give thresholds or mean")
    scores_NSC = activations.stream_scores.astype(np.float64)
    chosen = [confident_classes(scores_NSC, inference) for inference in settings]
    proposals = _propose_runs(
        activations, activations.stream_cas, activations.stream_attention, np.any(chosen, axis=0), settings[0]
    )
    for inference, chosen_NSC in zip(settings, chosen, strict=True):
        kept, score = _joined(proposals, scores_NSC, chosen_NSC, inference)
        yield Detections(
            videos=activations.videos,
            classes=classes,
            video=proposals.video[kept],
            label=proposals.label[kept],
            segment=proposals.segment[kept],
            score=score[kept],
        )


def confident_classes(scores_NSC: Floats, inference: Inference) -> NDArray[np.bool_]:
    """Classes that each stream proposes, bool [N, S, C]: those above the class threshold, or else the highest."""
    chosen_NSC = scores_NSC > inference.class_threshold
    video, stream = np.nonzero(~chosen_NSC.any(2))
    chosen_NSC[video, stream, scores_NSC[video, stream].argmax(1)] = True
    if inference.lone_first_class == "dropped":
        chosen_NSC[~chosen_NSC[..., 1:].any(2)] = False
    return chosen_NSC


def upsample_from_starts(sequences: Floats, times: int) -> Floats:
    """Upsample the last axis linearly, value t at position times·t; the last slope continues after the last start."""
    step = np.diff(sequences, axis=-1)
    step = np.concatenate([step, step[..., -1:] if step.size else np.zeros_like(sequences)], axis=-1)
    upsampled: Floats = sequences[..., None] + step[..., None] * (np.arange(times) / times)
    return upsampled.reshape(*sequences.shape[:-1], -1)


def _propose_runs(
    activations: Activations,
    cas_NSCT: NDArray[np.floating],
    attention_NST: NDArray[np.floating],
    wanted_NSC: NDArray[np.bool_],
    inference: Inference,
) -> StreamProposals:
    share_S = np.array([inference.rgb_share, 1 - inference.rgb_share])
    threshold_S = np.array([inference.rgb_threshold, inference.flow_threshold])
    times = activations.timeline
    places, segments, contrasts = [np.zeros((0, 3), np.int64)], [np.zeros((0, 2))], [np.zeros(0)]
    for number in np.flatnonzero(wanted_NSC.any((1, 2))):
        beat("localizing, video %d of %d", number + 1, len(wanted_NSC))
        label_P, stream_P = np.nonzero(wanted_NSC[number].T)
        length = times.length[number]
        attention_PT = attention_NST[number, stream_P, :length].astype(np.float64)
        cas_SPT = cas_NSCT[number][:, label_P, :length].astype(np.float64)
        own_PT = attention_PT * cas_SPT[stream_P, np.arange(len(stream_P))]
        fused_PT = attention_PT**2 * np.tensordot(share_S, cas_SPT, 1)
        own_PU, fused_PU, attention_PU = upsample_from_starts(np.stack([own_PT, fused_PT, attention_PT]), UPSAMPLING)
        level_PU = (1 - ATTENTION_SHARE) * own_PU + ATTENTION_SHARE * attention_PU**2
        if inference.smoothing > 0:
            from scipy.ndimage import gaussian_filter1d

            level_PU = gaussian_filter1d(level_PU, inference.smoothing * UPSAMPLING, axis=1)
        pair, first, end = find_runs(level_PU > threshold_S[stream_P, None])
        places.append(np.stack([np.full_like(pair, number), label_P[pair], stream_P[pair]], axis=1))
        seconds = np.stack([first, end], axis=1) * (times.extent[number] / level_PU.shape[1]) + times.start[number]
        segments.append(activations.clip(seconds, np.full(len(seconds), number)))
        contrasts.append(_contrast(fused_PU, pair, first, end, inference.outer_margin))
    video, label, stream = np.concatenate(places).T
    return StreamProposals(video, label, stream, np.concatenate(segments), np.concatenate(contrasts))


def find_runs(above_PU: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints]:
    """Runs of True in each row: row, first position, last position + 1.

    A row whose only True is position 0 has no run (a detail of the released code).
    """
    edges = np.diff(np.pad(above_PU.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    pair, first = np.nonzero(edges == 1)
    _, end = np.nonzero(edges == -1)
    counted = ~((end == 1) & (above_PU.sum(1) == 1)[pair])
    return pair[counted], first[counted], end[counted]


def _contrast(sequence_PU: Floats, pair: Ints, first: Ints, end: Ints, margin: float) -> Floats:
    """Mean inside minus .3 times the mean on each side, `margin` run lengths plus one position wide; 0 if empty."""
    totals_PU = np.pad(np.cumsum(sequence_PU, axis=1), ((0, 0), (1, 0)))
    outer = (margin * (end - first)).astype(np.int64) + 1

    def mean(start: Ints, stop: Ints) -> Floats:
        average: Floats = (totals_PU[pair, stop] - totals_PU[pair, start]) / np.maximum(stop - start, 1)
        return average

    before = mean(np.maximum(first - outer, 0), first)
    after = mean(end, np.minimum(end + outer, sequence_PU.shape[1]))
    contrast: Floats = mean(first, end) - OUTER_WEIGHT * (before + after)
    return contrast


def _joined(
    proposals: StreamProposals, scores_NSC: Floats, chosen_NSC: NDArray[np.bool_], inference: Inference
) -> tuple[Ints, Floats]:
    """The proposals kept, by video, class and descending score, and the scores of all proposals [n].

    Only classes that both streams propose need suppression: runs of one stream do not overlap.
    """
    from tal_search.localization import proposal_loops

    video, label, place = proposals.video, proposals.label, (proposals.video, proposals.stream, proposals.label)
    score = proposals.contrast + inference.score_weight * scores_NSC[place]
    both: NDArray[np.bool_] = np.all(chosen_NSC, axis=1)[video, label]
    bounds = np.flatnonzero(np.diff(video, prepend=-1, append=-1) | np.diff(label, prepend=-1, append=-1))
    shared = np.flatnonzero(both[bounds[:-1]])
    kept = chosen_NSC[place] & ~both
    kept[proposal_loops.suppress(proposals.segment, score, bounds, shared, float(inference.nms), 0.0)] = True
    order = np.lexsort((-score, label, video))
    return order[kept[order]], score
